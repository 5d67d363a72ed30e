import { create, fromJson, toJson } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { ListenerSchema } from './gen/envoy/config/listener/v3/listener_pb';
import { HttpConnectionManagerSchema } from './gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb';
import { wireRegistry } from './registry';
import { typeUrl } from './type-url';

test('a listener with a packed filter goes to JSON and back without loss', () => {
  const manager = create(HttpConnectionManagerSchema, { statPrefix: 'inbound', mergeSlashes: false });
  const listener = create(ListenerSchema, {
    name: 'outbound',
    filterChains: [
      { filters: [{ name: 'http', configType: { case: 'typedConfig', value: anyPack(HttpConnectionManagerSchema, manager) } }] },
    ],
  });
  const json = toJson(ListenerSchema, listener, { registry: wireRegistry });
  expect(json).toEqual({
    name: 'outbound',
    filterChains: [
      {
        filters: [
          { name: 'http', typedConfig: { '@type': `type.googleapis.com/${HttpConnectionManagerSchema.typeName}`, statPrefix: 'inbound' } },
        ],
      },
    ],
  });
  expect(fromJson(ListenerSchema, json, { registry: wireRegistry })).toEqual(listener);
});

test('a field that Envoy does not have is refused', () => {
  expect(() => fromJson(ListenerSchema, { name: 'x', reusePorts: true }, { registry: wireRegistry })).toThrow(/unknown/);
});

test('every type URL names a message that the registry has', () => {
  const names = Object.values(typeUrl).map((url) => url.slice('type.googleapis.com/'.length));
  expect(names.map((name) => wireRegistry.getMessage(name)?.typeName)).toEqual(names);
});
