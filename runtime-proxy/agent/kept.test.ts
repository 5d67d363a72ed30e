import { create } from '@bufbuild/protobuf';
import { anyPack, anyUnpack, AnySchema } from '@bufbuild/protobuf/wkt';
import {
  DiscoveryResponseSchema,
  ResourceSchema,
  type DiscoveryResponse,
} from '../../core/wire/gen/envoy/service/discovery/v3/discovery_pb';
import { typeUrl } from '../../core/wire/type-url';
import { Kept } from './kept';

/** Resources by name with their bytes; null: named without them. */
const response = (
  nonce: string,
  resources: { readonly [name: string]: string | null },
  type: string = typeUrl.cluster,
): DiscoveryResponse =>
  create(DiscoveryResponseSchema, {
    typeUrl: type,
    nonce,
    resources: Object.entries(resources).map(([name, bytes]) =>
      anyPack(
        ResourceSchema,
        create(ResourceSchema, {
          name,
          ...(bytes === null ? {} : { resource: create(AnySchema, { typeUrl: type, value: Buffer.from(bytes) }) }),
        }),
      ),
    ),
  });
const bytesOf = ({ resources }: DiscoveryResponse): { readonly [name: string]: string } =>
  Object.fromEntries(
    resources.flatMap((any) => {
      const named = anyUnpack(any, ResourceSchema);
      return named ? [[named.name, Buffer.from(named.resource?.value ?? '').toString()]] : [];
    }),
  );

test('what is named without its bytes has those that Envoy took last; what it never took is left out', () => {
  const kept = new Kept();
  expect(bytesOf(kept.complete(response('1', { a: 'a1', b: 'b1' })))).toEqual({ a: 'a1', b: 'b1' });
  kept.answered('1', true);
  kept.begin();
  expect(bytesOf(kept.complete(response('2', { a: null, b: 'b2', never: null })))).toEqual({ a: 'a1', b: 'b2' });
  kept.answered('2', true);
  expect(bytesOf(kept.complete(response('3', { a: null, b: null })))).toEqual({ a: 'a1', b: 'b2' });
});
test('what was refused, or never answered, or has gone, is not taken', () => {
  const kept = new Kept();
  kept.complete(response('1', { a: 'a1' }));
  kept.answered('1', true);
  kept.complete(response('2', { a: 'a2', b: 'b2' }));
  kept.answered('2', false);
  kept.complete(response('3', { a: 'a3' }));
  kept.begin();
  kept.answered('3', true);
  expect(bytesOf(kept.complete(response('4', { a: null, b: null })))).toEqual({ a: 'a1' });
  kept.complete(response('5', {}));
  kept.answered('5', true);
  expect(bytesOf(kept.complete(response('6', { a: null })))).toEqual({});
});
test('types of which a response says only what is new pass as they are', () => {
  const kept = new Kept();
  const routes = response('1', { r: 'r1' }, typeUrl.route);
  expect(kept.complete(routes)).toBe(routes);
});
