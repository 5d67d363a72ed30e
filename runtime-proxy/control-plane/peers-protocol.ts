/** What replicas of the control plane tell each other, and what one asks the leader for. JSON over gRPC, mTLS; only the control plane's own principal is heard. */
import type { Part } from '../../core/bundle/objects';
import type { ProxyPhase } from '../../core/bundle/status';
import { isDigest } from '../../core/lib/digest';
import { secretTroublesFrom } from '../agent/protocol';
import { isInstanceId, isPrincipal, isWorkloadKey } from '../ca/spiffe';
import { booleanOf, DecodeError, fieldsOf, listOf, numberOf, textOf, type Fields } from '../rpc/decode';
import { jsonMethod } from '../rpc/json-method';
import type { RemoteProxy } from './remote';

/** What changed since the message before, on one stream. */
export interface PeerNews {
  readonly changed: readonly RemoteProxy[];
  /** Instances that are not connected there any more. */
  readonly gone: readonly string[];
}
/** What any replica is asked by its admin API and only the leader answers. */
export type LeaderCall = { readonly kind: 'status' } | { readonly kind: 'abort'; readonly reason: string } | { readonly kind: 'promote' };
export interface LeaderAnswer {
  readonly status: number;
  readonly json: unknown;
}

const phases: readonly ProxyPhase[] = ['none', 'sent', 'acked', 'active', 'rejected', 'unknown'];
const longest = 1 << 20;
const maybeText = (fields: Fields, key: string, max = longest): string | null => (fields[key] === null ? null : textOf(fields, key, max));

function partFrom(value: unknown, name: Part): RemoteProxy['parts'][Part] {
  const { set, phase } = fieldsOf(value, `\`${name}\``);
  const known = phases.find((one) => one === phase);
  if ((set !== 'stable' && set !== 'candidate') || known === undefined) throw new DecodeError(`\`${name}\` says nothing`);
  return { set, phase: known };
}

function proxyFrom(value: unknown): RemoteProxy {
  const fields = fieldsOf(value, 'a proxy');
  const [instance, workload, principal] = [textOf(fields, 'instance'), textOf(fields, 'workload'), textOf(fields, 'principal')];
  if (!isInstanceId(instance) || !isWorkloadKey(workload) || !isPrincipal(principal)) throw new DecodeError('a proxy is nobody');
  const release = maybeText(fields, 'release');
  if (release !== null && !isDigest(release)) throw new DecodeError('`release` is not a digest');
  const parts = fieldsOf(fields['parts'], '`parts`');
  const serving = fields['serving'] === null ? null : listOf(fields, 'serving').filter((name): name is string => typeof name === 'string');
  return {
    ...{ instance, workload, principal, release, serving },
    notAfter: numberOf(fields, 'notAfter', 0, Number.MAX_SAFE_INTEGER),
    parts: { inbound: partFrom(parts['inbound'], 'inbound'), outbound: partFrom(parts['outbound'], 'outbound') },
    lastError: maybeText(fields, 'lastError'),
    envoyVersion: maybeText(fields, 'envoyVersion'),
    responses: numberOf(fields, 'responses', 0, Number.MAX_SAFE_INTEGER),
    unconfigured: booleanOf(fields, 'unconfigured'),
    secrets: secretTroublesFrom(fields),
  };
}
function newsFrom(value: unknown): PeerNews {
  const fields = fieldsOf(value, 'the news');
  return {
    changed: listOf(fields, 'changed').map(proxyFrom),
    gone: listOf(fields, 'gone', 100_000).filter((instance): instance is string => typeof instance === 'string'),
  };
}
function callFrom(value: unknown): LeaderCall {
  const fields = fieldsOf(value, 'the call');
  const kind = textOf(fields, 'kind');
  if (kind === 'abort') return { kind, reason: textOf(fields, 'reason') };
  if (kind === 'status' || kind === 'promote') return { kind };
  throw new DecodeError(`\`${kind}\` is nothing to ask for`);
}

export const peerMethods = {
  share: jsonMethod<PeerNews, PeerNews>('/meshwright.control.v1alpha1.Replicas/Share', { request: newsFrom, response: newsFrom }, 'bidi'),
  ask: jsonMethod<LeaderCall, LeaderAnswer>('/meshwright.control.v1alpha1.Replicas/Ask', {
    request: callFrom,
    response: (value) => {
      const fields = fieldsOf(value, 'the answer');
      return { status: numberOf(fields, 'status', 100, 599), json: fields['json'] };
    },
  }),
} as const;
