import { join } from 'node:path';
import { signerClient } from '../../compiler/sign';
import type { DeployTarget } from '../../deploy/automation';
import type { Clock } from '../../platform/clock';
import { kubeFromFile, kubeInCluster, type Kube } from '../../platform/kube';
import type { Log } from '../../platform/log';
import { readSecret } from '../../platform/secret-file';
import { startCompiler } from '../compile/compiler';
import type { GitopsConfig } from '../config';
import { defaultLimits, openStore } from '../repo/store';
import { readAllowedSigners, verifyCommit } from '../repo/verify-commit';
import type { LoopDeps } from '../reconcile/deps';
import { ok } from '../reconcile/deps';
import { controlPlane } from '../rollout/control-plane';
import { clusterDeployer } from './cluster';
import { directDeployer, realDeps } from './deps';
import { kubeconfigInCluster } from './in-cluster';
import { pulumiDeployer } from './pulumi';
import { envoyValidation } from './validate';

export interface Wired {
  readonly deps: LoopDeps;
  close(): Promise<void>;
}

/** Makes the real dependencies from the configuration. */
export async function wire(config: GitopsConfig, { clock, log }: { readonly clock: Clock; readonly log: Log }): Promise<Wired> {
  const stopping = new AbortController();
  const { credentialsFile, allowedSignersFile } = config;
  const store = await openStore({
    dir: join(config.stateDir, 'repository'),
    url: config.repositoryUrl,
    branch: config.branch ?? 'main',
    authorization: async () => {
      if (credentialsFile === undefined) return null;
      const secret = await readSecret(credentialsFile);
      return secret.value === undefined ? null : authorizationOf(secret.value);
    },
    limits: {
      ...defaultLimits,
      ...(config.limits?.packBytes === undefined ? {} : { packBytes: config.limits.packBytes }),
      ...(config.limits?.timeoutMs === undefined ? {} : { timeoutMs: config.limits.timeoutMs }),
    },
  });
  const compiler = startCompiler({ timeoutMs: config.limits?.compileMs ?? 120_000, memoryMb: config.limits?.compilerMb ?? 2_048 });
  const admin = controlPlane({ adminUrl: config.target.adminUrl, tokenFile: config.target.tokenFile, clock });
  const { kind, kubeconfig } = config.target;
  const direct = kind === 'kubernetes' ? clusterDeployer(await kubeOf(config.target)) : directDeployer(admin);
  const written =
    kind === 'kubernetes' && kubeconfig === undefined && config.pulumi !== false
      ? await kubeconfigInCluster(ownKubeconfig(config.stateDir), process.env)
      : null;
  const deps = realDeps({
    store,
    compiler,
    signer: signerClient(config.signerSocket),
    controlPlane: admin,
    deployer:
      config.pulumi === false
        ? direct
        : pulumiDeployer(targetOf(config), admin, {
            clock,
            log,
            timeoutMs: config.convergeTimeoutMs ?? 600_000,
            signal: stopping.signal,
            restore: direct.restore,
          }),
    validate: config.envoyValidate === false ? () => Promise.resolve(ok(null)) : envoyValidation,
    verifyCommit:
      allowedSignersFile === undefined
        ? null
        : async (commit) => verifyCommit(await store.readCommit(commit), commit, await readAllowedSigners(allowedSignersFile), clock.now()),
    clock,
    config: {
      repositoryUrl: config.repositoryUrl,
      policiesDir: config.policiesDir ?? 'policies',
      environment: config.environment,
      cacheDir: config.cacheDir ?? join(config.stateDir, 'cache'),
      releaseValidMs: config.releaseValidMs ?? 3_600_000,
    },
  });
  return {
    deps,
    close: async () => {
      stopping.abort(new Error('the loop stops'));
      written?.close();
      await compiler.close();
      await deps.finishUpdate().catch(() => undefined);
    },
  };
}

function targetOf({ target, trustFile, stateDir: own }: GitopsConfig): DeployTarget {
  const { kind, kubeconfig = ownKubeconfig(own), adminUrl, tokenFile, stateDir, stack } = target;
  return kind === 'kubernetes' ? { kind, kubeconfig, stateDir, stack, trustFile } : { adminUrl, tokenFile, stateDir, stack, trustFile };
}
const ownKubeconfig = (stateDir: string): string => join(stateDir, 'kubeconfig');

const kubeOf = ({ kubeconfig }: GitopsConfig['target']): Promise<Kube> =>
  kubeconfig === undefined ? kubeInCluster() : kubeFromFile(kubeconfig);

/** The Authorization header for a credentials file: `user:password` is basic, anything else a bearer token. */
function authorizationOf(credentials: string): string {
  return credentials.includes(':') ? `Basic ${Buffer.from(credentials).toString('base64')}` : `Bearer ${credentials}`;
}
