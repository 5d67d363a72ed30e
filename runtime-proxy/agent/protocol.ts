/** What an agent tells the control plane about its Envoy, over a stream of its own, and what it is told back. JSON over gRPC, mTLS by SVID. */
import type { SecretTrouble } from '../../core/bundle/status';
import { longestKeySet } from '../../core/mesh/jwk-set';
import { booleanOf, fieldsOf, listOf, numberOf, recordOf, textOf, DecodeError, type Fields } from '../rpc/decode';
import { jsonMethod } from '../rpc/json-method';
import type { Activity } from './envoy-admin';

export interface AgentReport {
  /** `1.40.0`; empty while Envoy is not up. */
  readonly envoyVersion: string;
  /** Whether Envoy is up and serves. */
  readonly live: boolean;
  /** Whether it is on its way out: callers are to be sent elsewhere. */
  readonly draining: boolean;
  /** How often Envoy was started by this agent: more than one means that it died. */
  readonly starts: number;
  /** End of the SVID it holds, milliseconds since the epoch. */
  readonly notAfter: number;
  /** What is wrong with secrets that its Envoy has a use for. */
  readonly secrets: readonly SecretTrouble[];
  readonly activity: Activity;
}
/** `hurry`: a change is on its way, look often; else look now and then. `keys`: of issuers, by their address; absent: as they were. */
export interface ReportAnswer {
  readonly hurry: boolean;
  readonly keys?: { readonly [url: string]: string };
}

/** Says that what Envoy claims to have of an earlier connection comes with its agent's word: names without a version are those it has no word for. */
export const vouchedHeader = 'meshwright-vouched';

export const noActivity: Activity = { listeners: {}, routes: {}, clusters: {}, hosts: {}, warming: 0, draining: 0, drainingListeners: [] };

const short = (value: unknown, name: string): string => {
  if (typeof value !== 'string' || value.length > 256) throw new DecodeError(`\`${name}\` must be a short text`);
  return value;
};
const mostIssuers = 64;
const keySet = (value: unknown, name: string): string => {
  if (typeof value !== 'string' || value.length > longestKeySet)
    throw new DecodeError(`the keys of \`${name.slice(0, 80)}\` must be a text`);
  return value;
};
const count = (value: unknown, name: string): number => {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) throw new DecodeError(`\`${name}\` must be a count`);
  return value;
};
const activityFrom = (fields: Fields): Activity => ({
  listeners: recordOf(fields, 'listeners', short),
  routes: recordOf(fields, 'routes', short),
  clusters: recordOf(fields, 'clusters', short, 100_000),
  hosts: recordOf(fields, 'hosts', count, 100_000),
  warming: count(fields['warming'], 'warming'),
  draining: count(fields['draining'], 'draining'),
  drainingListeners: listOf(fields, 'drainingListeners').map((name) => short(name, 'drainingListeners')),
});

const secretKinds: readonly SecretTrouble['kind'][] = ['certificate', 'authorities'];
const secretStates: readonly SecretTrouble['state'][] = ['missing', 'unusable', 'ending'];
/** What is said of secrets. Who is older says nothing of them, and a word of who is newer is left out: neither is a reason not to hear the rest. */
export function secretTroublesFrom(fields: Fields): readonly SecretTrouble[] {
  if (fields['secrets'] === undefined) return [];
  return listOf(fields, 'secrets', 1_000).flatMap((value): SecretTrouble | readonly [] => {
    const one = fieldsOf(value, 'a secret');
    const kind = secretKinds.find((known) => known === one['kind']);
    const state = secretStates.find((known) => known === one['state']);
    if (kind === undefined || state === undefined) return [];
    return { kind, name: textOf(one, 'name'), state, reason: textOf(one, 'reason') };
  });
}

/** Each state with how many are in it, for metrics. */
export const countByState = (secrets: readonly SecretTrouble[]): readonly (readonly [SecretTrouble['state'], number])[] =>
  secretStates.map((state) => [state, secrets.filter((one) => one.state === state).length]);

export const reportMethod = jsonMethod<AgentReport, ReportAnswer>(
  '/meshwright.agent.v1alpha1.Reports/Report',
  {
    request: (value) => {
      const fields = fieldsOf(value, 'the report');
      return {
        envoyVersion: short(fields['envoyVersion'], 'envoyVersion'),
        live: booleanOf(fields, 'live'),
        draining: booleanOf(fields, 'draining'),
        starts: count(fields['starts'], 'starts'),
        notAfter: numberOf(fields, 'notAfter', 0, Number.MAX_SAFE_INTEGER),
        secrets: secretTroublesFrom(fields),
        activity: activityFrom(fieldsOf(fields['activity'], '`activity`')),
      };
    },
    response: (value) => {
      const fields = fieldsOf(value, 'the answer');
      return {
        hurry: booleanOf(fields, 'hurry'),
        ...(fields['keys'] === undefined ? {} : { keys: recordOf(fields, 'keys', keySet, mostIssuers) }),
      };
    },
  },
  'bidi',
);
