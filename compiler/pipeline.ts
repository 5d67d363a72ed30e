/**
 * The compiler, read top-down: one table of stages, each with its name, what it does and its metric. A stage takes the work so far and adds to it;
 * stages know the core's types and nothing of each other. Code of a stage is loaded when it runs: a warm `check` runs none.
 */
import type { Evaluated } from '../core/declarations/declaration';
import { hasErrors, type Diagnostic, type Outcome } from '../core/diagnostics/diagnostic';
import { apiVersion, objectName, type MeshObject, type Release, type SourceMap } from '../core/bundle/objects';
import { inOrder, mergeEnvironments } from '../core/diagnostics/order';
import { internal } from '../core/diagnostics/internal';
import type { MeshIr } from '../core/ir/ir';
import { proxyNameOf } from '../core/ir/proxy-name';
import { digestOfJson } from '../core/lib/digest';
import { systemClock } from '../platform/clock';
import { compilerFingerprint, createCache, type Cache } from './cache';
import { checkTree } from '../core/source/check';
import type { SourceTree } from '../core/source/tree';
import { compilerName } from './version';

export type StageName = 'source' | 'typecheck' | 'evaluate' | 'lower' | 'analyse' | 'emit' | 'objects';

export interface CompileOptions {
  /** Default: all that the mesh declares. */
  readonly environments?: readonly string[];
  /** The day taken for today, `2026-11-22`: an input, so that a build says the same tomorrow. */
  readonly asOf: string;
  /** Default true. False where the sources were type-checked before. */
  readonly typecheck?: boolean;
  /** Keeps what succeeded, by the digest of the sources and the compiler. */
  readonly cacheDir?: string;
  readonly stopAfter?: StageName;
  /** The objects are not needed, only whether they can be made: emission that came through before for these sources is not run again. */
  readonly verdictOnly?: boolean;
  /** Told when a stage begins. */
  readonly onStage?: (stage: StageName) => void;
  /** Told what each stage took, by its metric. */
  readonly observe?: (metric: string, seconds: number) => void;
}

export interface Compiled {
  readonly diagnostics: readonly Diagnostic[];
  readonly evaluated?: Evaluated;
  /** By environment. Empty unless lower came through for it. */
  readonly irs: ReadonlyMap<string, MeshIr>;
  /** By environment; in order of object name. Empty unless nothing is wrong. */
  readonly objects: ReadonlyMap<string, readonly MeshObject[]>;
  readonly sources: SourceMap;
  /** Milliseconds; stages that were not run are not there. */
  readonly timings: Readonly<Partial<Record<StageName | 'cache', number>>>;
  /** Whether evaluate's result came from the cache. */
  readonly cached: boolean;
}

interface Work {
  readonly tree: SourceTree;
  readonly options: CompileOptions;
  readonly evaluated?: Evaluated;
  readonly irs: ReadonlyMap<string, MeshIr>;
  readonly objects: ReadonlyMap<string, readonly MeshObject[]>;
}
interface StageResult {
  readonly adds?: Partial<Pick<Work, 'evaluated' | 'irs' | 'objects'>>;
  readonly diagnostics: readonly Diagnostic[];
}
export interface Stage {
  readonly name: StageName;
  /** One line, for ARCHITECTURE.md and `--help`. */
  readonly does: string;
  /** A histogram in seconds. */
  readonly metric: string;
  /** Runs beside the stage before it; the earlier one's errors are the ones to believe. */
  readonly beside?: true;
  run(work: Work): Promise<StageResult>;
}

