import { create, fromJson, toJson } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { ListenerSchema } from './gen/envoy/config/listener/v3/listener_pb';
import { HttpConnectionManagerSchema } from './gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb';
import { typeUrl, wireRegistry } from './registry';

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

test('type URLs are the ones that ADS uses', () => {
  expect(typeUrl.cluster).toBe('type.googleapis.com/envoy.config.cluster.v3.Cluster');
});
