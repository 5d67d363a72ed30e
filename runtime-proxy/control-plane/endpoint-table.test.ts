/** Endpoints of many callers: what a change costs is counted, and what comes of many changes is what a control plane that has just begun would say. */
import type { SignedObject, SignedRelease } from '../../core/bundle/objects';
import { workloadKey } from '../../core/mesh/ids';
import { beginRollout } from '../../core/rollout/rollout';
import { silentLog } from '../../platform/log';
import { seeded } from '../../test/kit/random';
import { newTestSigner, signTestObject, signTestRelease, testRelease } from '../../test/kit/signing';
import { objectsOf } from '../../test/kit/small-mesh';
import { starCaller, starEndpoint, starMesh, starPort, starPrincipal } from '../../test/kit/star-mesh';
import type { AgentReport } from '../agent/protocol';
import type { PeerIdentity } from '../ca/spiffe';
import type { Instance } from '../inventory';
import { Plane } from './plane';
import type { SentResponse } from './proxy-link';
import { RemoteProxies, type RemoteProxy } from './remote';
import { planOf, type Live, type Seen, type Store } from './store';

let assignments = 0;
jest.mock('../bind/endpoints', () => {
  const real = jest.requireActual<typeof import('../bind/endpoints')>('../bind/endpoints');
  return { ...real, assignment: (...given: Parameters<typeof real.assignment>) => ((assignments += 1), real.assignment(...given)) };
});

const [callers, services, fanOut] = [8, 6, 3];
const caller = (index: number): Instance => ({
  ...{ id: `c${index}`, workload: starCaller(index % callers), zone: `z${index % 2}`, app: {}, inbound: {} },
  outbound: { host: '127.0.0.1', port: 15_001 },
});
/** One with a proxy, which may be called through it. */
const served = (service: number, index: number): Instance =>
  starEndpoint(service, index, {
    ...{ endpointOnly: false, app: { web: { host: '127.0.0.1', port: 8_080 } } },
    outbound: { host: '127.0.0.1', port: 15_001 },
  });
let signed: SignedRelease;
const known = new Map<string, SignedObject>();
const open: Plane[] = [];
beforeAll(async () => {
  const objects = objectsOf(starMesh(callers, services, fanOut));
  const signer = await newTestSigner();
  for (const object of objects) {
    const one = await signTestObject(signer, object, 'prod');
    known.set(one.digest, one);
  }
  signed = await signTestRelease(signer, testRelease(objects));
});
afterEach(() => Promise.all(open.splice(0).map((plane) => plane.close())));

function began() {
  let live: Live = { signed, progress: { ...beginRollout(planOf(signed), 1), phase: { kind: 'converged', at: 1 } } };
  let seen: ReadonlyMap<string, Seen> = new Map();
  const store: Store = {
    object: (digest) => known.get(digest),
    putObject: () => Promise.resolve(),
    deleteObject: () => Promise.resolve(false),
    live: () => live,
    isDamaged: () => false,
    setLive: (next) => ((live = next), Promise.resolve()),
    seen: () => seen,
    setSeen: (next) => ((seen = next), Promise.resolve()),
  };
  const remote = new RemoteProxies();
  const events = { onStatus: () => undefined, onTurn: () => undefined, onNack: () => undefined };
  const plane = new Plane('prod', store, silentLog, () => 1_000, events, { leads: () => true, remote, settles: true });
  open.push(plane);
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 2; turn += 1)
      await new Promise<void>((resolve) => {
        const stop = plane.afterTurn(() => (stop(), resolve()));
        plane.touch();
      });
  };
  return { plane, remote, settle };
}
const identity = (instance: Instance, principal = starPrincipal(instance.workload)): PeerIdentity => ({
  ...{ instance: instance.id, workload: instance.workload, principal, notAfter: 1_000_000, proof: 'pod' as const },
});
const report = (instance: Instance, live: boolean): AgentReport => ({
  ...{ envoyVersion: '1.40.0', live, draining: false, starts: 1, notAfter: 1_000_000 },
  secrets: [],
  activity: {
    ...{ listeners: { [`inbound/${instance.workload}.web`]: 'v' }, routes: {}, clusters: {}, hosts: {} },
    ...{ warming: 0, draining: 0, drainingListeners: [] },
  },
});
const endpointsOf = (plane: Plane, name: string): unknown => (plane.configOf(name) as { readonly endpoints: unknown } | null)?.endpoints;

