import { emitEnvoy } from '../../compiler/emit/envoy';
import { type MeshObject, objectName } from '../../core/bundle/objects';
import type { JsonObject } from '../../core/lib/json';
import { obtainEnvoy } from '../../platform/tools/envoy';
import { bookinfo } from '../../test/kit/bookinfo-ir';
import { outside } from '../../test/kit/outside-ir';
import { validateProxies } from './index';

let envoyPath = '';
beforeAll(async () => void (envoyPath = await obtainEnvoy()), 600_000);

const emitted = emitEnvoy(bookinfo());
if (!emitted.value) throw new Error('the example does not compile');
const { services, proxies } = emitted.value;
const objects: readonly MeshObject[] = [...services, ...proxies];

/** The objects with the first listener of a proxy's inbound side changed. */
const withListener = (name: string, change: (listener: JsonObject) => JsonObject): readonly MeshObject[] =>
  objects.map((object) => {
    if (object.kind !== 'ProxyConfig' || object.metadata.name !== name) return object;
    const { inbound } = object.spec;
    return { ...object, spec: { ...object.spec, inbound: { ...inbound, listeners: inbound.listeners.map(change) } } };
  });

test('Envoy takes the whole example in one run', async () => {
  const { value, diagnostics } = await validateProxies({ objects, envoyPath });
  expect(diagnostics).toEqual([]);
  expect(value).toEqual({ proxies: proxies.map((proxy) => objectName(proxy)).sort(), runs: 1 });
});

test('what Envoy refuses is told by the object, in its own words, and the others are not blamed', async () => {
  const bad = withListener('bookinfo-ratings', (listener) => ({ ...listener, perConnectionBufferLimitBytes: 'many' }));
  const { value, diagnostics } = await validateProxies({ objects: bad, envoyPath });
  expect(value).toBeUndefined();
  expect(diagnostics).toHaveLength(1);
  expect(diagnostics[0]).toMatchObject({
    code: 'MW5020',
    message: expect.stringMatching(
      /^envoy refuses ProxyConfig\/bookinfo\/bookinfo-ratings: .*(perConnectionBufferLimitBytes|per_connection_buffer_limit_bytes)/,
    ),
  });
});

test('a value that parses and that Envoy will not run is refused too', async () => {
  const bad = withListener('bookinfo-details', (listener) => ({ ...listener, filterChains: [] }));
  const { diagnostics } = await validateProxies({ objects: bad, envoyPath });
  expect(diagnostics[0]?.message).toContain('ProxyConfig/bookinfo/bookinfo-details');
});

test('a changed service is validated through one proxy that names it, and nothing else is', async () => {
  const changed = new Set(services.filter((service) => service.metadata.name === 'reviews.web').map((service) => objectName(service)));
  const { value } = await validateProxies({ objects, changed, envoyPath });
  expect(value).toEqual({ proxies: ['ProxyConfig/bookinfo/bookinfo-productpage'], runs: 1 });
  expect((await validateProxies({ objects, changed: new Set(), envoyPath })).value).toEqual({ proxies: [], runs: 0 });
});

test('a refused service is told by its own name', async () => {
  const reviews = objectName({ kind: 'ServiceConfig', metadata: { namespace: 'bookinfo', name: 'reviews.web' } });
  const bad = objects.map((object) =>
    object.kind === 'ServiceConfig' && objectName(object) === reviews
      ? { ...object, spec: { ...object.spec, clusters: object.spec.clusters.map((cluster) => ({ ...cluster, connectTimeout: '0s' })) } }
      : object,
  );
  const { diagnostics } = await validateProxies({ objects: bad, changed: new Set([reviews]), envoyPath });
  expect(diagnostics.map((d) => d.message)).toEqual([
    expect.stringMatching(/^envoy refuses ServiceConfig\/bookinfo\/reviews\.web: \w.*ConnectTimeout: value must be greater than 0s/),
  ]);
});

test('what is dialled outside is asked about as a captured proxy has it', async () => {
  const { value } = emitEnvoy(outside());
  const all: readonly MeshObject[] = [...(value?.services ?? []), ...(value?.proxies ?? [])];
  expect((await validateProxies({ objects: all, envoyPath })).diagnostics).toEqual([]);
  const bad = all.map((object) =>
    object.kind === 'ServiceConfig' && object.spec.port === 'outside/fleet.it'
      ? { ...object, spec: { ...object.spec, clusters: object.spec.clusters.map((cluster) => ({ ...cluster, lbPolicy: 'ROUND_ROBIN' })) } }
      : object,
  );
  expect((await validateProxies({ objects: bad, envoyPath })).diagnostics).toMatchObject([
    { code: 'MW5020', message: expect.stringContaining('ORIGINAL_DST') },
  ]);
});

test('a set with a hole is not taken for a good one', async () => {
  const { diagnostics } = await validateProxies({ objects: objects.filter((object) => object.metadata.name !== 'reviews.web'), envoyPath });
  expect(diagnostics[0]).toMatchObject({ code: 'MW5022' });
});

test('an Envoy that does not answer is a diagnostic, not a wait', async () => {
  const { diagnostics } = await validateProxies({ objects, envoyPath, timeoutMs: 1 });
  expect(diagnostics[0]).toMatchObject({ code: 'MW5021' });
});
