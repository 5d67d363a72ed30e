/**
 * What somebody who installs the product decides. The JSON Schema beside this file, and with it the chart's `values.schema.json` and `values.yaml`,
 * are generated from these types and from `defaultValues`: the patterns are checked by helm as well as by `checkValues`.
 */
import type { DeployerMatch } from '../../core/bundle/admission-rules';
import type { TrustRoot } from '../../core/bundle/trust';
import type { TokenIssuer } from '../../webhook/config';

export interface InstallValues {
  /**
   * The environment that this cluster runs; one for each cluster.
   * @pattern ^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$
   */
  readonly environment: string;
  /**
   * The trust domain of every identity: `spiffe://<trust domain>/ns/...`.
   * @pattern ^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$
   */
  readonly trustDomain: string;
  /**
   * The one image of all servers and of the agent; by digest in production.
   * @pattern ^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,500}$
   */
  readonly image: string;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  readonly imagePullSecrets: readonly { readonly name: string }[];
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  /** Who may sign: what `meshwright keys generate` wrote to trust.json. With no environment in it, nothing is admitted. */
  readonly trustRoot: TrustRoot;
  /** Who may write the Release. */
  readonly deployers: readonly DeployerMatch[];
  readonly replicas: Replicas;
  readonly resources: ServerResources;
  /** Of every server; the webhook answers for the whole cluster, so it is among the last to be evicted. */
  readonly priorityClassName: string;
  readonly webhook: WebhookValues;
  readonly injection: InjectionValues;
  readonly gitops: GitopsValues;
  readonly networkPolicies: NetworkPolicyValues;
  readonly issuerKeys: IssuerKeysValues;
  /** Certificates of gateways, by `<namespace>/<name>`: the host names they are for and the SPIFFE IDs that may have them. */
  readonly gatewayCertificates: { readonly [name: string]: GatewayCertificate };
}
export interface Replicas {
  /**
   * @minimum 1
   * @TJS-type integer
   */
  readonly controlPlane: number;
  /**
   * @minimum 1
   * @TJS-type integer
   */
  readonly webhook: number;
  /**
   * @minimum 1
   * @TJS-type integer
   */
  readonly ca: number;
}
export interface ServerResources {
  readonly controlPlane: Resources;
  readonly webhook: Resources;
  readonly ca: Resources;
  readonly gitops: Resources;
}
/** As Kubernetes has them: `{ cpu: 100m, memory: 128Mi }`. */
export interface Resources {
  readonly requests?: { readonly [resource: string]: string };
  readonly limits?: { readonly [resource: string]: string };
}
export interface WebhookValues {
  /** `Ignore` lets everything in whenever no replica answers: for a first look only. */
  readonly failurePolicy: 'Fail' | 'Ignore';
  /**
   * Of one review.
   * @minimum 1
   * @maximum 30
   * @TJS-type integer
   */
  readonly timeoutSeconds: number;
  /** Namespaces whose workloads the webhook is never asked about, beside its own: without them a cluster cannot start anew. Our own kinds are reviewed everywhere. */
  readonly exemptNamespaces: readonly string[];
  readonly settings: WebhookSettings;
}
/** Members of the webhook's own configuration. */
export interface WebhookSettings {
  /** Issuers of CI jobs' tokens; needed for deployers of kind `github`. */
  readonly issuers?: readonly TokenIssuer[];
  /** Usernames of CI jobs that the API server authenticates begin with it; rules with `githubActions` are about these. */
  readonly jobUsernamePrefix?: string;
  /** How long it answers after it was told to end, in milliseconds. */
  readonly drainMs?: number;
}
export interface InjectionValues {
  /** Whether pods that ask for it get the agent and Envoy. */
  readonly enabled: boolean;
  /** `Fail`: a pod that asks for a proxy starts with one or not at all. */
  readonly failurePolicy: 'Fail' | 'Ignore';
}
export interface GitopsValues {
  /** Whether the loop runs in this cluster; without it something else deploys. */
  readonly enabled: boolean;
  /**
   * For its journal and its copy of the repository.
   * @pattern ^[0-9]+(Mi|Gi)$
   */
  readonly storage: string;
  readonly settings: GitopsSettings;
}
/** Members of the loop's configuration that are about the repository. Files are those of Secret `gitops`, at /run/meshwright/gitops. */
export interface GitopsSettings {
  readonly repositoryUrl: string;
  readonly branch?: string;
  readonly policiesDir?: string;
  readonly credentialsFile?: string;
  readonly webhookSecretFile?: string;
  readonly operatorTokenFile?: string;
  readonly allowedSignersFile?: string;
  /** `false`: the loop applies releases by itself, without Pulumi's engine. */
  readonly pulumi?: boolean;
  /** `false`: changed configuration is not shown to an Envoy before it is rolled out. */
  readonly envoyValidate?: boolean;
  readonly pollMs?: number;
  readonly convergeTimeoutMs?: number;
  readonly releaseValidMs?: number;
}
export interface NetworkPolicyValues {
  readonly enabled: boolean;
  /**
   * Where the API server is, as the servers see it. The default is anywhere, on its usual ports: narrow it. At least one: to Kubernetes none is everywhere.
   * @minItems 1
   */
  readonly apiServer: readonly AddressBlock[];
  /** Where else the control plane may go to fetch keys of end users' issuers (`jwks.fetch`): needed once `apiServer` is narrowed, or for other ports than 443. */
  readonly issuers: readonly IssuerEgress[];
}
export interface AddressBlock {
  readonly ipBlock: { readonly cidr: string };
}
export interface IssuerEgress {
  /**
   * At least one: to Kubernetes none is everywhere.
   * @minItems 1
   */
  readonly to: readonly AddressBlock[];
  /**
   * At least one: to Kubernetes none is every port.
   * @minItems 1
   */
  readonly ports: readonly { readonly protocol: 'TCP'; readonly port: number }[];
}
/** How the control plane fetches keys of end users' issuers, where policies say `jwks.fetch`. */
export interface IssuerKeysValues {
  /** Networks that issuers may be in although they are not of the internet: `10.1.0.0/16`. */
  readonly networks: readonly string[];
  /**
   * PEM of the authorities that issuers' certificates are verified by; those of the system if it is empty.
   * @pattern ^(-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*)*$
   */
  readonly authorities: string;
  /**
   * How often they are fetched.
   * @minimum 1
   * @maximum 86400
   * @TJS-type integer
   */
  readonly everySeconds: number;
}
export interface GatewayCertificate {
  readonly hosts: readonly string[];
  readonly principals: readonly string[];
}

