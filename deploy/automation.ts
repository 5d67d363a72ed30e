/**
 * Preview, deploy and refresh by Pulumi's real engine through its Automation API: an inline program, a file backend, and our provider as a plugin of the
 * target's own Pulumi home. Errors are diagnostics in the report; only a bug throws.
 */
import { LocalWorkspace, PulumiCommand, Stack, type EngineEvent, type PulumiFn } from '@pulumi/pulumi/automation';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { verifyBundle, type Bundle } from '../core/bundle/bundle';
import { parseTrust } from '../core/bundle/trust';
import type { Purpose } from '../core/bundle/verify';
import { deploy as said } from '../core/diagnostics/deploy';
import { hasErrors, type Diagnostic, type Outcome } from '../core/diagnostics/diagnostic';
import { sign } from '../core/diagnostics/sign';
import { systemClock } from '../platform/clock';
import { readJsonIfThere, readTextIfThere } from '../platform/files';
import { obtainPulumi } from '../platform/tools/pulumi';
import { openCluster } from './kubernetes/operation';
import { breakStaleLocks, takeLock } from './lock';
import { placeBundle, placeEnvironment, preparePlace, projectName, pruneHistory, setDamagedAside, type Place } from './place';
import { meshProgram } from './program';
import { Reporter, type DeployEvent, type DeployReport } from './report';

interface AnyTarget {
  /** Pulumi's state and home for this target; made when it is not there. */
  readonly stateDir: string;
  /** Name of the Pulumi stack: usually the environment. */
  readonly stack: string;
  /** With it the whole bundle is verified before Pulumi hears of it. */
  readonly trustFile?: string;
}
/** A control plane reached by its admin API. */
export interface UniversalTarget extends AnyTarget {
  readonly kind?: 'universal';
  readonly adminUrl: string;
  /** 0600, the admin API's bearer token. */
  readonly tokenFile: string;
}
/** A cluster that meshwright is installed in, reached by the Kubernetes API. */
export interface KubernetesTarget extends AnyTarget {
  readonly kind: 'kubernetes';
  /** Path of a kubeconfig; its current context says which cluster, and as whom. */
  readonly kubeconfig: string;
}
export type DeployTarget = UniversalTarget | KubernetesTarget;
export interface DeployOptions {
  readonly onEvent?: (event: DeployEvent) => void;
  /** Pulumi's output as it comes, below `diff`. */
  readonly print?: (text: string) => void;
  /** The semantic diff as text: printed above Pulumi's tree. */
  readonly diff?: string;
  /** Look at the real state first. */
  readonly refresh?: boolean;
  readonly signal?: AbortSignal;
  /** How long a roll-out may take (ten minutes). */
  readonly timeoutMs?: number;
  /** How long to wait for another process that holds the stack (20 s). */
  readonly lockWaitMs?: number;
  /** An OIDC token of the CI job that deploys, for a cluster's admission: audience `meshwright:<digest of the release>`. */
  readonly deployerToken?: string;
  /** Path of the CLI; obtained when not given. */
  readonly pulumi?: string;
}

/** What a deployment of the bundle would do. Changes nothing but Pulumi's own bookkeeping. A bundle signed with preview keys will do. */
export function preview(bundle: Bundle, target: DeployTarget, options: DeployOptions = {}): Promise<DeployReport> {
  return operate('preview', bundle, target, options, async ({ stack, reporter, signal }) => {
    await stack.preview({ ...engineOptions(reporter, signal), ...(options.refresh === undefined ? {} : { refresh: options.refresh }) });
  });
}

/** Sends the bundle's objects and its release, and waits until every proxy is active. Not `ok` when the roll-out was refused, aborted or did not end. */
export function deploy(bundle: Bundle, target: DeployTarget, options: DeployOptions = {}): Promise<DeployReport> {
  return operate('update', bundle, target, options, async ({ stack, reporter, place, signal }) => {
    await stack.up({ ...engineOptions(reporter, signal), ...(options.refresh === undefined ? {} : { refresh: options.refresh }) });
    await pruneHistory(place, target.stack);
  });
}

/** Reads the real state into Pulumi's. The report's steps are what had drifted. */
export function refresh(target: DeployTarget, options: DeployOptions = {}): Promise<DeployReport> {
  return operate('refresh', null, target, options, async ({ stack, reporter, signal }) => {
    await stack.refresh(engineOptions(reporter, signal));
  });
}

