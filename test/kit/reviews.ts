/** What a webhook under load is asked: 1,000 rules over 100 namespaces, and AdmissionReviews of about 10 kB with known verdicts. */
import type { AdmissionRulesSpec, DeclaredWorkload, DeployRule } from '../../core/bundle/admission-rules';
import { principalOf, workloadKey, type RuleId } from '../../core/mesh/ids';

const namespaces = 100;
const workloadsIn = 10;
const trustDomain = 'acme.example';
const namespaceName = (n: number): string => `team-${n}`;
const workloadName = (n: number): string => `service-${n}`;
const digest = 'a'.repeat(64);
/** The group that may deploy into a namespace. */
export const deployersOf = (namespace: string): string => `${namespace}-deployers`;

const eachWorkload = <T>(make: (namespace: string, workload: string, index: number) => T): readonly T[] =>
  Array.from({ length: namespaces * workloadsIn }, (_, index) =>
    make(namespaceName(Math.floor(index / workloadsIn)), workloadName(index % workloadsIn), index),
  );

export const rules: AdmissionRulesSpec = {
  environment: 'prod',
  trustDomain,
  namespaces: Array.from({ length: namespaces }, (_, n) => namespaceName(n)).sort(),
  deploys: eachWorkload((namespace, workload, index): DeployRule => ({
    id: `${namespace}/deploy-${index}` as RuleId,
    mode: 'deny',
    namespace,
    workloads: [workload],
    by: [
      { kind: 'group', name: deployersOf(namespace) },
      { kind: 'account', namespace: 'ci', name: `${namespace}-deployer` },
    ],
    images: { from: [`ghcr.io/acme/${namespace}/`], digest: 'required' },
    version: { min: '1.0.0', below: '3.0.0', downgrade: 'deny' },
  })),
  workloads: eachWorkload((namespace, workload): DeclaredWorkload => ({
    workload: workloadKey(namespace, workload),
    principal: principalOf(trustDomain, namespace, workload),
    serviceAccount: workload,
    versions: ['v1', 'v2'],
    injected: false,
  })),
};

/** The same rules as Open Policy Agent's policy reads them: indexed by namespace, as a careful author would. */
export const opaData = {
  deploys: Object.fromEntries(
    (rules.namespaces ?? []).map((namespace) => [namespace, (rules.deploys ?? []).filter((rule) => rule.namespace === namespace)]),
  ),
  workloads: Object.fromEntries((rules.workloads ?? []).map((declared) => [declared.workload, declared])),
};

export interface PodReview {
  /** The AdmissionReview, JSON. */
  readonly body: string;
  /** By `rules`. */
  readonly allowed: boolean;
  readonly namespace: string;
  /** The pod alone. */
  readonly pod: PodObject;
}
type PodObject = ReturnType<typeof podOf>;

/** Pods as they are created by a deployer, nine of ten to be allowed; each tenth has an image by tag. */
export function reviews(count: number): readonly PodReview[] {
  return Array.from({ length: count }, (_, index) => {
    const namespace = namespaceName((index * 37) % namespaces);
    const workload = workloadName((index * 7) % workloadsIn);
    const allowed = index % 10 !== 9;
    const image = `ghcr.io/acme/${namespace}/${workload}${allowed ? `@sha256:${digest}` : ':latest'}`;
    const pod = podOf(namespace, workload, image);
    return { body: JSON.stringify(review(reviewUid(index), namespace, pod)), allowed, namespace, pod };
  });
}

/** The namespaces' rules that are strict in a turn: every second one, the others in the next. No review has a version that they take. */
const isStrict = (namespace: string, turn: number): boolean => (Number(namespace.split('-')[1]) + turn) % 2 === 0;
/** The rules, other ones each turn. */
export const rulesInTurn = (turn: number): AdmissionRulesSpec => ({
  ...rules,
  deploys: (rules.deploys ?? []).map((rule) =>
    isStrict(rule.namespace, turn) ? { ...rule, version: { min: '2.0.0', below: `3.${turn}.0`, downgrade: 'deny' } } : rule,
  ),
});
export const isAllowedInTurn = ({ allowed, namespace }: PodReview, turn: number): boolean => allowed && !isStrict(namespace, turn);

export const reviewUid = (index: number): string => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;

function podOf(namespace: string, workload: string, image: string) {
  const env = Array.from({ length: 70 }, (_, n) => ({
    name: `SETTING_${n}`,
    value: `the value of the setting number ${n} of ${workload}, as its chart has it`,
  }));
  const labels = { app: workload, 'meshwright.dev/workload': workload, version: 'v1', 'app.kubernetes.io/version': '1.4.2' };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `${workload}-5d9c7b8f6d-x2v4q`, namespace, labels, annotations: { 'example.dev/build': 'b'.repeat(200) } },
    spec: {
      serviceAccountName: workload,
      containers: [
        {
          name: 'app',
          image,
          env,
          ports: [{ name: 'web', containerPort: 8080, protocol: 'TCP' }],
          resources: { limits: { memory: '256Mi' } },
        },
        { name: 'exporter', image, args: ['--listen=:9100'], env: env.slice(0, 10) },
      ],
    },
  };
}

function review(uid: string, namespace: string, pod: PodObject): object {
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid,
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      requestKind: { group: '', version: 'v1', kind: 'Pod' },
      requestResource: { group: '', version: 'v1', resource: 'pods' },
      name: pod.metadata.name,
      namespace,
      operation: 'CREATE',
      userInfo: {
        username: `deployer@${namespace}.example`,
        uid: 'd7c5',
        groups: [deployersOf(namespace), 'system:authenticated'],
      },
      object: pod,
      oldObject: null,
      dryRun: false,
      options: { apiVersion: 'meta.k8s.io/v1', kind: 'CreateOptions', fieldManager: 'kubectl-client-side-apply' },
    },
  };
}