export const stages: readonly Stage[] = [
  {
    name: 'source',
    does: 'refuses what no type checker or engine should see: cycles, foreign imports, directives, files that nothing reaches',
    metric: 'meshwright_compiler_source_seconds',
    run: async ({ tree }) => ({ diagnostics: checkTree(tree) }),
  },
  {
    name: 'typecheck',
    does: 'refuses what does not type, with our compiler options and the native compiler',
    metric: 'meshwright_compiler_typecheck_seconds',
    run: async ({ tree, options }) => {
      if (options.typecheck === false) return { diagnostics: [] };
      const { typecheck } = await import('./typecheck/index.js');
      return { diagnostics: (await typecheck(tree, {})).diagnostics };
    },
  },
  {
    name: 'evaluate',
    does: 'runs the modules in the sandbox; declarations come out as plain JSON, with their origins beside them',
    metric: 'meshwright_compiler_evaluate_seconds',
    beside: true,
    run: async ({ tree }) => {
      const { evaluate } = await import('./evaluate/index.js');
      const { value, diagnostics } = await evaluate(tree, {});
      return { diagnostics, ...(value ? { adds: { evaluated: value } } : {}) };
    },
  },
  {
    name: 'lower',
    does: 'one normalised mesh IR for each environment: references resolved, order total',
    metric: 'meshwright_compiler_lower_seconds',
    run: async ({ evaluated, options }) => {
      if (!evaluated) return { diagnostics: [] };
      const { environmentsOf, lower } = await import('./lower/index.js');
      const irs = new Map<string, MeshIr>();
      const declared = environmentsOf(evaluated);
      // Without a root module there is no environment to lower for; lower itself says what is missing.
      if (declared.length === 0) return { diagnostics: lower(evaluated, '').diagnostics };
      const wanted = options.environments ?? declared;
      const unknown = wanted.filter((environment) => !declared.includes(environment));
      if (unknown.length > 0)
        return { diagnostics: unknown.map((environment) => internal.noSuchEnvironment({ environment, known: declared })) };
      const said = new Map<string, readonly Diagnostic[]>();
      for (const environment of wanted) {
        const { value, diagnostics } = lower(evaluated, environment);
        said.set(environment, diagnostics);
        if (value) irs.set(environment, value);
      }
      return { diagnostics: mergeEnvironments(said), adds: { irs } };
    },
  },
  {
    name: 'analyse',
    does: 'looks at the whole mesh: conflicts, what never matches, guarantees, waivers',
    metric: 'meshwright_compiler_analyse_seconds',
    run: async ({ evaluated, irs, options }) => {
      if (!evaluated) return { diagnostics: [] };
      const { analyse } = await import('./analyse/index.js');
      return { diagnostics: analyse({ evaluated, irs, asOf: options.asOf }) };
    },
  },
  {
    name: 'emit',
    does: "Envoy's own messages: one ServiceConfig for each service port, one ProxyConfig for each workload identity; and one AdmissionRules for the webhook",
    metric: 'meshwright_compiler_emit_seconds',
    run: async ({ irs, evaluated }) => {
      const { emitEnvoy } = await import('./emit/envoy/index.js');
      const { emitAdmission } = await import('./emit/admission/index.js');
      const objects = new Map<string, readonly MeshObject[]>();
      const said = new Map<string, readonly Diagnostic[]>();
      for (const [environment, ir] of irs) {
        const envoy = emitEnvoy(ir);
        const admission = emitAdmission(ir);
        said.set(environment, [...envoy.diagnostics, ...admission.diagnostics]);
        if (envoy.value && admission.value) objects.set(environment, [...envoy.value.services, ...envoy.value.proxies, admission.value]);
      }
      return { diagnostics: placed(mergeEnvironments(said), evaluated), adds: { objects } };
    },
  },
  {
    name: 'objects',
    does: 'puts the objects in order and checks that no two share a name',
    metric: 'meshwright_compiler_objects_seconds',
    run: async ({ objects }) => {
      const ordered = new Map<string, readonly MeshObject[]>();
      for (const [environment, list] of objects) {
        const byName = new Map(list.map((object) => [objectName(object), object]));
        if (byName.size !== list.length) throw new Error(`internal: two objects of one name in ${environment}`);
        ordered.set(
          environment,
          [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object),
        );
      }
      return { diagnostics: [], adds: { objects: ordered } };
    },
  },
];