/** Frees what a dead deployer left: locks and interrupted operations. For a start after a crash; every operation does it as well. */
export function recover(target: DeployTarget, options: DeployOptions = {}): Promise<DeployReport> {
  return operate('recovery', null, target, options, async () => undefined);
}

interface Operating {
  readonly stack: Stack;
  readonly reporter: Reporter;
  readonly place: Place;
  readonly signal: AbortSignal | undefined;
}
type Operation = 'preview' | 'update' | 'refresh' | 'recovery';

async function operate(
  what: Operation,
  bundle: Bundle | null,
  target: DeployTarget,
  options: DeployOptions,
  run: (operating: Operating) => Promise<void>,
): Promise<DeployReport> {
  const started = systemClock.monotonic();
  const reporter = new Reporter(
    options.onEvent ?? (() => undefined),
    options.print ?? (() => undefined),
    what === 'refresh' ? 'found' : 'planned',
  );
  const finish = (...diagnostics: readonly Diagnostic[]): DeployReport => {
    reporter.note(...diagnostics);
    return reporter.report(systemClock.monotonic() - started);
  };
  if (bundle && target.trustFile !== undefined) {
    const diagnostics = await verified(bundle, target.trustFile, what === 'preview' ? 'dry-run' : 'live');
    if (hasErrors(diagnostics)) return finish(...diagnostics);
  }
  let pulumi: string;
  try {
    pulumi = options.pulumi ?? (await obtainPulumi());
  } catch (error) {
    return finish(said.toolMissing({ reason: error instanceof Error ? error.message : String(error) }));
  }
  const place = await preparePlace({ stateDir: target.stateDir, stack: target.stack, pulumi });
  const lockWaitMs = options.lockWaitMs ?? 20_000;
  const lock = await takeLock(path.join(place.root, 'deploy.lock'), target.stack, systemClock, lockWaitMs);
  if (!lock.value) return finish(...lock.diagnostics);
  try {
    const locks = await breakStaleLocks(place.locks, target.stack, systemClock, lockWaitMs);
    reporter.note(...locks);
    if (hasErrors(locks)) return finish();
    if (await setDamagedAside(place)) reporter.note(said.stateSetAside({ stack: target.stack }));
    const leg = await legOf(what, bundle, target, options, { place, reporter });
    reporter.note(...leg.diagnostics);
    if (!leg.value) return finish();
    const stack = await openStack(place, target, bundle?.objects.length ?? 0, leg.value);
    await repair(stack, place, target.stack, reporter);
    if (options.diff !== undefined && options.diff !== '')
      reporter.write(options.diff.endsWith('\n') ? `${options.diff}\n` : `${options.diff}\n\n`);
    await leg.value.run((signal) => run({ stack, reporter, place, signal }));
    return finish();
  } catch (error) {
    if (reporter.failed) return finish();
    return finish(said.engineFailed({ what, reason: engineReason(error) }));
  } finally {
    await lock.value();
  }
}

/** What depends on the kind of target. */
interface Leg {
  readonly program: PulumiFn;
  readonly environment: { readonly [name: string]: string };
  readonly run: (engine: (signal: AbortSignal | undefined) => Promise<void>) => Promise<void>;
}

async function legOf(
  what: Operation,
  bundle: Bundle | null,
  target: DeployTarget,
  options: DeployOptions,
  { place, reporter }: { readonly place: Place; readonly reporter: Reporter },
): Promise<Outcome<Leg>> {
  const empty = async () => ({});
  const plainly: Leg['run'] = (engine) => engine(options.signal);
  const timeout = options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs };
  if (target.kind === 'kubernetes') {
    if (!bundle) return { value: { program: empty, environment: {}, run: plainly }, diagnostics: [] };
    const { value, diagnostics } = await openCluster(
      bundle,
      {
        what: what === 'preview' ? 'preview' : 'update',
        kubeconfig: path.resolve(target.kubeconfig),
        ...timeout,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
        ...(options.deployerToken === undefined ? {} : { deployerToken: options.deployerToken }),
      },
      reporter,
    );
    return value ? { value: { ...value, environment: {} }, diagnostics } : { diagnostics };
  }
  const environment = {
    MESHWRIGHT_ADMIN: target.adminUrl,
    MESHWRIGHT_TOKEN_FILE: path.resolve(target.tokenFile),
    MESHWRIGHT_BUNDLE: bundle ? await placeBundle(place, bundle) : '',
  };
  return { value: { program: bundle ? meshProgram({ bundle, ...timeout }) : empty, environment, run: plainly }, diagnostics: [] };
}

