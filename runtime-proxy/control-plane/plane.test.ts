import type { SignedObject } from '../../core/bundle/objects';
import type { Digest } from '../../core/lib/digest';
import type { ProxyPhase } from '../../core/bundle/status';
import type { Principal } from '../../core/mesh/ids';
import { beginRollout } from '../../core/rollout/rollout';
import { silentLog } from '../../platform/log';
import { newTestSigner, signTestObject, signTestRelease, testRelease } from '../../test/kit/signing';
import { objectsOf, page, pagePrincipal, reviews, smallMesh } from '../../test/kit/small-mesh';
import type { Inventory } from '../inventory';
import { noActivity, type AgentReport } from '../agent/protocol';
import { leavingMs } from './leaving';
import { Plane, type PlaneRole } from './plane';
import { RemoteProxies, type RemoteProxy } from './remote';
import { planOf, type Live, type Seen, type Store } from './store';

const inventory: Inventory = {
  instances: [{ id: 'page-1', workload: page, app: {}, inbound: {}, outbound: { host: '127.0.0.1', port: 15001 } }],
};
const noEvents = { onStatus: () => undefined, onTurn: () => undefined, onNack: () => undefined };
const open: Plane[] = [];
afterEach(() => Promise.all(open.splice(0).map((plane) => plane.close())));

/** A plane over a release of the small mesh that has just begun. Writes are kept back until `write` is called, or refused when it is told so. */
async function began(over: Partial<PlaneRole> = {}) {
  const objects = objectsOf(smallMesh());
  const signer = await newTestSigner();
  const known = new Map<Digest, SignedObject>();
  for (const object of objects) {
    const signed = await signTestObject(signer, object, 'prod');
    known.set(signed.digest, signed);
  }
  const signed = await signTestRelease(signer, testRelease(objects));
  let live: Live = { signed, progress: beginRollout(planOf(signed), 1) };
  let seen: ReadonlyMap<string, Seen> = new Map();
  const writes: { readonly next: Live; readonly done: (error?: Error) => void }[] = [];
  const store: Store = {
    object: (digest) => known.get(digest),
    putObject: () => Promise.resolve(),
    deleteObject: () => Promise.resolve(false),
    live: () => live,
    isDamaged: () => false,
    setLive: (next) =>
      new Promise((resolve, reject) => writes.push({ next, done: (error) => (error ? reject(error) : ((live = next), resolve())) })),
    seen: () => seen,
    setSeen: (next) => ((seen = next), Promise.resolve()),
  };
  const remote = new RemoteProxies();
  const plane = new Plane('prod', store, silentLog, () => Date.now(), noEvents, { leads: () => true, remote, settles: true, ...over });
  open.push(plane);
  plane.setInventory(inventory);
  /** Two whole turns: one may have begun before. */
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 2; turn += 1)
      await new Promise<void>((resolve) => {
        const stop = plane.afterTurn(() => (stop(), resolve()));
        plane.touch();
      });
  };
  const told = (release: Digest | null, set: 'stable' | 'candidate'): RemoteProxy => ({
    ...{ instance: 'page-1', workload: page, principal: pagePrincipal, notAfter: Date.now() + 60_000, release },
    parts: { inbound: { set, phase: 'active' }, outbound: { set, phase: 'active' } },
    ...{ lastError: null, envoyVersion: '1.40.0', responses: 4, unconfigured: false, serving: [], secrets: [] },
  });
  /** What another replica says of `page-1`. */
  const hear = async (release: Digest | null, set: 'stable' | 'candidate'): Promise<void> => {
    plane.remoteChanged([told(release, set)], remote.put('other', [told(release, set)], []));
    await settle();
  };
  const write = async (error?: Error): Promise<string> => {
    const [first] = writes.splice(0, 1);
    first?.done(error);
    await settle();
    return first?.next.progress.phase.kind ?? 'nothing';
  };
  await settle();
  return { plane, remote, signed, told, hear, write, settle };
}