/** Compiles a tree of sources. Never throws for what a policy says; a throw is a bug of ours. */
export async function compile(tree: SourceTree, options: CompileOptions): Promise<Compiled> {
  const timings: Partial<Record<StageName | 'cache', number>> = {};
  const diagnostics: Diagnostic[] = [];
  let work: Work = { tree, options, irs: new Map(), objects: new Map() };

  const begun = systemClock.monotonic();
  const cache = await openCache(options);
  const cacheKey = { tree: tree.digest, typecheck: options.typecheck !== false };
  const emittedKey = { ...cacheKey, environments: options.environments ?? null };
  let emittedSaid: readonly Diagnostic[] = [];
  const warm = await cache?.read('evaluated', cacheKey, isEvaluated);
  if (warm) work = { ...work, evaluated: warm.evaluated };
  if (warm) diagnostics.push(...warm.diagnostics);
  timings.cache = systemClock.monotonic() - begun;

  const end = options.stopAfter === undefined ? stages.length : stages.findIndex((stage) => stage.name === options.stopAfter) + 1;
  for (const together of groups(stages.slice(0, end))) {
    const inFront = together.some((stage) => frontStages.has(stage.name));
    if (warm && inFront) continue;
    if (options.verdictOnly && together[0]?.name === 'emit') {
      const emitted = await cache?.read('emitted', emittedKey, isDiagnosticList);
      if (emitted) {
        diagnostics.push(...emitted);
        break;
      }
    }
    // Analysis looks at what lower could make of the environments that came through; everything else stops at the first error.
    if (hasErrors(diagnostics) && !(together[0]?.name === 'analyse' && work.irs.size > 0)) break;
    for (const result of await Promise.all(together.map((stage) => timed(stage, work, timings)))) {
      // The run-time twin of a type error says the same of the same line: the first to say it is enough.
      const said = new Set(diagnostics.filter((one) => one.severity === 'error').map(lineOf));
      if (together[0]?.name === 'emit') emittedSaid = result.diagnostics;
      diagnostics.push(...result.diagnostics.filter((one) => !inFront || one.span === undefined || !said.has(lineOf(one))));
      work = { ...work, ...result.adds };
    }
    if (together.some((stage) => stage.name === 'evaluate') && work.evaluated && !hasErrors(diagnostics))
      await cache?.write('evaluated', cacheKey, { evaluated: work.evaluated, diagnostics });
    if (together[0]?.name === 'emit' && !hasErrors(diagnostics)) await cache?.write('emitted', emittedKey, emittedSaid);
  }
  const { evaluated } = work;
  return {
    diagnostics: inOrder(diagnostics),
    ...(evaluated ? { evaluated } : {}),
    irs: work.irs,
    objects: hasErrors(diagnostics) ? new Map() : work.objects,
    sources: evaluated ? sourceMapOf(evaluated) : {},
    timings,
    cached: warm !== null && warm !== undefined,
  };
}

async function openCache(options: CompileOptions): Promise<Cache | null> {
  if (options.cacheDir === undefined) return null;
  const compiler = await compilerFingerprint();
  return compiler === null ? null : createCache(options.cacheDir, compiler);
}

async function timed(stage: Stage, work: Work, timings: Partial<Record<StageName | 'cache', number>>): Promise<StageResult> {
  work.options.onStage?.(stage.name);
  const begun = systemClock.monotonic();
  const result = await stage.run(work);
  const took = systemClock.monotonic() - begun;
  timings[stage.name] = took;
  work.options.observe?.(stage.metric, took / 1000);
  return result;
}

const frontStages: ReadonlySet<StageName> = new Set(['source', 'typecheck', 'evaluate']);

/** Stages in order; those that run beside the one before them in one group with it. */
function groups(list: readonly Stage[]): readonly (readonly Stage[])[] {
  const grouped: Stage[][] = [];
  for (const stage of list) {
    const last = grouped.at(-1);
    if (stage.beside && last) last.push(stage);
    else grouped.push([stage]);
  }
  return grouped;
}

