/**
 * The control plane's protocol, spoken by a client that is not Envoy: subscriptions, ACK, NACK, unknown nonces, subscribing again, coming back, and what
 * somebody does who means ill. The same story with real Envoys is in control-plane.test.ts.
 */
import type { DiscoveryResponse } from '../../core/wire/gen/envoy/service/discovery/v3/discovery_pb';
import { typeUrl } from '../../core/wire/type-url';
import { status } from '@grpc/grpc-js';
import type { Svid } from '../../runtime-proxy/ca/client';
import { objectsOf, pagePrincipal, reviewsPrincipal, smallMesh } from '../kit/small-mesh';
import { runMesh, type RunningMesh } from '../kit/running-mesh';
import { resourcesOf, routedTo, svidOf, xdsClient, type XdsClient } from '../kit/xds-client';

jest.setTimeout(300_000);
const workloads = [
  { id: 'page-1', workload: 'shop/page', principal: pagePrincipal, ports: [] },
  { id: 'reviews-1', workload: 'shop/reviews', principal: reviewsPrincipal, version: 'v1', ports: ['web'] },
  { id: 'reviews-2', workload: 'shop/reviews', principal: reviewsPrincipal, version: 'v2', ports: ['web'] },
];
const page = { instance: 'page-1', workload: 'shop/page', principal: pagePrincipal };
const every = 'shop/reviews.web';

let mesh: RunningMesh;
let svid: Svid;
const clients: XdsClient[] = [];
const connect = (as = svid, shows = true): XdsClient => {
  const client = xdsClient(mesh, as, shows);
  clients.push(client);
  return client;
};
beforeEach(async () => {
  mesh = await runMesh(workloads);
  svid = await svidOf(mesh, page);
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await mesh.stop();
});

type Held = { readonly [type: string]: { readonly [name: string]: string } };

/** An Envoy in little, which does as it is told, and its agent; remembers every moment at which a route went to what was not there. */
function littleEnvoy(client: XdsClient, stream = client.world(), had: Held = {}) {
  const held: { [type: string]: { readonly [name: string]: string } } = { ...had };
  const nonces: { [type: string]: { readonly nonce: string; readonly version: string } } = {};
  const broken: string[] = [];
  const log: string[] = [];
  let live: readonly string[] = [];
  const ask = (type: string, resourceNames: readonly string[] = []): void =>
    stream.send({
      typeUrl: type,
      resourceNames: [...resourceNames],
      responseNonce: nonces[type]?.nonce ?? '',
      versionInfo: nonces[type]?.version ?? '',
    });
  const tell = (): void =>
    client.report({
      clusters: held[typeUrl.cluster] ?? {},
      listeners: held[typeUrl.listener] ?? {},
      routes: held[typeUrl.route] ?? {},
      hosts: Object.fromEntries(Object.keys(held[typeUrl.endpoints] ?? {}).map((name) => [name, 2])),
    });
  const names = (type: string): readonly string[] => Object.keys(held[type] ?? {}).sort();
  return {
    held,
    nonces,
    broken,
    log,
    ask,
    tell,
    start(comesBackWith = ''): void {
      stream.send({ typeUrl: typeUrl.cluster, versionInfo: comesBackWith });
      stream.send({ typeUrl: typeUrl.listener, versionInfo: comesBackWith });
    },
    /** Takes responses as they come until it holds. */
    async until(holds: () => boolean): Promise<void> {
      while (!holds()) this.take(await stream.next());
    },
    take(response: DiscoveryResponse): void {
      const { typeUrl: type, nonce, versionInfo } = response;
      const given = resourcesOf(response);
      const whole = type === typeUrl.cluster || type === typeUrl.listener;
      held[type] = whole ? given : { ...held[type], ...given };
      log.push(`${type.slice(type.lastIndexOf('.') + 1)} ${Object.keys(given).sort().join(' ')}`);
      if (type === typeUrl.route) live = routedTo(response);
      for (const cluster of live)
        if (held[typeUrl.cluster]?.[cluster] === undefined)
          broken.push(`a route goes to ${cluster}, which is not there, after ${log.at(-1)}`);
      nonces[type] = { nonce, version: versionInfo };
      ask(type, type === typeUrl.route ? names(typeUrl.listener) : type === typeUrl.endpoints ? names(typeUrl.cluster) : []);
      if (type === typeUrl.cluster && names(typeUrl.cluster).length > 0) ask(typeUrl.endpoints, names(typeUrl.cluster));
      if (type === typeUrl.listener && names(typeUrl.listener).length > 0) ask(typeUrl.route, names(typeUrl.listener));
      tell();
    },
  };
}
const release = async (split?: { readonly [version: string]: number }): Promise<void> => {
  const { status: code, json } = await mesh.release(objectsOf(smallMesh(split ? { split } : {})));
  expect([code, json]).toMatchObject([202, {}]);
};
const isConverged = (generation: number) => (now: { readonly state: string; readonly generation: number }) =>
  now.state === 'converged' && now.generation === generation;

