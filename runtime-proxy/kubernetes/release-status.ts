/** `status` of a Release, from what the plane knows of the roll-out and what was decided: pure. */
import type { ConvergenceSummary, ReleaseCondition, ReleaseStatusResource } from '../../core/bundle/release-status';
import type { ProxyStatus, RolloutStatus } from '../../core/bundle/status';
import { digestOfJson, isDigest, type Digest } from '../../core/lib/digest';
import type { RolloutProgress } from '../../core/rollout/rollout';
import { recordIn, recordsIn, textIn } from './pod';

/** Where the Release that lies in the API stands. */
export type Standing =
  | { readonly kind: 'in-force' }
  /** Verified, and not all of its objects are there: what was in force before stays. */
  | { readonly kind: 'waits'; readonly why: string }
  /** It does not verify, or does not follow what is in force. */
  | { readonly kind: 'refused'; readonly why: string };

export interface StatusInput {
  /** `metadata.generation` of the Release. */
  readonly observedGeneration: number;
  readonly standing: Standing;
  /** The decision in force; null when there is none yet. It may be about the release before. */
  readonly progress: RolloutProgress | null;
  /** The roll-out as the plane sees it. */
  readonly status: RolloutStatus;
  readonly before: BeforeStatus;
  readonly writer: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}
/** What of the status before counts for the next one. */
export interface BeforeStatus {
  readonly converged: Digest | null;
  readonly conditions: readonly { readonly type: string; readonly status: string; readonly lastTransitionTime: string }[];
}

const mostTrouble = 20;
const longestMessage = 1024;

/** The status to write. Times move only where a condition does. */
export function releaseStatusOf({
  observedGeneration,
  standing,
  progress,
  status,
  before,
  writer,
  now,
}: StatusInput): ReleaseStatusResource {
  const phase = progress?.phase ?? null;
  const state = phase?.kind ?? 'idle';
  const message = cut(standing.kind === 'in-force' ? status.message : standing.why);
  const trouble = troubleOf(status);
  const converged = phase?.kind === 'converged' ? (progress?.release ?? null) : before.converged;
  const condition = (type: ReleaseCondition['type'], holds: boolean | null, reason: string): ReleaseCondition => {
    const value = holds === null ? 'Unknown' : holds ? 'True' : 'False';
    const old = before.conditions.find((one) => one.type === type);
    const lastTransitionTime = old?.status === value ? old.lastTransitionTime : `${new Date(now).toISOString().slice(0, 19)}Z`;
    return { type, status: value, reason, message, lastTransitionTime, observedGeneration };
  };
  const rolls = standing.kind === 'in-force';
  const stateReason = rolls ? `${state[0]?.toUpperCase() ?? ''}${state.slice(1)}` : 'NotInForce';
  return {
    observedGeneration,
    state,
    ...(phase !== null && 'step' in phase ? { step: phase.step, wave: phase.wave } : {}),
    steps: status.steps,
    message,
    proxies: summaryOf(status.proxies),
    ...(trouble.length > 0 ? { trouble } : {}),
    ...(converged === null ? {} : { converged }),
    ...(progress === null ? {} : { progress }),
    writer,
    conditions: [
      condition(
        'Accepted',
        standing.kind === 'waits' ? null : rolls,
        { 'in-force': 'InForce', waits: 'ObjectsMissing', refused: 'Refused' }[standing.kind],
      ),
      condition('Converged', rolls && state === 'converged', stateReason),
      condition('Aborted', rolls && state === 'aborted', stateReason),
    ],
  };
}

/** What a status that lies in the API says of before; a damaged one says nothing. */
export function beforeIn(status: unknown): BeforeStatus {
  const { converged, conditions } = recordIn(status);
  return {
    converged: typeof converged === 'string' && isDigest(converged) ? converged : null,
    conditions: recordsIn(conditions).map((one) => ({
      type: textIn(one['type']),
      status: textIn(one['status']),
      lastTransitionTime: textIn(one['lastTransitionTime']),
    })),
  };
}

/** Equal for two statuses that say the same. */
export const statusKey = (status: ReleaseStatusResource): string => digestOfJson(status);

/** A pod of which nobody ever saw a proxy is none: most pods of a cluster have no sidecar. */
function summaryOf(all: readonly ProxyStatus[]): ConvergenceSummary {
  const proxies = all.filter(({ connected, principal }) => connected || principal !== '');
  const count = { active: 0, pending: 0, rejected: 0, unknown: 0, unconfigured: 0 };
  for (const proxy of proxies) count[standingOf(proxy)] += 1;
  return { total: proxies.length, concerned: proxies.filter((proxy) => proxy.concerned).length, ...count };
}

function standingOf({ parts, connected, lastError }: ProxyStatus): 'active' | 'pending' | 'rejected' | 'unknown' | 'unconfigured' {
  const phases = [parts.inbound.phase, parts.outbound.phase];
  if (phases.includes('rejected')) return 'rejected';
  if (phases.includes('unknown')) return 'unknown';
  if (lastError?.startsWith('unconfigured')) return 'unconfigured';
  return connected && phases.every((phase) => phase === 'active') ? 'active' : 'pending';
}

/** Who refused it, or holds it while it rolls: the worst part of each. */
function troubleOf({ state, proxies }: RolloutStatus): NonNullable<ReleaseStatusResource['trouble']> {
  return proxies
    .flatMap(({ instance, parts, concerned, lastError }) => {
      const moved = [parts.inbound, parts.outbound];
      const worst =
        moved.find(({ phase }) => phase === 'rejected') ??
        moved.find(({ phase }) => phase === 'unknown') ??
        (state === 'rolling' && concerned ? moved.find(({ set, phase }) => set === 'candidate' && phase !== 'active') : undefined);
      return worst ? [{ instance, phase: worst.phase, ...(lastError === null ? {} : { error: cut(lastError) }) }] : [];
    })
    .sort((a, b) => (a.instance < b.instance ? -1 : 1))
    .slice(0, mostTrouble);
}

const cut = (text: string): string => (text.length > longestMessage ? `${text.slice(0, longestMessage - 1)}…` : text);