const lineOf = ({ span }: Diagnostic): string => (span ? `${span.file}:${span.line}` : '');

/** Rule id -> place, with the places of its parts (`books/reviewsRoutes.rules.0`). Beside the bundle, never in an object. */
export function sourceMapOf(evaluated: Evaluated): SourceMap {
  const entries: [string, SourceMap[string]][] = [];
  const place = ({
    file,
    line,
    column,
  }: {
    readonly file: string;
    readonly line: number;
    readonly column: number;
  }): { file: string; line: number; column: number } => ({ file, line, column });
  for (const [id, origin] of Object.entries(evaluated.origins)) {
    const chain = origin.chain.map(place);
    entries.push([id, { ...place(origin.span), chain }]);
    for (const [part, span] of Object.entries(origin.parts ?? {})) entries.push([`${id}.${part}`, { ...place(span), chain }]);
  }
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Findings about rules, with the place of the nearest part of the rule that has one. */
function placed(diagnostics: readonly Diagnostic[], evaluated: Evaluated | undefined): readonly Diagnostic[] {
  const sources = evaluated ? sourceMapOf(evaluated) : {};
  return diagnostics.map((diagnostic) => {
    if (diagnostic.span !== undefined) return diagnostic;
    for (let id = diagnostic.rule ?? ''; id !== ''; id = id.slice(0, Math.max(0, id.lastIndexOf('.')))) {
      const place = Object.hasOwn(sources, id) ? sources[id] : undefined;
      if (place) return { ...diagnostic, span: { file: place.file, line: place.line, column: place.column } };
    }
    return diagnostic;
  });
}

interface Warm {
  readonly evaluated: Evaluated;
  readonly diagnostics: readonly Diagnostic[];
}
function isEvaluated(value: unknown): value is Warm {
  return typeof value === 'object' && value !== null && 'evaluated' in value && 'diagnostics' in value && Array.isArray(value.diagnostics);
}

const isDiagnosticList = (value: unknown): value is readonly Diagnostic[] => Array.isArray(value);

/** What a release is made of. */
export interface ReleaseRequest {
  readonly compiled: Compiled;
  readonly environment: string;
  /** The release in force with the IR it was made from; null for the first. */
  readonly previous: { readonly release: Release; readonly ir: MeshIr | null } | null;
  /** Which of the previous release's sets is in force: `stable` after an abort. Default `candidate`. */
  readonly inForce?: 'stable' | 'candidate';
  readonly commit: string;
  readonly repository: string;
  readonly asOf: string;
  /** RFC 3339, UTC. */
  readonly notAfter: string;
}

/** The unsigned release that would bring a compiled environment into force, with the order across proxies. */
export async function buildRelease(request: ReleaseRequest): Promise<Outcome<Release>> {
  const { compiled, environment, previous } = request;
  const ir = compiled.irs.get(environment);
  const objects = compiled.objects.get(environment);
  if (!ir || !objects)
    return {
      diagnostics:
        compiled.diagnostics.length > 0
          ? compiled.diagnostics
          : [internal.noSuchEnvironment({ environment, known: [...compiled.irs.keys()] })],
    };
  const { planSteps } = await import('./analyse/order.js');
  const steps = planSteps(previous?.ir ?? null, ir, proxyNameOf);
  if (!steps.value) return { diagnostics: steps.diagnostics };
  const release: Release = {
    apiVersion,
    kind: 'Release',
    environment,
    generation: previous ? previous.release.generation + 1 : 1,
    parent: previous ? digestOfJson(previous.release) : null,
    commit: request.commit,
    repository: request.repository,
    compiler: compilerName,
    asOf: request.asOf,
    notAfter: request.notAfter,
    stable: previous ? previous.release[request.inForce ?? 'candidate'] : {},
    candidate: Object.fromEntries(objects.map((object) => [objectName(object), digestOfJson(object)])),
    steps: steps.value,
    waves: ir.rollout.waves,
    holdMs: ir.rollout.holdMs,
  };
  return { value: release, diagnostics: steps.diagnostics };
}
