/**
 * Why the filters stand in the order they do, shown from outside: a real Envoy with an emitted inbound listener, into whose slots come Envoy's own JWT
 * authentication, fault and mirror. Each sentence is shown again with the order turned round, where the opposite must happen: else it would prove nothing.
 */
import * as jose from 'jose';
import { emitEnvoy } from '../../compiler/emit/envoy';
import { httpFilterName, httpOrder } from '../../compiler/emit/envoy/filter-order';
import type { MeshIr } from '../../core/ir/ir';
import type { Json, JsonObject } from '../../core/lib/json';
import { freePorts } from '../../platform/ports';
import { isList, isRecord } from '../../runtime-proxy/bind/addresses';
import { bindInbound } from '../../runtime-proxy/bind/bind';
import { allow, bookinfo, key } from '../kit/bookinfo-ir';
import { type RunningEnvoy, startEnvoy } from '../kit/envoy';
import { eventually } from '../kit/layered-mesh';
import { type RawAnswer, sendRaw, testApps } from '../kit/raw-http';

const issuer = 'https://issuer.example';
const extension = (type: string, fields: JsonObject): JsonObject => ({
  '@type': `type.googleapis.com/envoy.extensions.filters.http.${type}`,
  ...fields,
});
const abort = extension('fault.v3.HTTPFault', { abort: { httpStatus: 418, percentage: { numerator: 100 } } });
const delay = extension('fault.v3.HTTPFault', { delay: { fixedDelay: '0.001s', percentage: { numerator: 100 } } });

// up to three Envoys in a test
jest.setTimeout(240_000);
const apps = testApps();
let authentication: JsonObject;
let token: string;
beforeAll(async () => {
  const { publicKey, privateKey } = await jose.generateKeyPair('ES256', { extractable: true });
  token = await new jose.SignJWT({})
    .setProtectedHeader({ alg: 'ES256', kid: 'k' })
    .setIssuer(issuer)
    .setExpirationTime('1h')
    .sign(privateKey);
  const keys = JSON.stringify({ keys: [{ ...(await jose.exportJWK(publicKey)), kid: 'k', alg: 'ES256' }] });
  authentication = extension('jwt_authn.v3.JwtAuthentication', {
    providers: { issuer: { issuer, localJwks: { inlineString: keys } } },
    rules: [{ match: { prefix: '/' }, requires: { providerName: 'issuer' } }],
  });
});
afterAll(() => apps.close());

/** `ratings` lets anybody get `/ratings/{id}`, and nothing else. */
const ir = (): MeshIr => ({
  ...bookinfo(),
  access: [allow('anybodyReads', [], 'ratings', ['GET /ratings/{id}'], { callers: { kind: 'anyone', except: [] } })],
});

interface Server {
  ask(path: string, headers?: { readonly [name: string]: string }): Promise<RawAnswer>;
  /** A counter of Envoy's, once it has settled. */
  counter(name: string): Promise<number>;
}
type Slots = Parameters<typeof withFilters>[1];

/** The inbound side of `ratings` as it is emitted, without TLS, with more in its slots. */
async function serving(
  slots: Slots,
  options: { readonly turned?: boolean; readonly mirror?: boolean },
  during: (server: Server) => Promise<void>,
): Promise<void> {
  const proxy = emitEnvoy(ir()).value?.proxies.find(({ spec }) => spec.workload === key('ratings'));
  if (!proxy) throw new Error('nothing emitted for ratings');
  const [inboundPort = 0, appPort = 0, adminPort = 0] = await freePorts(3);
  const address = (port: number): { readonly host: string; readonly port: number } => ({ host: '127.0.0.1', port });
  const bound = bindInbound(
    proxy,
    { id: 'r', workload: key('ratings'), app: { web: address(appPort) }, inbound: { web: address(inboundPort) } },
    [],
  );
  const [routes] = bound.routes.map((resource) => (options.mirror ? mirrored(resource.json) : resource.json));
  const listeners = bound.listeners.map((resource) => withFilters(resource.json, slots, routes ?? {}, options.turned ?? false));
  await apps.listen([appPort]);
  const envoy: RunningEnvoy = await startEnvoy(
    {
      admin: { address: { socketAddress: { address: '127.0.0.1', portValue: adminPort } } },
      staticResources: { listeners, clusters: bound.clusters.map((resource) => resource.json) },
    },
    adminPort,
  );
  try {
    await during({
      ask: (path, headers = {}) => sendRaw(address(inboundPort), { method: 'GET', path, host: 'ratings.bookinfo:9080', headers }),
      counter: async (name) => Number(/: (\d+)/.exec(await envoy.admin(`/stats?filter=${name}$`))?.[1] ?? NaN),
    });
  } finally {
    await envoy.stop();
  }
}

