/**
 * What an agent says of its Envoy, look by look. The admin interface is answered by Envoy's main thread, requests by its workers: silence of the one says
 * nothing of the others, so the workers are asked themselves before anything is taken back.
 */
import * as tls from 'node:tls';
import { canonicalJson } from '../../core/lib/json';
import { reasonOf } from '../../core/lib/reason';
import type { Log } from '../../platform/log';
import type { Address } from '../inventory';
import type { Acknowledged, EnvoyAdmin } from './envoy-admin';
import { noActivity, type AgentReport } from './protocol';

export type Look = Pick<AgentReport, 'envoyVersion' | 'live' | 'activity'>;
interface Looked {
  readonly admin: Pick<EnvoyAdmin, 'state' | 'activity' | 'doors' | 'facesOutside'>;
  readonly acknowledged: () => Acknowledged;
  /** Which life of Envoy this is; null: none runs. */
  readonly life: () => number | null;
  /** Called when it has proved to be up. */
  readonly isUp: () => void;
  /** Whether somebody answers there. */
  readonly knock: (door: Address) => Promise<boolean>;
  readonly log: Log;
}

const down: Look = { envoyVersion: '', live: false, activity: noActivity };
/** So many looks in a row that nobody answers, neither admin nor workers, are believed. */
const patience = 3;

/**
 * Answers how to look. An Envoy that has ended is down at once; one that runs and is silent is as it was seen last as long as a worker of it answers at a
 * door, and down after `patience` looks that nobody answers.
 */
export function watchEnvoy({ admin, acknowledged, life, isUp, knock, log }: Looked): () => Promise<Look> {
  let last: { readonly life: number; readonly look: Look; readonly listeners: string; readonly doors: readonly Address[] } | null = null;
  let silences = 0;
  return async () => {
    const now = life();
    try {
      if (now === null) throw new Error('no Envoy runs');
      const { state, version } = await admin.state();
      // asked before Envoy is looked at: what it acknowledged by then is what it shows
      const taken = acknowledged();
      const activity = await admin.activity(taken);
      const listeners = canonicalJson(activity.listeners);
      const before = last?.life === now ? last : null;
      // what it serves is known, wherever it could be asked later: where that cannot be said now it is asked for again
      const facesOutside = Object.keys(activity.listeners).some((name) => name.startsWith('gateway/'));
      const doors =
        before?.listeners === listeners
          ? before.doors
          : await Promise.all([admin.doors(), admin.facesOutside(facesOutside)]).then(
              ([found]) => found,
              () => null,
            );
      const live = state === 'LIVE';
      if (live) isUp();
      silences = 0;
      last = {
        ...{ life: now, look: { envoyVersion: version, live, activity } },
        ...(doors === null ? { listeners: '', doors: before?.doors ?? [] } : { listeners, doors }),
      };
      return last.look;
    } catch (error) {
      log.debug({ reason: reasonOf(error) }, 'cannot look at Envoy');
      const known = last;
      if (known === null || known.life !== now) return down;
      const answers = (await Promise.all(known.doors.map((door) => knock(door)))).some(Boolean);
      if (life() !== now) return down; // it ended while it was asked
      silences = answers ? 0 : silences + 1;
      if (silences === patience) log.warn({ looks: silences }, 'Envoy runs, and nobody answers in it: callers are sent elsewhere');
      return silences < patience ? known.look : down;
    }
  };
}

const knockMs = 2_000;
/** Begins a TLS handshake: whatever comes of it, bytes or an end, comes from a worker. A connection alone is made by the kernel. */
export function knockAt({ host, port }: Address, withinMs = knockMs): Promise<boolean> {
  return new Promise((resolve) => {
    let connected = false;
    const socket = tls.connect({ host, port, rejectUnauthorized: false });
    const done = (answers: boolean): void => {
      clearTimeout(late);
      socket.destroy();
      resolve(answers);
    };
    const late = setTimeout(() => done(false), withinMs);
    socket.once('connect', () => (connected = true));
    socket.once('secureConnect', () => done(true));
    socket.on('error', () => done(connected));
  });
}
