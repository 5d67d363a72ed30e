/** The roll-out as the Release's status tells it, beside Pulumi's waiting: each proxy in trouble, each wave, and an ending that Pulumi cannot see. */
import { meshNamespace } from '../../core/bundle/custom-resource';
import type { SignedRelease } from '../../core/bundle/objects';
import type { ReleaseCondition, ReleaseStatusResource } from '../../core/bundle/release-status';
import { deploy as said } from '../../core/diagnostics/deploy';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { resources, type Kube, type KubeObject } from '../../platform/kube';

export interface ProgressTeller {
  /** A line that stays. */
  readonly say: (line: string) => void;
  /** A line that the next one replaces. */
  readonly show: (line: string) => void;
}
export interface RolloutProgressWatch {
  /** What the status said last; empty before anything. */
  lastWord(): string;
  close(): void;
}

/** How long a control plane without any proxy is given to see one. */
const proofMs = 1_500;

/**
 * Follows a release until closed. `onEnd` is called at most once: the roll-out was aborted, the release was refused, another one took its place (errors), or
 * there is no proxy to prove it (a warning).
 */
export function followRollout(
  kube: Kube,
  { release, digest }: SignedRelease,
  { say, show }: ProgressTeller,
  onEnd: (diagnostic: Diagnostic) => void,
): RolloutProgressWatch {
  const told = new Map<string, string>();
  let [place, last, taken, ended] = ['', '', false, false];
  let unproven: NodeJS.Timeout | undefined;
  const end = (diagnostic: Diagnostic): void => {
    if (!ended) onEnd(diagnostic);
    ended = true;
  };
  const take = (resource: KubeObject): void => {
    if (digestOf(resource) !== digest) {
      const generation = generationOf(resource);
      if (taken && generation > release.generation) end(said.superseded({ generation: release.generation, by: generation }));
      return;
    }
    taken = true;
    const status = statusOf(resource);
    if (!status || status.observedGeneration !== resource.metadata.generation) return;
    last = status.message === '' ? status.state : status.message;
    const here =
      status.step === undefined
        ? ''
        : `step ${status.step + 1} of ${status.steps}${status.wave === undefined ? '' : `, wave ${status.wave + 1}`}`;
    if (here !== '' && here !== place) say(here);
    place = here;
    for (const { instance, phase, error } of status.trouble ?? []) {
      const line = error === undefined ? phase : `${phase}: ${error}`;
      if (told.get(instance) !== line) say(`${instance}: ${line}`);
      told.set(instance, line);
    }
    show(`${here === '' ? '' : `${here}, `}${counted(status)}${status.message === '' ? '' : `: ${status.message}`}`);
    const is = (type: ReleaseCondition['type'], value: ReleaseCondition['status']): boolean =>
      status.conditions.some((one) => one.type === type && one.status === value);
    if (is('Aborted', 'True')) end(said.rolloutAborted({ generation: release.generation, reason: abortReason(status) }));
    else if (is('Accepted', 'False')) end(said.releaseRefused({ reason: last }));
    if (status.state !== 'unproven' || status.proxies.total > 0) clearTimeout(unproven);
    else unproven ??= setTimeout(() => end(said.unproven({ generation: release.generation })), proofMs);
  };
  const follower = kube.follow(
    resources.releases,
    { namespace: meshNamespace, fieldSelector: `metadata.name=${release.environment}`, onTrouble: (error) => show(error.message) },
    () => {
      for (const resource of follower.items().values()) take(resource);
    },
  );
  return {
    lastWord: () => last,
    close: () => {
      clearTimeout(unproven);
      follower.close();
    },
  };
}

function counted({ proxies }: ReleaseStatusResource): string {
  return proxies.concerned === 0 ? 'no proxy is concerned' : `${proxies.active} of ${proxies.concerned} proxies active`;
}

/** What the decision says; the message may still be about what was waited for a moment before. */
function abortReason({ progress, message, trouble }: ReleaseStatusResource): string {
  const reason = (progress?.phase.kind === 'aborted' ? progress.phase.reason : message).replace(/^aborted\b[,:]? */, '');
  const rejected = trouble?.find(({ error }) => error !== undefined);
  if (!rejected || reason.includes(rejected.instance)) return reason;
  return `${reason} (${rejected.instance}: ${rejected.error})`;
}

function digestOf({ proof }: KubeObject): unknown {
  return typeof proof === 'object' && proof !== null && 'digest' in proof ? proof.digest : undefined;
}
function generationOf({ spec }: KubeObject): number {
  return typeof spec === 'object' && spec !== null && 'generation' in spec && typeof spec.generation === 'number' ? spec.generation : 0;
}

/** The status, as far as it has the form that the control plane writes; anything else counts as none yet. */
export function statusOf({ status }: KubeObject): ReleaseStatusResource | null {
  if (typeof status !== 'object' || status === null) return null;
  const { observedGeneration, state, message, proxies, conditions } = status as Partial<ReleaseStatusResource>;
  const formed =
    typeof observedGeneration === 'number' &&
    typeof state === 'string' &&
    typeof message === 'string' &&
    typeof proxies === 'object' &&
    Array.isArray(conditions);
  return formed ? (status as ReleaseStatusResource) : null;
}
