import type { Clock } from '../../platform/clock';
import { KubeError, type Kube, type KubeObject } from '../../platform/kube';
import { silentLog } from '../../platform/log';
import { holdLease, isFree, sight, type HeldLease } from './lease';

/** A Lease as the API server has it, with its resource version. */
class FakeServer {
  lease: KubeObject | null = null;
  away = false;
  #version = 0;
  kube(): Kube {
    const write = (object: KubeObject): Promise<KubeObject> => {
      const stated = object.metadata.resourceVersion;
      if (this.lease !== null && stated !== this.lease.metadata.resourceVersion)
        return Promise.reject(new KubeError(409, 'Conflict', 'another'));
      this.lease = { ...object, metadata: { ...object.metadata, resourceVersion: String((this.#version += 1)) } };
      return Promise.resolve(this.lease);
    };
    const guarded = <T>(run: () => Promise<T>): Promise<T> => (this.away ? Promise.reject(new KubeError(0, 'Unreachable', 'away')) : run());
    return {
      get: () => guarded(() => Promise.resolve(this.lease)),
      create: (_resource: unknown, object: KubeObject) => guarded(() => write(object)),
      replace: (_resource: unknown, object: KubeObject) => guarded(() => write(object)),
    } as unknown as Kube;
  }
  get holder(): unknown {
    return (this.lease?.['spec'] as { readonly holderIdentity?: string } | undefined)?.holderIdentity;
  }
}
/** Time that moves by hand: whoever sleeps is woken when it is due. */
class HandClock implements Clock {
  #now = 0;
  readonly #sleepers = new Set<{ readonly at: number; readonly wake: () => void }>();
  now = (): number => this.#now;
  monotonic = (): number => this.#now;
  sleep = (ms: number, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> =>
    new Promise((resolve, reject) => {
      const sleeper = { at: this.#now + ms, wake: resolve };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', () => reject(signal.reason));
    });
  async pass(ms: number): Promise<void> {
    for (const until = this.#now + ms; this.#now < until;) {
      this.#now += 50;
      for (const sleeper of this.#sleepers) {
        if (sleeper.at > this.#now) continue;
        this.#sleepers.delete(sleeper);
        sleeper.wake();
      }
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    }
  }
}

const lastsMs = 4_000;
let clock: HandClock;
let server: FakeServer;
let held: HeldLease[];
const replica = (identity: string): HeldLease => {
  const made = holdLease(
    server.kube(),
    { namespace: 'meshwright', name: 'control-plane-prod', identity, address: `${identity}:15010`, lastsMs },
    { clock, log: silentLog, onChange: () => undefined },
  );
  held.push(made);
  return made;
};
beforeEach(() => {
  [clock, server, held] = [new HandClock(), new FakeServer(), []];
});
afterEach(async () => {
  server.away = true;
  await Promise.all(held.map((one) => one.close()));
});

test('one holds it, the other knows who; one that gives it back is followed at once', async () => {
  const first = replica('a');
  await clock.pass(100);
  const second = replica('b');
  await clock.pass(5 * lastsMs);
  expect([first.leads(), second.leads(), second.leader()]).toEqual([true, false, { identity: 'a', address: 'a:15010' }]);
  expect([first.writer()?.startsWith('a/'), second.writer()]).toEqual([true, null]);
  await first.close();
  expect(server.holder).toBe('');
  await clock.pass(lastsMs / 4);
  expect([second.leads(), second.leader()?.identity]).toEqual([true, 'b']);
});
test('one that hangs is taken over from when its lease has lapsed, and had ceased to lead before', async () => {
  const hung = replica('a');
  await clock.pass(100);
  // What `a` renews does not arrive any more; `b` has another way to the server.
  const kube = server.kube();
  const other = holdLease(
    kube,
    { namespace: 'meshwright', name: 'control-plane-prod', identity: 'b', address: 'b:1', lastsMs },
    { clock, log: silentLog, onChange: () => undefined },
  );
  await clock.pass(100);
  await hung.close().catch(() => undefined); // ends its loop without giving back what it could
  server.lease = server.lease && { ...server.lease, spec: { ...(server.lease['spec'] as object), holderIdentity: 'a', renewTime: 'x' } };
  await clock.pass(lastsMs - 500);
  expect(other.leads()).toBe(false);
  await clock.pass(lastsMs);
  expect([other.leads(), server.holder]).toEqual([true, 'b']);
  await other.close();
});
test('with the server away nobody leads after the lease, and the same one does again when it is back; in a term of its own only if another led', async () => {
  const only = replica('a');
  await clock.pass(100);
  const writer = only.writer();
  server.away = true;
  await clock.pass(lastsMs);
  expect([only.leads(), only.writer()]).toEqual([false, null]);
  server.away = false;
  await clock.pass(lastsMs / 2);
  expect([only.leads(), only.writer()]).toEqual([true, writer]);
  only.overtaken();
  expect(only.leads()).toBe(false);
  await clock.pass(lastsMs / 2);
  expect(only.leads()).toBe(true);
  expect(only.writer()).not.toBe(writer);
});
test('a lease has lapsed when it was seen unchanged for as long as it lasts: clocks are not compared', () => {
  const lease = (renewTime: string): KubeObject => ({
    metadata: { name: 'x' },
    spec: { holderIdentity: 'a', renewTime, leaseDurationSeconds: 10 },
  });
  const first = sight(null, lease('2001-01-01T00:00:00.000000Z'), 1_000);
  expect(isFree(first, 'b', 1_000)).toBe(false);
  const same = sight(first, lease('2001-01-01T00:00:00.000000Z'), 11_000);
  expect([isFree(same, 'b', 10_999), isFree(same, 'b', 11_000), isFree(same, 'a', 2_000)]).toEqual([false, true, true]);
  expect(isFree(sight(same, lease('2001-01-01T00:00:10.000000Z'), 11_000), 'b', 11_000)).toBe(false);
});