test('a proxy of another replica counts once that one serves it by this very release: what is said about an older one confirms nothing', async () => {
  const { plane, signed, hear, write } = await began();
  expect(await write()).toBe('nothing'); // nobody is there
  await hear(signed.digest, 'stable');
  expect(await write()).toBe('rolling');
  await hear(`sha256:${'0'.repeat(64)}` as Digest, 'candidate');
  expect(await write()).toBe('nothing');
  expect(plane.status).toMatchObject({ state: 'rolling', message: expect.stringContaining('`page-1`') });
  await hear(signed.digest, 'candidate');
  expect(await write()).toBe('converged');
  expect(plane.status.proxies).toMatchObject([{ instance: 'page-1', connected: true, responses: 4 }]);
});
test('when its replica is gone it is unknown, not absent: the roll-out is held', async () => {
  const { plane, remote, signed, hear, write, settle } = await began();
  await hear(signed.digest, 'stable');
  expect(await write()).toBe('rolling');
  remote.drop('other');
  plane.remoteChanged([], true);
  await settle();
  expect(await write()).toBe('nothing');
  expect(plane.status.message).toContain('disconnected and its certificate has not lapsed');
});
test('whoever proves to be another than policy has at that place holds nothing up, and aborts nothing', async () => {
  const { plane, remote, signed, write, settle } = await began();
  const stranger = 'spiffe://mesh.test/ns/shop/sa/stranger' as Principal;
  plane.setInventory({ instances: [...inventory.instances, ...inventory.instances.map((one) => ({ ...one, id: 'page-2' }))] });
  const tell = async (instance: string, principal: Principal, phase: ProxyPhase): Promise<void> => {
    const part = { set: 'candidate', phase } as const;
    const parts = { inbound: part, outbound: part };
    const one: RemoteProxy = {
      ...{ instance, workload: page, principal, notAfter: Date.now() + 60_000, release: signed.digest, parts },
      ...{ lastError: null, envoyVersion: '1.40.0', responses: 4, unconfigured: false, serving: [], secrets: [] },
    };
    plane.remoteChanged([one], remote.put(instance, [one], []));
    await settle();
  };
  await tell('page-2', stranger, 'rejected');
  await tell('page-1', pagePrincipal, 'active');
  expect(await write()).toBe('converged');
});
test('whoever proves to be another than policy has at that place is not called; of whom nothing is known is', async () => {
  const { plane, write, settle } = await began();
  const at = (id: string, host: string) => ({ id, workload: reviews, app: {}, inbound: { web: { host, port: 9080 } } });
  plane.setInventory({ instances: [...inventory.instances, at('reviews-1', '10.0.0.1'), at('reviews-2', '10.0.0.2')] });
  const notAfter = Date.now() + 60_000;
  plane.connect({ instance: 'page-1', workload: page, principal: pagePrincipal, notAfter, proof: 'pod' }, '1.40.0', () => undefined);
  await settle();
  const called = (): readonly string[] => JSON.stringify(plane.configOf('page-1')).match(/10\.0\.0\.\d/g) ?? [];
  expect(called()).toEqual(['10.0.0.1', '10.0.0.2']);
  const stranger = { workload: reviews, principal: 'spiffe://mesh.test/ns/shop/sa/stranger' };
  await plane.store.setSeen(new Map([['reviews-2', { ...stranger, notAfter }]]));
  await settle();
  expect(called()).toEqual(['10.0.0.1']);
  await write();
});
test('a proxy that no inventory has any more keeps its listeners until its callers have heard', async () => {
  const { plane, write, settle } = await began();
  const notAfter = Date.now() + 60_000;
  plane.connect({ instance: 'page-1', workload: page, principal: pagePrincipal, notAfter, proof: 'pod' }, '1.40.0', () => undefined);
  await settle();
  await write(); // into its first wave
  const listeners = (): number => (plane.configOf('page-1') as { readonly listeners: readonly unknown[] }).listeners.length; // of the test's own making
  const before = listeners();
  expect(before).toBeGreaterThan(0);
  plane.setInventory({ instances: [] });
  await settle();
  expect(listeners()).toBe(before);
  const later = Date.now() + leavingMs;
  const clock = jest.spyOn(Date, 'now').mockImplementation(() => later);
  await settle();
  expect(listeners()).toBe(0);
  clock.mockRestore();
  await write();
});
test('endpoints that cannot be said are reported, and the last good ones stay; the roll-out is not to blame', async () => {
  const { plane, settle, write } = await began();
  const at = (host: string, weight: number) => ({ id: host, workload: reviews, weight, app: {}, inbound: { web: { host, port: 9080 } } });
  const notAfter = Date.now() + 60_000;
  plane.connect({ instance: 'page-1', workload: page, principal: pagePrincipal, notAfter, proof: 'pod' }, '1.40.0', () => undefined);
  const seen = async (...called: readonly ReturnType<typeof at>[]) => {
    plane.setInventory({ instances: [...inventory.instances, ...called] });
    await settle();
    const one = plane.status.proxies.find(({ instance }) => instance === 'page-1');
    return [JSON.stringify(plane.configOf('page-1')).match(/10\.0\.0\.\d/g) ?? [], one?.lastError, one?.parts.outbound.phase];
  };
  expect(await seen(at('10.0.0.1', 2))).toEqual([['10.0.0.1'], null, 'none']);
  expect(await seen(at('10.0.0.1', 2), at('10.0.0.2', 1.5))).toEqual([
    ['10.0.0.1'],
    expect.stringMatching(/^`shop\/reviews\.web` of `the inventory` cannot be encoded: /),
    'none',
  ]);
  expect(await seen(at('10.0.0.1', 2), at('10.0.0.2', 3))).toEqual([['10.0.0.1', '10.0.0.2'], null, 'none']);
  await write();
});
test('nothing counts before it is written: until then, and when it could not be, everybody is served by the decision before', async () => {
  const { plane, signed, hear, write } = await began();
  await hear(signed.digest, 'stable');
  expect(plane.status.state).toBe('unproven');
  expect(await write(new Error('the API server is away'))).toBe('rolling');
  expect(plane.status.state).toBe('unproven');
});
test('one that does not lead decides nothing', async () => {
  const { signed, hear, write } = await began({ leads: () => false });
  await hear(signed.digest, 'candidate');
  expect(await write()).toBe('nothing');
});
test('secrets that do not serve are in the status while their agent says so, also where another replica has its connection', async () => {
  const { plane, remote, told, signed, settle, write } = await began();
  const secrets = [{ kind: 'certificate', name: 'platform/edge-tls', state: 'missing', reason: 'there is none' }] as const;
  const shown = () => plane.status.proxies.find(({ instance }) => instance === 'page-1')?.secrets;
  const away = { ...told(signed.digest, 'stable'), secrets };
  plane.remoteChanged([away], remote.put('other', [away], []));
  await settle();
  expect(shown()).toEqual(secrets);
  remote.drop('other');
  const identity = { instance: 'page-1', workload: page, principal: pagePrincipal, notAfter: Date.now() + 60_000, proof: 'pod' } as const;
  plane.connect(identity, '1.40.0', () => undefined);
  const report: AgentReport = {
    ...{ envoyVersion: '1.40.0', live: true, draining: false, starts: 1, notAfter: identity.notAfter, activity: noActivity },
    secrets,
  };
  plane.report(identity, report);
  await settle();
  expect(shown()).toEqual(secrets);
  expect(plane.local().map((one) => one.secrets)).toEqual([secrets]);
  plane.report(identity, { ...report, secrets: [] });
  await settle();
  expect(shown()).toBeUndefined();
  await write();
});