async function verified(bundle: Bundle, trustFile: string, purpose: Purpose): Promise<readonly Diagnostic[]> {
  const text = await readTextIfThere(trustFile);
  if (text === null) return [sign.trust({ reason: `there is no file \`${trustFile}\`` })];
  const trust = parseTrust(text);
  return trust.value ? (await verifyBundle(bundle, trust.value, purpose)).diagnostics : trust.diagnostics;
}

/**
 * The file backend writes the whole state after every single step, which is quadratic: 400 objects take 15 s, and 3 s when it is written at the end.
 * Above this many, a kill in the middle loses Pulumi's note of what was sent; sending it again does no harm.
 */
const checkpointedObjects = 200;

async function openStack(place: Place, target: DeployTarget, objects: number, { program, environment }: Leg): Promise<Stack> {
  const workspace = await LocalWorkspace.create({
    program,
    workDir: place.work,
    pulumiHome: place.home,
    pulumiCommand: await commandOf(place),
    envVars: {
      ...placeEnvironment(place, target.kind),
      ...environment,
      ...(objects > checkpointedObjects ? { PULUMI_EXPERIMENTAL: 'true', PULUMI_SKIP_CHECKPOINTS: 'true' } : {}),
    },
    projectSettings: { name: projectName, runtime: 'nodejs', backend: { url: `file://${place.backend}` } },
  });
  if ((await readTextIfThere(place.checkpoint)) === null) return spared(await Stack.createOrSelect(target.stack, workspace));
  // Every command names its stack, so none needs to be selected: one process less.
  Object.assign(workspace, { selectStack: () => Promise.resolve() });
  return spared(await Stack.select(target.stack, workspace));
}

/** After an update the Automation API starts the CLI three more times, for outputs and history that nobody here reads. */
const spared = (stack: Stack): Stack =>
  Object.assign(stack, { outputs: () => Promise.resolve({}), info: () => Promise.resolve(undefined) });

const commands = new Map<string, Promise<PulumiCommand>>();
/** Asking a CLI for its version starts a process: once for each is enough. */
async function commandOf(place: Place): Promise<PulumiCommand> {
  const program = await fs.realpath(path.join(place.cliRoot, 'bin', 'pulumi'));
  const key = `${place.cliRoot}\0${program}`;
  const known = commands.get(key) ?? PulumiCommand.get({ root: place.cliRoot, skipVersionCheck: true });
  commands.set(key, known);
  known.catch(() => commands.delete(key));
  return known;
}

/**
 * Clears operations that an interrupted update left under way. Sending an object or a release again does no harm (both are named by their digest), so
 * forgetting that it had begun is safe: the next update does it once more.
 */
async function repair(stack: Stack, place: Place, name: string, reporter: Reporter): Promise<void> {
  const pending = pendingIn(await readJsonIfThere(place.checkpoint).catch(() => null));
  if (pending === 0) return;
  const exported = await stack.exportStack();
  const deployment: unknown = exported.deployment;
  if (typeof deployment !== 'object' || deployment === null) return;
  await stack.importStack({ ...exported, deployment: { ...deployment, pending_operations: [] } });
  reporter.note(said.repaired({ stack: name, operations: pending }));
}

function pendingIn(checkpoint: unknown): number {
  let here = checkpoint;
  for (const key of ['checkpoint', 'latest', 'pending_operations']) {
    if (typeof here !== 'object' || here === null) return 0;
    here = Object.fromEntries(Object.entries(here))[key];
  }
  return Array.isArray(here) ? here.length : 0;
}

const engineOptions = (reporter: Reporter, signal: AbortSignal | undefined) => ({
  onOutput: (text: string) => reporter.write(text),
  onEvent: (event: EngineEvent) => reporter.take(event),
  color: 'never' as const,
  suppressProgress: true,
  ...(signal === undefined ? {} : { signal }),
});

/** The line of the CLI's answer that says why; its stack trace and the command line stay out. */
function engineReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const lines = message.split('\n').map((line) => line.trim());
  return (
    lines.find((line) => /^(error|panic|fatal)/i.test(line))?.slice(0, 600) ?? lines.find((line) => line !== '')?.slice(0, 600) ?? 'unknown'
  );
}
