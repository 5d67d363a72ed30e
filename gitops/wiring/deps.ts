/** The loop's real dependencies: the compiler process, the signer's socket, Pulumi's engine, the control plane. */
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { hasErrors } from '../../core/diagnostics/diagnostic';
import { gitops } from '../../core/diagnostics/gitops';
import { signBundle, type SignerClient } from '../../compiler/sign';
import { dayOf, type Clock } from '../../platform/clock';
import { CompilerDied, type CompilerProcess } from '../compile/compiler';
import type { GitStore } from '../repo/store';
import type { ControlPlane } from '../rollout/control-plane';
import { ok, refused, unavailable, type CompiledCommit, type LegResult, type LoopDeps, type Previous } from '../reconcile/deps';

/** Puts a bundle out: Pulumi's engine, or the loop by itself. */
export type Deployer = Pick<LoopDeps, 'preview' | 'update' | 'finishUpdate' | 'recover' | 'restore'>;
export type Validate = (compiled: CompiledCommit, previous: Previous | null) => Promise<LegResult<null>>;
export type VerifyCommit = (commit: string, store: GitStore) => Promise<readonly Diagnostic[]>;

export interface Parts {
  readonly store: GitStore;
  readonly compiler: CompilerProcess;
  readonly signer: SignerClient;
  readonly controlPlane: ControlPlane;
  readonly deployer: Deployer;
  readonly validate: Validate;
  /** null: commits need no signature. */
  readonly verifyCommit: VerifyCommit | null;
  readonly clock: Clock;
  readonly config: {
    readonly repositoryUrl: string;
    readonly policiesDir: string;
    readonly environment: string;
    readonly cacheDir: string | null;
    readonly releaseValidMs: number;
  };
}

/** Binds the parts to what the loop asks for. */
export function realDeps(parts: Parts): LoopDeps {
  const { store, compiler, signer, controlPlane, deployer, clock, config } = parts;
  const asOf = (): string => dayOf(clock.now());
  return {
    fetch: async () => {
      const fetched = await store.fetch();
      if (fetched.kind !== 'ok' || !parts.verifyCommit) return fetched;
      const problems = await parts.verifyCommit(fetched.value, store);
      return hasErrors(problems)
        ? { ...refused(...problems), commit: fetched.value }
        : { ...fetched, diagnostics: [...fetched.diagnostics, ...problems] };
    },
    compile: async (commit) => {
      try {
        const { compiled, diagnostics } = await compiler.ask({
          kind: 'compile',
          gitdir: store.gitdir,
          commit,
          dir: config.policiesDir,
          environment: config.environment,
          asOf: asOf(),
          cacheDir: config.cacheDir,
        });
        return compiled ? ok({ commit, ...compiled }, diagnostics) : refused(...diagnostics);
      } catch (error) {
        return died(error);
      }
    },
    plan: async (compiled, previous) => {
      try {
        const { plan, diagnostics } = await compiler.ask({
          kind: 'plan',
          compiled,
          previous,
          environment: config.environment,
          repository: config.repositoryUrl,
          asOf: asOf(),
          notAfter: new Date(clock.now() + config.releaseValidMs).toISOString(),
        });
        if (!plan) return refused(...diagnostics);
        const lost = previous && !previous.ir ? [gitops.historyLost({ generation: previous.release.generation })] : [];
        return ok(plan, [...diagnostics, ...lost]);
      } catch (error) {
        return died(error);
      }
    },
    validate: parts.validate,
    sign: async (release, objects, sources) => {
      const signed = await signBundle(signer, { release, objects, sources });
      // What the signer refuses it refuses for what it knows (floors, keys), not for what the policy says.
      return signed.value ? ok(signed.value) : unavailable(...signed.diagnostics);
    },
    ...deployer,
    converge: (generation, signal) => controlPlane.converge(generation, signal),
    liveRelease: () => controlPlane.liveRelease(),
    rolloutStatus: () => controlPlane.status(),
    abort: (reason) => controlPlane.abort(reason),
    promote: () => controlPlane.promote(),
  };
}

function died(error: unknown): LegResult<never> {
  if (error instanceof CompilerDied) return unavailable(gitops.compilerDied({ reason: error.message }));
  throw error;
}

/** Puts releases out without Pulumi: straight to the control plane, which judges them all the same. */
export function directDeployer(controlPlane: ControlPlane): Deployer {
  return {
    preview: ({ bundle }) =>
      Promise.resolve(ok({ summary: `${bundle.objects.length} objects, release ${bundle.release.release.generation}, without Pulumi` })),
    update: (bundle) => controlPlane.put(bundle),
    finishUpdate: () => Promise.resolve([]),
    recover: () => Promise.resolve(ok(null)),
    restore: (objects, release) => controlPlane.put({ objects, release }),
  };
}
