/** Reviews and what they are judged by, for tests of the adjudicators: give what matters. */
import type { AdmissionRulesSpec } from '../../core/bundle/admission-rules';
import type { TrustRoot } from '../../core/bundle/trust';
import type { AdmitContext, StateSnapshot } from '../../webhook/admit/context';
import { tokenVerifier } from '../../webhook/admit/deployer-token';
import { rulesIndex } from '../../webhook/admit/rules-index';
import { signatureCache } from '../../webhook/admit/signatures';
import type { Review } from '../../webhook/review/review';

export const testUid = '705ab4f5-6393-11e8-b7cc-42010a800002';

/** The review of an object: its kind and names are taken from it. */
export function reviewOf(object: Readonly<Record<string, unknown>> | null, plural: string, change: Partial<Review> = {}): Review {
  const known: Readonly<Record<string, unknown>> = object ?? change.oldObject ?? {};
  const [group = '', version = ''] = apiVersionOf(known);
  const metadata: unknown = known['metadata'];
  const text = (name: string): string => {
    const value: unknown = typeof metadata === 'object' && metadata !== null ? Reflect.get(metadata, name) : undefined;
    return typeof value === 'string' ? value : '';
  };
  return {
    uid: testUid,
    operation: 'CREATE',
    kind: { group, version, kind: String(known['kind']) },
    resource: { group, version, resource: plural },
    subresource: '',
    name: text('name'),
    namespace: text('namespace'),
    user: { username: 'ann', groups: ['system:authenticated'] },
    dryRun: false,
    object,
    oldObject: null,
    ...change,
  };
}

function apiVersionOf(object: Readonly<Record<string, unknown>>): readonly string[] {
  const text = String(object['apiVersion']);
  return text.includes('/') ? text.split('/') : ['', text];
}

export const noTrust: TrustRoot = { environments: { prod: { keys: [], generationFloor: 0 } } };
export const testState = (change: Partial<StateSnapshot> = {}): StateSnapshot => ({
  synced: true,
  stale: false,
  live: null,
  rules: { kind: 'none' },
  terminating: new Set(),
  namespaceLabels: new Map(),
  products: null,
  ...change,
});
export const testContext = (change: Partial<AdmitContext> = {}): AdmitContext => ({
  environment: 'prod',
  trust: { root: noTrust, version: 1 },
  signatures: signatureCache(),
  state: testState(),
  now: Date.parse('2026-11-23T00:00:00Z'),
  releaseDeployers: [{ kind: 'group', name: 'release-team' }],
  tokens: tokenVerifier([]),
  jobUsernamePrefix: null,
  controlPlaneUser: 'system:serviceaccount:meshwright:control-plane',
  namespaceControllers: ['system:serviceaccount:kube-system:namespace-controller'],
  injection: null,
  meshImages: new Set(),
  ...change,
});
/** A context in which these rules are in force. */
export const contextWith = (spec: Partial<AdmissionRulesSpec>, state: Partial<StateSnapshot> = {}): AdmitContext =>
  testContext({
    state: testState({
      rules: { kind: 'known', index: rulesIndex({ environment: 'prod', trustDomain: 'mesh.test', ...spec }) },
      ...state,
    }),
  });