export const defaultValues: InstallValues = {
  environment: 'prod',
  trustDomain: 'mesh.local',
  image: 'meshwright:0.1.0',
  imagePullPolicy: 'IfNotPresent',
  imagePullSecrets: [],
  logLevel: 'info',
  trustRoot: { environments: {} },
  deployers: [{ kind: 'account', namespace: 'meshwright', name: 'gitops' }],
  replicas: { controlPlane: 2, webhook: 2, ca: 2 },
  resources: {
    controlPlane: { requests: { cpu: '100m', memory: '192Mi' }, limits: { memory: '1Gi' } },
    webhook: { requests: { cpu: '100m', memory: '160Mi' }, limits: { memory: '512Mi' } },
    ca: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '384Mi' } },
    gitops: { requests: { cpu: '200m', memory: '512Mi' }, limits: { memory: '2Gi' } },
  },
  priorityClassName: 'system-cluster-critical',
  webhook: {
    failurePolicy: 'Fail',
    timeoutSeconds: 5,
    exemptNamespaces: ['kube-node-lease', 'kube-public', 'kube-system'],
    settings: {},
  },
  injection: { enabled: true, failurePolicy: 'Fail' },
  gitops: { enabled: false, storage: '2Gi', settings: { repositoryUrl: 'https://git.example/policies.git' } },
  networkPolicies: { enabled: true, apiServer: [{ ipBlock: { cidr: '0.0.0.0/0' } }, { ipBlock: { cidr: '::/0' } }], issuers: [] },
  issuerKeys: { networks: [], authorities: '', everySeconds: 300 },
  gatewayCertificates: {},
};