describe('the state of the world', () => {
  test('clusters, endpoints, listeners, routes; a change never has a route to what is not there, and what is gone goes last, by absence', async () => {
    await release();
    const envoy = littleEnvoy(connect());
    envoy.start();
    await envoy.until(() => envoy.held[typeUrl.route] !== undefined);
    expect([envoy.log[0], envoy.log.at(-1), envoy.log.length]).toEqual([`Cluster ${every}`, 'RouteConfiguration outbound', 4]);
    expect(envoy.log).toEqual(expect.arrayContaining([`ClusterLoadAssignment ${every}`, 'Listener outbound']));
    await mesh.until('converged', isConverged(1));
    envoy.log.length = 0;
    await release({ v1: 50, v2: 50 });
    await envoy.until(() => Object.keys(envoy.held[typeUrl.cluster] ?? {}).join() === `${every}|v1,${every}|v2`);
    expect(envoy.log).toEqual([
      `Cluster ${every} ${every}|v1 ${every}|v2`,
      `ClusterLoadAssignment ${every}|v1 ${every}|v2`,
      'RouteConfiguration outbound',
      `Cluster ${every}|v1 ${every}|v2`,
    ]);
    await mesh.until('converged', isConverged(2));
    expect(envoy.broken).toEqual([]);
  });

  test('the version of a response is the hash of what is in it; who comes back gets the same, and nothing is taken from it meanwhile', async () => {
    await release();
    const client = connect();
    const before = littleEnvoy(client);
    before.start();
    await before.until(() => before.held[typeUrl.route] !== undefined);
    await mesh.until('converged', isConverged(1));
    // it comes back in the middle of a change: what it has is of the other set
    await release({ v1: 100 });
    const stream = client.world();
    const after = littleEnvoy(client, stream, before.held);
    before.tell();
    after.start(before.nonces[typeUrl.cluster]?.version);
    const first = await stream.next();
    expect(Object.keys(resourcesOf(first)).sort()).toEqual([every, `${every}|v1`]);
    after.take(first);
    await after.until(() => Object.keys(after.held[typeUrl.cluster] ?? {}).join() === `${every}|v1`);
    expect(after.broken).toEqual([]);
    await mesh.until('converged', isConverged(2));
    const again = littleEnvoy(connect());
    again.start();
    await again.until(() => again.held[typeUrl.route] !== undefined);
    expect(again.nonces[typeUrl.cluster]?.version).toBe(after.nonces[typeUrl.cluster]?.version);
    expect(again.nonces[typeUrl.cluster]?.nonce).not.toBe(after.nonces[typeUrl.cluster]?.nonce);
  });

  test('a NACK brings stable again for every name of the response', async () => {
    await release();
    const client = connect();
    const stream = client.world();
    const envoy = littleEnvoy(client, stream);
    envoy.start();
    await envoy.until(() => envoy.held[typeUrl.route] !== undefined);
    await mesh.until('converged', isConverged(1));
    await release({ v1: 100 });
    const refused = await stream.next();
    expect(Object.keys(resourcesOf(refused)).sort()).toEqual([every, `${every}|v1`]);
    const { version = '' } = envoy.nonces[typeUrl.cluster] ?? {};
    stream.send({
      typeUrl: typeUrl.cluster,
      versionInfo: version,
      responseNonce: refused.nonce,
      errorDetail: { code: 13, message: 'no such thing' },
    });
    const { message } = await mesh.until('aborted', (now) => now.state === 'aborted');
    expect(message).toContain('`page-1` rejected its outbound configuration: no such thing');
    const stable = await stream.next();
    expect(stable.typeUrl).toBe(typeUrl.cluster);
    expect(Object.keys(resourcesOf(stable))).toEqual([every]);
    expect(stable.versionInfo).toBe(version);
    envoy.take(stable);
    await mesh.until('back', (now) => now.proxies.some((one) => one.instance === 'page-1' && one.parts.outbound.phase === 'active'));
  });

  test('an unknown nonce is no answer, an old one neither; what is asked for again is sent again', async () => {
    await release();
    const stream = connect().world();
    stream.send({ typeUrl: typeUrl.cluster });
    const clusters = await stream.next();
    const refusal = { code: 13, message: 'not mine' };
    stream.send({ typeUrl: typeUrl.cluster, responseNonce: 'made-up', errorDetail: refusal });
    stream.send({ typeUrl: typeUrl.endpoints, resourceNames: [every] });
    const first = await stream.next();
    expect([first.typeUrl, Object.keys(resourcesOf(first))]).toEqual([typeUrl.endpoints, [every]]);
    const ack = { typeUrl: typeUrl.endpoints, versionInfo: first.versionInfo, responseNonce: first.nonce };
    stream.send({ ...ack, resourceNames: [every] });
    stream.send({ ...ack, resourceNames: [every, 'ghost'] }); // nobody has it: nothing is said
    stream.send({ ...ack, resourceNames: [] });
    stream.send({ ...ack, resourceNames: [every] });
    const second = await stream.next();
    expect([second.typeUrl, second.versionInfo, resourcesOf(second)]).toEqual([typeUrl.endpoints, first.versionInfo, resourcesOf(first)]);
    stream.send({ ...ack, resourceNames: [every], errorDetail: refusal }); // of the response before
    stream.send({ typeUrl: typeUrl.cluster, versionInfo: clusters.versionInfo, responseNonce: clusters.nonce });
    stream.send({ ...ack, responseNonce: second.nonce, resourceNames: [every] });
    stream.send({ typeUrl: typeUrl.listener });
    expect((await stream.next()).typeUrl).toBe(typeUrl.listener);
    expect((await mesh.status()).state).not.toBe('aborted');
  });

  test('clusters and listeners by name, as gRPC asks for them: only those, and one that is gone is told by absence', async () => {
    await release({ v1: 50, v2: 50 });
    const client = connect();
    const stream = client.world();
    stream.send({ typeUrl: typeUrl.cluster, resourceNames: [`${every}|v1`] });
    const first = await stream.next();
    expect(Object.keys(resourcesOf(first))).toEqual([`${every}|v1`]);
    const answer = (to: DiscoveryResponse, ...resourceNames: readonly string[]): void =>
      stream.send({ typeUrl: to.typeUrl, versionInfo: to.versionInfo, responseNonce: to.nonce, resourceNames: [...resourceNames] });
    answer(first, `${every}|v1`, `${every}|v2`);
    const both = await stream.next();
    expect(Object.keys(resourcesOf(both)).sort()).toEqual([`${every}|v1`, `${every}|v2`]);
    answer(both, `${every}|v2`);
    stream.send({ typeUrl: typeUrl.listener, resourceNames: ['reviews.shop:9080', 'outbound'] });
    await mesh.admin('POST', '/v1/rollout/abort', { reason: 'the test takes it away' });
    let last = await stream.next();
    while (Object.keys(resourcesOf(last)).length > 0) {
      answer(last, ...(last.typeUrl === typeUrl.cluster ? [`${every}|v2`] : ['reviews.shop:9080', 'outbound']));
      last = await stream.next();
    }
    expect([typeUrl.cluster, typeUrl.listener]).toContain(last.typeUrl);
  });
});