test('one endpoint that changes is one assignment, however many call it, and nothing at all to those who do not', async () => {
  const { plane, settle } = began();
  const instances = [
    ...Array.from({ length: 40 }, (_, index) => caller(index)),
    ...Array.from({ length: services }, (_, service) => starEndpoint(service, 0)),
  ];
  plane.setInventory({ instances });
  const told = new Map<string, string[]>();
  const links = instances.slice(0, 40).map((instance) => {
    const sent: string[] = [];
    told.set(instance.id, sent);
    const write = ({ type, nonce, added }: SentResponse): void => {
      sent.push(...added.map(({ name }) => `${type} ${name}`));
      queueMicrotask(() => link.answer(type, nonce, null));
    };
    const link = plane.connect(identity(instance), '1.40.0', write);
    link.subscribe('clusters', { subscribe: [], unsubscribe: [], brings: new Map() });
    link.subscribe('endpoints', {
      subscribe: Array.from({ length: services }, (_, service) => starPort(service)),
      unsubscribe: [],
      brings: new Map(),
    });
    return link;
  });
  await settle();
  expect(links.every(({ target }) => target?.resources.endpoints.size === 0)).toBe(false);
  for (const sent of told.values()) sent.length = 0;
  assignments = 0;
  plane.setInventory({ instances: instances.map((one) => ({ ...one, ...(one.id === 's2-0' ? { weight: 7 } : {}) })) });
  await settle();
  expect(assignments).toBe(1);
  const callsIt = [2, 3, 4];
  for (const [name, sent] of told)
    expect([name, sent]).toEqual([name, callsIt.includes(Number(name.slice(1)) % callers) ? [`endpoints ${starPort(2)}`] : []]);
});

test('what is kept of an endpoint that changes over and over is what is in force', async () => {
  const { plane, settle } = began();
  plane.connect(identity(caller(2)), '1.40.0', () => undefined);
  const change = (weight: number): void =>
    plane.setInventory({ instances: [caller(2), ...Array.from({ length: 20 }, (_, index) => starEndpoint(2, index, { weight }))] });
  change(1);
  await settle();
  const before = plane.encodedResources;
  for (let weight = 2; weight < 400; weight += 1) {
    change(weight);
    await settle();
  }
  expect(plane.encodedResources).toBe(before);
});

test.each([1, 2, 3])('after whatever happened everybody is given what a control plane that begins now would give (%i)', async (seed) => {
  const random = seeded(seed);
  const { plane, remote, settle } = began();
  const everyone = [
    ...Array.from({ length: 10 }, (_, index) => caller(index)),
    ...Array.from({ length: 18 }, (_, index) => served(index % services, index)),
  ];
  let there: readonly Instance[] = everyone;
  let away: readonly RemoteProxy[] = [];
  const links = new Map<string, { readonly link: ReturnType<Plane['connect']>; readonly as: PeerIdentity }>();
  const reports = new Map<string, AgentReport>();
  const pick = (): Instance => random.pick(everyone);
  const join = (as: PeerIdentity, to: Plane): ReturnType<Plane['connect']> => to.connect(as, '1.40.0', () => undefined);
  const events: readonly (() => void)[] = [
    () => {
      const { id } = pick();
      there = everyone.flatMap((one) => (one.id !== id ? one : random.chance(50) ? [] : { ...one, weight: random.below(9) + 1 }));
      plane.setInventory({ instances: there });
    },
    () => {
      const { id } = pick();
      there = there.map((one) =>
        one.id === id ? { ...one, zone: `z${random.below(3)}`, ...(random.chance(50) ? { away: ['web'] } : {}) } : one,
      );
      plane.setInventory({ instances: there });
    },
    () => {
      const one = pick();
      const as = identity(one, random.chance(30) ? starPrincipal(workloadKey('shop', 'stranger')) : undefined);
      links.set(one.id, { link: join(as, plane), as });
    },
    () => {
      const [name, one] = random.pick([...links, ['', null] as const]);
      if (one) plane.disconnect(one.link);
      links.delete(name);
    },
    () => {
      const one = pick();
      reports.set(one.id, report(one, random.chance(60)));
      plane.report(identity(one), reports.get(one.id) ?? null);
    },
    () => {
      const [name] = random.pick([...reports, ['', null] as const]);
      const one = everyone.find(({ id }) => id === name);
      if (one) plane.report(identity(one), null);
      reports.delete(name);
    },
    () => {
      const one = pick();
      const part = { set: 'candidate', phase: 'active' } as const;
      const serving = random.chance(50) ? [] : [`inbound/${one.workload}.web`];
      const next: RemoteProxy = {
        ...{ ...identity(one), release: signed.digest, parts: { inbound: part, outbound: part }, lastError: null },
        ...{ envoyVersion: '1.40.0', responses: 1, secrets: [], unconfigured: false, serving },
      };
      away = [...away.filter(({ instance }) => instance !== one.id), next];
      plane.remoteChanged([next], remote.put('other', [next], []));
    },
    () => {
      away = [];
      remote.drop('other');
      plane.remoteChanged([], true);
    },
  ];
  plane.setInventory({ instances: there });
  await settle();
  for (let step = 0; step < 40; step += 1) {
    for (let count = random.below(3); count >= 0; count -= 1) random.pick(events)();
    await settle();
    const fresh = began();
    await fresh.plane.store.setSeen(plane.store.seen());
    fresh.remote.put('other', away, []);
    fresh.plane.setInventory({ instances: there });
    for (const { as } of links.values()) join(as, fresh.plane);
    for (const [name, said] of reports) for (const one of everyone) if (one.id === name) fresh.plane.report(identity(one), said);
    await fresh.settle();
    for (const name of links.keys()) expect([step, name, endpointsOf(plane, name)]).toEqual([step, name, endpointsOf(fresh.plane, name)]);
    await fresh.plane.close();
  }
});
