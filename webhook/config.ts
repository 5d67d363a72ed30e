import type { DeployerMatch } from '../core/bundle/admission-rules';
import type { InjectionSettings } from './inject/settings';

/** The webhook's configuration file, JSON. Times in milliseconds. */
export interface WebhookConfig {
  /** The environment of this cluster: nothing of another one is let in. */
  readonly environment: string;
  /** HTTPS, for the API server. Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** HTTP: `/healthz`, `/readyz`, `/metrics`. */
  readonly admin: { readonly host: string; readonly port: number };
  /** PEM files, read again when they change. */
  readonly certificate?: { readonly certFile: string; readonly keyFile: string };
  /** Instead of `certificate`: the webhook makes and rotates its own, and keeps the `caBundle` of the configurations named `configurationName`. */
  readonly managedCertificate?: ManagedCertificate;
  /** What the API server's client certificate has to verify against; without it anybody who reaches the port may ask. */
  readonly clientCaFile?: string;
  /** Common names of client certificates that may ask. Default: every certificate that verifies. */
  readonly clientNames?: readonly string[];
  /** Who may sign: the trust root. Read again when it changes; a broken one leaves the last good one in force. */
  readonly trustFile: string;
  /** Who may write the Release, at least one. Exact names; a `github` one needs `issuers` or `jobUsernamePrefix`. */
  readonly deployers: readonly DeployerMatch[];
  /**
   * CI jobs that the API server authenticates by their own tokens have usernames that begin with this, by its AuthenticationConfiguration; it must put the
   * claims into `extra`: `meshwright.dev/repository`, `meshwright.dev/ref`, and `meshwright.dev/environment` if there is one. Rules with `githubActions` over
   * workloads are about these. Default: there are none.
   */
  readonly jobUsernamePrefix?: string;
  /** Issuers of CI jobs' tokens, pinned by name. */
  readonly issuers?: readonly TokenIssuer[];
  /** The kubeconfig to follow the API server with. Default: the service account of the pod it runs in. */
  readonly kubeconfig?: string;
  /** Who writes the status of releases. Default `system:serviceaccount:meshwright:control-plane`. */
  readonly controlPlaneUser?: string;
  /** Who empties namespaces that are deleted. Default: the namespace controller, and the controller manager where its controllers share one credential. */
  readonly namespaceControllers?: readonly string[];
  /** What sidecars are made of; without it `/inject` answers nothing and no pod is asked for one. */
  readonly injection?: InjectionSettings;
  /** Images that rules about a workload's images are not about, to the letter. Those of the sidecar, in its place, never are. */
  readonly meshImages?: readonly string[];
  /** Name of the webhook configurations that the API server calls this by; to say whether a failure denies. Default `meshwright`. */
  readonly configurationName?: string;
  /** How long it answers after it was told to end, while others learn that it goes. Default 5,000. */
  readonly drainMs?: number;
  readonly limits?: {
    /** Of one review. Default 7 MiB: an object and its old form, of 3 MiB each, and what is around them. */
    readonly bodyBytes?: number;
    /** Of all reviews under way. Default 128 MiB. */
    readonly heldBytes?: number;
    /** Connections at the same moment. Default 1,000. */
    readonly connections?: number;
    /** For a handshake, and for a whole request to arrive. Default 10,000. */
    readonly requestMs?: number;
    /** For an answer, when the API server names no time. Default 8,000. */
    readonly deadlineMs?: number;
  };
}

/** Certificates that all replicas share. */
export interface ManagedCertificate {
  /** Secret in namespace `meshwright`; made when it is not there. */
  readonly secret: string;
  /** What the API server calls us. Default: `webhook.meshwright.svc`. */
  readonly dnsNames?: readonly string[];
}

/** Its keys are in a file or at an address, one of them. */
export interface TokenIssuer {
  /** `iss` of its tokens, exactly. */
  readonly issuer: string;
  /** A JSON Web Key Set; read again when it changes. */
  readonly jwksFile?: string;
  /** `https://`, fetched in the background. */
  readonly jwksUrl?: string;
  /** PEM of what the address' certificate verifies against. Default: the machine's own roots. */
  readonly caFile?: string;
}

export const defaults = {
  controlPlaneUser: 'system:serviceaccount:meshwright:control-plane',
  namespaceControllers: ['system:serviceaccount:kube-system:namespace-controller', 'system:kube-controller-manager'],
  configurationName: 'meshwright',
  dnsNames: ['webhook.meshwright.svc'],
  drainMs: 5_000,
  bodyBytes: 7 << 20,
  heldBytes: 128 << 20,
  connections: 1_000,
  requestMs: 10_000,
  deadlineMs: 8_000,
} as const;

/** What the form alone does not say. Throws with one line. */
export function assertConsistent(config: WebhookConfig): void {
  if (config.deployers.length === 0) throw new Error('`deployers` names nobody, so that no release could ever be let in: name who deploys');
  if (config.certificate !== undefined && config.managedCertificate !== undefined)
    throw new Error('`certificate` (PEM files) and `managedCertificate` (a Secret of its own) exclude each other: keep one of them');
  const issuers = config.issuers ?? [];
  const prefix = config.jobUsernamePrefix;
  if (prefix !== undefined && (prefix.length < 3 || prefix.startsWith('system:')))
    throw new Error('`jobUsernamePrefix` has to tell jobs from everybody else: at least three characters, and not `system:`');
  if (issuers.length === 0 && prefix === undefined && config.deployers.some((match) => match.kind === 'github'))
    throw new Error('`deployers` has a `github` one, and no `issuers` say whose tokens prove it');
  for (const { issuer, jwksFile, jwksUrl } of issuers) {
    if (issuer === '') throw new Error('an issuer in `issuers` has no name');
    if ((jwksFile === undefined) === (jwksUrl === undefined))
      throw new Error(`issuer \`${issuer}\` needs \`jwksFile\` or \`jwksUrl\`, one of them`);
    if (jwksUrl !== undefined && !jwksUrl.startsWith('https://'))
      throw new Error(`\`jwksUrl\` of issuer \`${issuer}\` does not begin with \`https://\``);
  }
}