/** As the emitter puts them; `turned` puts all but the router the other way round. */
function withFilters(
  listener: JsonObject,
  slots: { readonly authentication?: JsonObject; readonly fault?: JsonObject },
  routeConfig: JsonObject,
  turned: boolean,
): JsonObject {
  const added = Object.entries(slots).map(([slot, typedConfig]) => ({
    name: httpFilterName(slot === 'fault' ? 'fault' : 'authentication'),
    typedConfig,
  }));
  const placeOf = (filter: Json): number => {
    const place = httpOrder.findIndex(({ name }) => isRecord(filter) && name === filter['name']);
    return turned && place < httpOrder.length - 1 ? -place : place;
  };
  const walk = (json: Json): Json => {
    if (isList(json)) return json.map(walk);
    if (!isRecord(json)) return json;
    const { transportSocket: _, rds, httpFilters, ...rest } = json;
    const inner = Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, walk(value)]));
    if (rds === undefined || !isList(httpFilters)) return inner;
    return { ...inner, routeConfig, httpFilters: [...httpFilters, ...added].sort((a, b) => placeOf(a) - placeOf(b)) };
  };
  const made = walk(listener);
  return isRecord(made) ? made : {};
}

/** The application's route, mirrored to the application itself: what is let through arrives twice. */
function mirrored(routes: JsonObject): JsonObject {
  const text = JSON.stringify(routes).replace('"cluster":"app/web"', '"cluster":"app/web","requestMirrorPolicies":[{"cluster":"app/web"}]');
  const made: Json = JSON.parse(text);
  return isRecord(made) ? made : {};
}

const allowed = '/ratings/7';
const denied = '/secret';
const uncanonical = '/ratings/../secret';
const bearer = (): { readonly authorization: string } => ({ authorization: `Bearer ${token}` });
const reached = 'cluster.app/web.upstream_rq_total';
/** Waits for a counter: a mirrored request goes out beside the answer. */
async function until(server: Server, name: string, value: number): Promise<void> {
  const counter = await eventually(
    () => server.counter(name),
    (count) => count === value,
  );
  expect([name, counter]).toEqual([name, value]);
}

test('a path that is not canonical is answered 400 before anybody asks who it is', async () => {
  await serving({ authentication }, {}, async ({ ask }) => {
    expect((await ask(uncanonical)).status).toBe(400);
    expect((await ask('//ratings/7', bearer())).status).toBe(400);
    expect((await ask(allowed)).status).toBe(401);
    expect((await ask(allowed, bearer())).status).toBe(200);
  });
  await serving({ authentication }, { turned: true }, async ({ ask }) => {
    expect((await ask(uncanonical)).status).not.toBe(400);
  });
});

test('who it is comes before what it may do: without a token 401, with one and without a rule 403', async () => {
  await serving({ authentication }, {}, async ({ ask }) => {
    expect((await ask(denied)).status).toBe(401);
    expect((await ask(denied, bearer())).status).toBe(403);
  });
  await serving({ authentication }, { turned: true }, async ({ ask }) => {
    expect((await ask(denied)).status).toBe(403);
  });
});

test('a fault hits only what would have reached the destination: what is denied is neither aborted nor delayed', async () => {
  await serving({ fault: abort }, {}, async ({ ask }) => {
    expect((await ask(allowed)).status).toBe(418);
    expect((await ask(denied)).status).toBe(403);
    expect((await ask(uncanonical)).status).toBe(400);
  });
  const delays = 'http.inbound.fault.delays_injected';
  await serving({ fault: delay }, {}, async (server) => {
    expect((await server.ask(denied)).status).toBe(403);
    expect((await server.ask(uncanonical)).status).toBe(400);
    expect(await server.counter(delays)).toBe(0);
    expect((await server.ask(allowed)).status).toBe(200);
    expect(await server.counter(delays)).toBe(1);
  });
  await serving({ fault: delay }, { turned: true }, async (server) => {
    expect((await server.ask(denied)).status).toBe(403);
    expect(await server.counter(delays)).toBe(1);
  });
});

test('what is denied is not mirrored, nor what a fault aborted', async () => {
  await serving({}, { mirror: true }, async (server) => {
    expect((await server.ask(denied)).status).toBe(403);
    expect((await server.ask(uncanonical)).status).toBe(400);
    expect(await server.counter(reached)).toBe(0);
    expect((await server.ask(allowed)).status).toBe(200);
    await until(server, reached, 2);
  });
  await serving({ fault: abort }, { mirror: true }, async (server) => {
    expect((await server.ask(allowed)).status).toBe(418);
    expect(await server.counter(reached)).toBe(0);
  });
});
