/** What the plane keeps of one instance, connected here or not, and what it comes to: for the roll-out, for people, for other replicas. */
import type { EndpointSelector, Part } from '../../core/bundle/objects';
import type { ProxyPhase } from '../../core/bundle/status';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { enforce } from '../../core/diagnostics/enforce';
import type { Digest } from '../../core/lib/digest';
import type { Observation, SetName } from '../../core/rollout/rollout';
import type { AgentReport } from '../agent/protocol';
import type { Instance } from '../inventory';
import type { ProxyLink } from './proxy-link';
import type { RemoteProxy, Serving } from './remote';
import type { KnownProxy } from './status';
import type { Seen } from './store';

export interface Entry {
  readonly instance: string;
  link: ProxyLink | null;
  report: AgentReport | null;
  /** Envoy's own word on its version, before the agent's. */
  envoyVersion: string | null;
  sets: { readonly [part in Part]: SetName };
  trouble: Diagnostic | null;
  /** What cannot be said of endpoints: it keeps those it has, and nothing of the roll-out is to blame. */
  endpointTrouble: readonly Diagnostic[];
  concerned: { readonly [part in Part]: boolean };
  unconfigured: boolean;
  /** What it takes calls for, as far as its agent has said. */
  serving: Serving;
  /** What its clusters are filled by. */
  selectors: readonly EndpointSelector[];
  /** What its link was aimed by last, endpoints apart. */
  aimed: readonly unknown[];
}
export const bothStable = { inbound: 'stable', outbound: 'stable' } as const;

export const newEntry = (instance: string): Entry => ({
  instance,
  link: null,
  report: null,
  envoyVersion: null,
  sets: bothStable,
  trouble: null,
  endpointTrouble: [],
  concerned: { inbound: false, outbound: false },
  unconfigured: false,
  serving: null,
  selectors: [],
  aimed: [],
});

/** The agent's word on its Envoy's version, else Envoy's own. */
export const versionOf = ({ report, envoyVersion }: Entry): string | null => report?.envoyVersion || envoyVersion;
export const errorOf = ({ trouble, endpointTrouble: [first], link }: Entry): string | null =>
  trouble?.message ?? first?.message ?? link?.lastError ?? null;

/** How far a part came. What cannot be bound can never become active; what this Envoy is not for, or `settles` by itself, is waited for. */
export function phaseOf({ trouble, link }: Entry, part: Part, settles: boolean): ProxyPhase {
  if (trouble === null) return link?.phase(part) ?? 'none';
  const isWaitedFor = trouble.code === enforce.envoyOutOfRange.code || (settles && trouble.code === enforce.unboundSymbol.code);
  return isWaitedFor ? 'none' : 'rejected';
}

/** Takes what an agent says, null when its stream has ended. Answers whether it began or ceased to take calls. */
export function noteReport(entry: Entry, report: AgentReport | null): boolean {
  entry.report = report;
  entry.link?.observe(report);
  const serving = servingAfter(entry, report);
  if (serving?.join() === entry.serving?.join()) return false;
  entry.serving = serving;
  return true;
}
/** A listener that is being replaced takes calls meanwhile. */
function servingAfter({ serving, link }: Entry, report: AgentReport | null): Serving {
  if (report === null) return null;
  if (!report.live || report.draining) return [];
  const told = Object.keys(report.activity.listeners);
  return [...told, ...(serving ?? []).filter((name) => !told.includes(name) && link?.isReplaced(name) === true)].sort();
}

/** What the roll-out goes by of one part: here, or (`told`) as the replica says that has its connection. */
export function partOf(
  entry: Entry,
  part: Part,
  settles: boolean,
  away: RemoteProxy | undefined,
  release: Digest | null,
): Observation['parts'][Part] {
  const concerned = entry.concerned[part];
  if (!away) return { concerned, set: entry.sets[part], phase: phaseOf(entry, part, settles) };
  // What another replica says of a proxy is about the release that it serves by.
  return { concerned, ...(away.release === release ? away.parts[part] : { set: 'stable', phase: 'none' }) };
}

/** What other replicas are told of a proxy that is connected here; null: it is not. */
export function toldOf(entry: Entry, release: Digest | null, settles: boolean): RemoteProxy | null {
  const { link } = entry;
  if (link === null) return null;
  const part = (which: Part): RemoteProxy['parts'][Part] => ({ set: entry.sets[which], phase: phaseOf(entry, which, settles) });
  const { instance, workload, principal, notAfter } = link.identity;
  return {
    ...{ instance, workload, principal, notAfter, release },
    parts: { inbound: part('inbound'), outbound: part('outbound') },
    lastError: errorOf(entry),
    envoyVersion: versionOf(entry),
    responses: link.responses,
    unconfigured: entry.unconfigured,
    serving: entry.serving,
    secrets: entry.report?.secrets ?? [],
  };
}

/** What people are told of it. `away`: as another replica says, where it is not connected here. */
export function knownOf(
  entry: Entry,
  observation: Observation,
  away: RemoteProxy | undefined,
  seen: Seen | undefined,
  place: Instance | undefined,
): KnownProxy {
  const who = entry.link?.identity ?? away ?? seen;
  return {
    observation,
    workload: who?.workload ?? place?.workload ?? '',
    principal: who?.principal ?? '',
    ...(away
      ? { envoyVersion: away.envoyVersion, responses: away.responses, unconfigured: away.unconfigured, secrets: away.secrets }
      : {
          envoyVersion: versionOf(entry),
          responses: entry.link?.responses ?? 0,
          unconfigured: entry.unconfigured && entry.link !== null,
          secrets: entry.report?.secrets ?? [],
        }),
  };
}
