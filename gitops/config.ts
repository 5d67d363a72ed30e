/** The loop's configuration, a JSON file. */
import type { Outcome } from '../core/diagnostics/diagnostic';
import { gitops } from '../core/diagnostics/gitops';
import type { Diagnostic } from '../core/diagnostics/diagnostic';

export interface GitopsConfig {
  /** http or https, without credentials. */
  readonly repositoryUrl: string;
  /** 0600: `user:password`, or a bearer token. */
  readonly credentialsFile?: string;
  /** Default `main`. */
  readonly branch?: string;
  /** The policy folder inside the repository; default `policies`. */
  readonly policiesDir?: string;
  readonly environment: string;
  /** Journal, history and the copy of the repository. */
  readonly stateDir: string;
  /** Where the compiler keeps what it can use again; default inside stateDir. */
  readonly cacheDir?: string;
  /** 0600. Without it no webhook is accepted and the branch is polled. */
  readonly webhookSecretFile?: string;
  /** 0600. Without it rollback, abort, promote and retry are refused. */
  readonly operatorTokenFile?: string;
  /** Default 60,000. */
  readonly pollMs?: number;
  readonly signerSocket: string;
  readonly trustFile: string;
  /** Where releases go. The control plane's admin API says how far they are, also on Kubernetes. */
  readonly target: {
    /** `kubernetes`: releases are custom resources. Default `universal`: the control plane takes them itself. */
    readonly kind?: 'universal' | 'kubernetes';
    /** Of kind `kubernetes`: a kubeconfig; default the service account of the pod. */
    readonly kubeconfig?: string;
    readonly adminUrl: string;
    readonly tokenFile: string;
    readonly stateDir: string;
    readonly stack: string;
  };
  /** `envoy --mode validate` on what changed before any live proxy sees it. Default true. */
  readonly envoyValidate?: boolean;
  /** Pulumi's engine puts releases out; false: the loop does it by itself, and says so. Default true. */
  readonly pulumi?: boolean;
  /** SSH `allowed_signers`; with it every commit that is deployed must be signed by one of them. */
  readonly allowedSignersFile?: string;
  /** Default 600,000: a roll-out that takes longer is aborted. */
  readonly convergeTimeoutMs?: number;
  /** Default 30,000: a roll-out on which no further proxy became active for so long gives way to a newer commit that is good. */
  readonly supersedeAfterMs?: number;
  /** How long a signed release may wait to be taken; default 3,600,000. */
  readonly releaseValidMs?: number;
  /** Default 127.0.0.1 and a free port. */
  readonly listen?: { readonly host?: string; readonly port?: number };
  readonly limits?: {
    readonly packBytes?: number;
    readonly timeoutMs?: number;
    readonly webhookBytes?: number;
    readonly compilerMb?: number;
    readonly compileMs?: number;
  };
}

const required = ['repositoryUrl', 'environment', 'stateDir', 'signerSocket', 'trustFile'] as const;

/** Checks what can be checked without touching anything: every problem at once. */
export function checkConfig(config: GitopsConfig): Outcome<GitopsConfig> {
  const diagnostics: Diagnostic[] = [];
  for (const field of required) if (!isText(config[field])) diagnostics.push(gitops.configInvalid({ field, reason: 'is missing' }));
  for (const field of ['adminUrl', 'tokenFile', 'stateDir', 'stack'] as const) {
    if (!isText(config.target?.[field])) diagnostics.push(gitops.configInvalid({ field: `target.${field}`, reason: 'is missing' }));
  }
  if (config.target?.kind !== undefined && config.target.kind !== 'universal' && config.target.kind !== 'kubernetes')
    diagnostics.push(gitops.configInvalid({ field: 'target.kind', reason: 'is neither `universal` nor `kubernetes`' }));
  if (isText(config.repositoryUrl) && !isRepositoryUrl(config.repositoryUrl))
    diagnostics.push(gitops.urlUnsupported({ url: withoutCredentials(config.repositoryUrl) }));
  if (config.branch !== undefined && !/^(?!.*(\.\.|\/\/|@\{))[A-Za-z0-9][A-Za-z0-9._/-]{0,200}$/.test(config.branch)) {
    diagnostics.push(gitops.configInvalid({ field: 'branch', reason: 'is not the name of a branch' }));
  }
  for (const field of ['pollMs', 'convergeTimeoutMs', 'supersedeAfterMs', 'releaseValidMs'] as const) {
    const value = config[field];
    if (value !== undefined && !(Number.isFinite(value) && value >= 100))
      diagnostics.push(gitops.configInvalid({ field, reason: 'is not a time of at least 100 ms' }));
  }
  return diagnostics.length > 0 ? { diagnostics } : { value: config, diagnostics };
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

function isRepositoryUrl(text: string): boolean {
  try {
    const url = new URL(text);
    return (url.protocol === 'http:' || url.protocol === 'https:') && url.username === '' && url.password === '';
  } catch {
    return false;
  }
}

function withoutCredentials(text: string): string {
  return text.replace(/\/\/[^@/]*@/, '//…@');
}
