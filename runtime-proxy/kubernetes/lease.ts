/**
 * The one writer among the replicas: a Lease (coordination.k8s.io/v1) that is held, renewed and given back. Clocks of different machines are not compared:
 * a lease has lapsed when it was seen unchanged for as long as it lasts (as client-go has it).
 */
import { randomUUID } from 'node:crypto';
import { reasonOf } from '../../core/lib/reason';
import type { Clock } from '../../platform/clock';
import type { Log } from '../../platform/log';
import { KubeError, resources, type Kube, type KubeObject } from '../../platform/kube';
import { recordIn, textIn } from './pod';

export interface LeaseConfig {
  readonly namespace: string;
  readonly name: string;
  /** Unique among the replicas: the pod's name. */
  readonly identity: string;
  /** `host:port` where the other replicas reach this one. */
  readonly address: string;
  /** How long it lasts without being renewed. */
  readonly lastsMs: number;
}
export interface Leader {
  readonly identity: string;
  readonly address: string;
}
export interface HeldLease {
  /** Whether this replica may write: it holds the lease, and renewed it so lately that nobody can have taken it over. */
  leads(): boolean;
  /** `<identity>/<term>`, another for each time it was acquired; null while it does not lead. */
  writer(): string | null;
  /** Who holds it, as far as was seen; this replica or another; null when nobody does. */
  leader(): Leader | null;
  /** Found by another way that somebody else holds it: looks at once. */
  overtaken(): void;
  /** Gives it back, if it is held. */
  close(): Promise<void>;
}

/** Where the holder is reached. */
export const addressAnnotation = 'meshwright.dev/address';

/** What a lease says, and when it was first seen to say so (monotonic). */
export interface Sighting {
  readonly holder: string;
  readonly address: string;
  readonly renewTime: string;
  readonly lastsMs: number;
  readonly since: number;
}

/** What was seen, with the moment kept as long as nothing changed. */
export function sight(before: Sighting | null, lease: KubeObject, now: number): Sighting {
  const spec = recordIn(lease['spec']);
  const seconds = spec['leaseDurationSeconds'];
  const seen = {
    holder: textIn(spec['holderIdentity']),
    address: lease.metadata.annotations?.[addressAnnotation] ?? '',
    renewTime: textIn(spec['renewTime']),
    lastsMs: typeof seconds === 'number' ? seconds * 1000 : 0,
  };
  const same = before !== null && before.holder === seen.holder && before.renewTime === seen.renewTime;
  return { ...seen, since: same ? before.since : now };
}

/** Whether a lease may be taken: nobody's, one's own, or lapsed. */
export const isFree = (seen: Sighting, identity: string, now: number): boolean =>
  seen.holder === '' || seen.holder === identity || now - seen.since >= seen.lastsMs;

/** Tries for the lease until closed. `onChange` is told when the leader is another one, this replica among them. */
export function holdLease(
  kube: Kube,
  config: LeaseConfig,
  { clock, log, onChange }: { readonly clock: Clock; readonly log: Log; readonly onChange: () => void },
): HeldLease {
  const ref = { namespace: config.namespace, name: config.name };
  const everyMs = config.lastsMs / 4;
  const stop = new AbortController();
  let seen: Sighting | null = null;
  let term: string | null = null;
  /** When the last renewal that went through was asked for (monotonic). */
  let renewed = 0;
  let wake: () => void = () => undefined;
  let told = '';

  const leads = (): boolean => term !== null && clock.monotonic() - renewed < (config.lastsMs * 3) / 4;
  const leader = (): Leader | null => {
    if (leads()) return { identity: config.identity, address: config.address };
    return seen === null || seen.holder === '' || seen.holder === config.identity ? null : { identity: seen.holder, address: seen.address };
  };
  const tell = (): void => {
    const now = `${leads() ? term : ''} ${leader()?.identity ?? ''} ${leader()?.address ?? ''}`;
    if (now === told) return;
    told = now;
    onChange();
  };
  const made = (holder: string, before: KubeObject | null): KubeObject => {
    const spec = recordIn(before?.['spec']);
    const transitions = typeof spec['leaseTransitions'] === 'number' ? spec['leaseTransitions'] : 0;
    const time = `${new Date(clock.now()).toISOString().slice(0, -1)}000Z`; // MicroTime
    const acquired = holder === '' || (term !== null && textIn(spec['acquireTime']) !== '') ? spec['acquireTime'] : time;
    return {
      apiVersion: resources.leases.apiVersion,
      kind: resources.leases.kind,
      metadata: { ...before?.metadata, ...ref, annotations: { ...before?.metadata.annotations, [addressAnnotation]: config.address } },
      spec: {
        holderIdentity: holder,
        leaseDurationSeconds: Math.max(1, Math.round(config.lastsMs / 1000)),
        ...(acquired === undefined ? {} : { acquireTime: acquired }),
        renewTime: time,
        leaseTransitions: transitions + (before !== null && holder !== '' && textIn(spec['holderIdentity']) !== holder ? 1 : 0),
      },
    };
  };
  const turn = async (): Promise<void> => {
    const asked = clock.monotonic();
    const current = await kube.get(resources.leases, ref);
    if (current) {
      seen = sight(seen, current, clock.monotonic());
      if (seen.holder !== config.identity) term = null;
      if (!isFree(seen, config.identity, clock.monotonic())) return;
    }
    const next = made(config.identity, current);
    const written = await (current ? kube.replace(resources.leases, next) : kube.create(resources.leases, next));
    seen = sight(seen, written, clock.monotonic());
    renewed = asked;
    if (term === null) {
      term = `${config.identity}/${randomUUID().slice(0, 8)}`;
      log.info({ lease: config.name, writer: term }, 'this replica leads');
    }
  };
  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        await turn();
      } catch (error) {
        // Somebody was faster, or the server is away: what is held stays held for its time.
        if (!(error instanceof KubeError && error.status === 409)) log.debug({ reason: reasonOf(error) }, 'cannot look after the lease');
      }
      tell();
      const called = new Promise<void>((resolve) => (wake = resolve));
      await Promise.race([called, clock.sleep(everyMs, { signal: stop.signal, unref: true }).catch(() => undefined)]);
    }
  };
  const running = run();
  const watch = setInterval(tell, Math.min(250, everyMs));
  watch.unref();
  return {
    leads,
    writer: () => (leads() ? term : null),
    leader,
    overtaken() {
      term = null;
      wake();
    },
    async close() {
      const held = term !== null;
      stop.abort(new Error('closed'));
      clearInterval(watch);
      await running;
      term = null;
      if (!held) return;
      try {
        const current = await kube.get(resources.leases, ref);
        if (current && textIn(recordIn(current['spec'])['holderIdentity']) === config.identity)
          await kube.replace(resources.leases, made('', current));
      } catch (error) {
        log.debug({ reason: reasonOf(error) }, 'cannot give the lease back: it lapses');
      }
    },
  };
}
