/** What is different about an operation when the target is a cluster: what is asked before, the program, and what is watched meanwhile. */
import type { PulumiFn } from '@pulumi/pulumi/automation';
import type { Bundle } from '../../core/bundle/bundle';
import type { SignedRelease } from '../../core/bundle/objects';
import { deploy as said } from '../../core/diagnostics/deploy';
import { hasErrors, type Outcome } from '../../core/diagnostics/diagnostic';
import { sign } from '../../core/diagnostics/sign';
import { systemClock } from '../../platform/clock';
import { kubeFromFile, type Kube } from '../../platform/kube';
import type { Reporter } from '../report';
import { judge, readCluster } from './cluster';
import { kubernetesProgram, type KubernetesProgram } from './program';
import { followRollout } from './progress';

export interface ClusterOperation {
  readonly program: PulumiFn;
  /** Runs the engine's part with a signal that also ends it when the roll-out has failed. */
  readonly run: (engine: (signal: AbortSignal) => Promise<void>) => Promise<void>;
}
export interface ClusterOptions {
  readonly what: 'preview' | 'update';
  readonly kubeconfig: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly deployerToken?: string;
}

/** Asks the cluster about a bundle. No value when it would refuse it. */
export async function openCluster(bundle: Bundle, options: ClusterOptions, reporter: Reporter): Promise<Outcome<ClusterOperation>> {
  const { value, diagnostics } = await prepare(bundle, options);
  if (!value) return { diagnostics };
  const run = options.what === 'preview' ? plainly(options) : watched(value.kube, value.release, options, reporter);
  return { value: { program: kubernetesProgram(value.program), run }, diagnostics };
}

export interface Prepared {
  readonly kube: Kube;
  /** The release that is declared. */
  readonly release: SignedRelease;
  readonly program: KubernetesProgram;
}

/** What to declare of a bundle, when the cluster would let it in. */
export async function prepare(
  bundle: Bundle,
  { kubeconfig, timeoutMs, deployerToken }: Pick<ClusterOptions, 'kubeconfig' | 'timeoutMs' | 'deployerToken'>,
): Promise<Outcome<Prepared>> {
  // The cluster would say it of every object, in the words of its definitions.
  if (bundle.release.jws === '') return { diagnostics: [sign.unsigned({ what: `Release/${bundle.release.release.environment}` })] };
  let kube: Kube;
  try {
    kube = await kubeFromFile(kubeconfig);
  } catch (error) {
    return { diagnostics: [said.clusterUnreachable({ reason: error instanceof Error ? error.message : String(error) })] };
  }
  const { value: state, diagnostics } = await readCluster(kube, bundle);
  if (!state) return { diagnostics };
  const chosen = { ...bundle, release: state.release };
  const token = state.deployerToken ?? deployerToken;
  const refusals = await judge(kube, chosen, token);
  if (hasErrors(refusals)) return { diagnostics: [...diagnostics, ...refusals] };
  const program: KubernetesProgram = {
    bundle: chosen,
    carried: state.carried,
    kubeconfig,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(token === undefined ? {} : { deployerToken: token }),
  };
  return { value: { kube, release: chosen.release, program }, diagnostics };
}

const plainly =
  ({ signal }: ClusterOptions): ClusterOperation['run'] =>
  (engine) =>
    engine(signal ?? new AbortController().signal);

/** Pulumi waits for the one thing it can wait for; what else may come of a roll-out is seen here, and ends the waiting. */
const watched =
  (kube: Kube, release: SignedRelease, options: ClusterOptions, reporter: Reporter): ClusterOperation['run'] =>
  async (engine) => {
    const started = systemClock.monotonic();
    const stop = new AbortController();
    let concluded = false;
    const progress = followRollout(
      kube,
      release,
      { say: (line) => reporter.progress(line, false), show: (line) => reporter.progress(line, true) },
      (diagnostic) => {
        concluded = true;
        reporter.conclude(diagnostic);
        stop.abort(new Error(diagnostic.message));
      },
    );
    reporter.translate((message) => {
      if (!/timed out waiting for the condition/i.test(message)) return null;
      const seconds = Math.round((systemClock.monotonic() - started) / 1000);
      const waitingFor = progress.lastWord() === '' ? 'the control plane has not said anything yet' : progress.lastWord();
      return said.notConverged({ generation: release.release.generation, seconds, waitingFor });
    });
    try {
      await engine(options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]));
    } catch (error) {
      if (!concluded) throw error; // else it was ended here, and why is told already
    } finally {
      progress.close();
    }
  };
