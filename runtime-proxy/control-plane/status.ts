/** The roll-out as people and programs see it. */
import type { RolloutState, RolloutStatus, ProxyPhase, SecretTrouble } from '../../core/bundle/status';
import { assertNever } from '../../core/lib/brand';
import type { Part } from '../../core/bundle/objects';
import { waitingFor, type Observation, type RolloutPhase } from '../../core/rollout/rollout';
import { planOf, type Live } from './store';

export interface KnownProxy {
  readonly observation: Observation;
  readonly workload: string;
  readonly principal: string;
  readonly envoyVersion: string | null;
  readonly responses: number;
  readonly unconfigured: boolean;
  readonly secrets: readonly SecretTrouble[];
}

/** Before any release. */
export const emptyStatus = (environment: string, now: number): RolloutStatus => ({
  environment,
  generation: 0,
  release: null,
  commit: null,
  state: 'idle',
  step: null,
  steps: 0,
  wave: null,
  message: 'no release is in force: every proxy denies everything',
  proxies: [],
  updatedAt: now,
  startedAt: null,
  convergedAt: null,
});

export function statusOf(environment: string, live: Live | null, known: readonly KnownProxy[], now: number): RolloutStatus {
  const proxies = known.map(({ observation, workload, principal, envoyVersion, responses, unconfigured, secrets }) => {
    const part = (which: Part): { set: 'stable' | 'candidate'; phase: ProxyPhase } => ({
      set: observation.parts[which].set,
      phase: observation.presence === 'unknown' ? 'unknown' : observation.parts[which].phase,
    });
    return {
      instance: observation.instance,
      workload,
      principal,
      connected: observation.presence === 'connected',
      envoyVersion,
      parts: { inbound: part('inbound'), outbound: part('outbound') },
      concerned: observation.parts.inbound.concerned || observation.parts.outbound.concerned,
      responses,
      lastError: unconfigured
        ? `unconfigured: no policy is in force for \`${workload}\` as \`${principal}\` at this place in the inventory`
        : observation.lastError,
      ...(secrets.length === 0 ? {} : { secrets }),
    };
  });
  if (live === null) return { ...emptyStatus(environment, now), proxies };
  const { release, digest } = live.signed;
  const { phase, startedAt } = live.progress;
  const at = 'step' in phase ? phase : null;
  return {
    environment,
    generation: release.generation,
    release: digest,
    commit: release.commit,
    state: stateOf(phase),
    step: at?.step ?? null,
    steps: Math.max(1, release.steps.length),
    wave: at?.wave ?? null,
    message: messageOf(
      live,
      known.map((one) => one.observation),
    ),
    proxies,
    updatedAt: now,
    startedAt,
    convergedAt: phase.kind === 'converged' ? phase.at : null,
    inForce: phase.kind === 'converged' ? 'candidate' : 'stable',
  };
}

const stateOf = (phase: RolloutPhase): RolloutState => phase.kind;

function messageOf(live: Live, observations: readonly Observation[]): string {
  const { progress, signed } = live;
  const { phase } = progress;
  switch (phase.kind) {
    case 'converged': {
      const concerned = observations.filter((seen) => seen.parts.inbound.concerned || seen.parts.outbound.concerned).length;
      return concerned === 0 ? 'no proxy is concerned' : 'every proxy concerned that is there has it active';
    }
    case 'aborted':
      return `aborted, everything is back to stable: ${phase.reason}`;
    case 'unproven':
      return 'no proxy that it concerns is connected: nothing has confirmed it yet';
    case 'holding':
      return `wave ${phase.wave + 1} of step ${phase.step + 1} is active and held for a while`;
    case 'rolling': {
      const waiting = waitingFor(planOf(signed), progress, observations);
      const [first] = waiting;
      const rest = waiting.length > 1 ? ` and ${waiting.length - 1} more` : '';
      return first ? `waiting for \`${first.instance}\`, which ${first.why}${rest}` : 'moving on';
    }
    default:
      return assertNever(phase);
  }
}