describe('who means ill', () => {
  test('gets nothing without a certificate, and only what is its own with one, whoever it says that it is', async () => {
    await release();
    const nobody = connect(svid, false).world();
    nobody.send({ typeUrl: typeUrl.cluster });
    expect([status.UNAVAILABLE, status.UNAUTHENTICATED]).toContain((await nobody.ended).code);
    const liar = connect(await svidOf(mesh, { instance: 'reviews-1', workload: 'shop/reviews', principal: reviewsPrincipal })).world();
    liar.send({ typeUrl: typeUrl.listener, node: { id: 'page-1', cluster: 'shop/page' } });
    liar.send({ typeUrl: typeUrl.cluster, node: { id: 'page-1', cluster: 'shop/page' } });
    const clusters = await liar.next();
    expect([clusters.typeUrl, Object.keys(resourcesOf(clusters))]).toEqual([typeUrl.cluster, ['app/web']]);
    expect((await mesh.status()).proxies.filter((one) => one.connected).map((one) => one.instance)).toEqual(['reviews-1']);
  });

  test.each(['state of the world', 'delta'])('%s: more names than there can be end the stream and nothing else', async (protocol) => {
    await release();
    const other = connect().world();
    other.send({ typeUrl: typeUrl.cluster });
    await other.next();
    const names = (from: number, count: number): string[] => Array.from({ length: count }, (_, index) => `n${from + index}`);
    const client = connect(await svidOf(mesh, { instance: 'reviews-1', workload: 'shop/reviews', principal: reviewsPrincipal }));
    if (protocol === 'delta') {
      // few at a time, for ever
      const stream = client.delta();
      for (let turn = 0; turn < 3; turn += 1)
        stream.send({ typeUrl: typeUrl.endpoints, resourceNamesSubscribe: names(turn * 40_000, 40_000) });
      expect(await stream.ended).toMatchObject({
        code: status.RESOURCE_EXHAUSTED,
        details: '120000 names are asked for: 100000 of a type is the most',
      });
    } else {
      const stream = client.world();
      stream.send({ typeUrl: typeUrl.endpoints, resourceNames: names(0, 100_001) });
      expect(await stream.ended).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
      const large = client.world();
      large.send({ typeUrl: typeUrl.endpoints, resourceNames: ['x'.repeat(5 * 1024 * 1024)] });
      expect(await large.ended).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    }
    other.send({ typeUrl: typeUrl.endpoints, resourceNames: [every] });
    expect((await other.next()).typeUrl).toBe(typeUrl.endpoints);
  });

  test('who never answers is sent one response of a type and no more, and holds up nobody but its own wave', async () => {
    await release();
    const client = connect();
    const stream = client.world();
    client.report({});
    stream.send({ typeUrl: typeUrl.cluster });
    await stream.next();
    const other = littleEnvoy(
      connect(await svidOf(mesh, { instance: 'reviews-1', workload: 'shop/reviews', principal: reviewsPrincipal })),
    );
    other.start();
    await other.until(() => other.held[typeUrl.route] !== undefined);
    const { message } = await mesh.until('held', (now) =>
      now.proxies.some((one) => one.instance === 'reviews-1' && one.parts.inbound.phase === 'active'),
    );
    expect(message).toContain('`page-1`');
    await mesh.admin('POST', '/v1/rollout/abort', { reason: 'it does not answer' });
    await mesh.until('aborted', (now) => now.state === 'aborted');
    await other.until(() => Object.keys(other.held[typeUrl.listener] ?? {}).length === 0);
    expect(stream.count()).toBe(1);
  });

  test('a flood of requests that answers nothing and reads nothing leaves the others served', async () => {
    await release();
    const bad = connect(await svidOf(mesh, { instance: 'reviews-2', workload: 'shop/reviews', principal: reviewsPrincipal }));
    const floods = Array.from({ length: 4 }, () => bad.world());
    for (let turn = 0; turn < 20_000; turn += 1) {
      for (const flood of floods)
        flood.send({
          typeUrl: turn % 3 === 0 ? 'type.googleapis.com/nothing.Here' : typeUrl.cluster,
          responseNonce: turn === 0 ? '' : `n${turn}`,
          resourceNames: [`n${turn}`],
        });
      // both ends live in this process, and each has to answer whether the other one lives
      if (turn % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const good = littleEnvoy(connect());
    good.start();
    await good.until(() => good.held[typeUrl.route] !== undefined);
    expect(good.broken).toEqual([]);
    expect(floods.reduce((sum, flood) => sum + flood.count(), 0)).toBeLessThanOrEqual(4);
  });
});
