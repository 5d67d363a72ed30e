import { hasErrors, type Diagnostic, type Outcome, type Span } from '../../core/diagnostics/diagnostic';
import { source } from '../../core/diagnostics/source';
import { checkTree, isTestFile, resolveImport, rootModule, scanModule, type SourceTree } from '../../core/source';
import { bundle } from './bundle';
import { limitsOf, lost, sharedSandbox, type EvaluateOptions } from './evaluate';
import { link, resolveRefs, shown, type Declared } from './link';
import { placesOf, type Places } from './origins';
import { enough } from './protocol';
import { verdictOf } from './verdict';

export interface PolicyTestOptions extends EvaluateOptions {
  /** Each test runs once in each. */
  readonly environments: readonly string[];
  /** Answers a question (JSON, rule ids in place of the sandbox's numbers) with JSON; `decidedBy` in it are the rules that the answer is about. */
  readonly ask: (question: string) => string | Promise<string>;
  /** Only these test files, with the policy modules that they import. */
  readonly files?: ReadonlySet<string>;
  /** Only tests with this in their name or file; case ignored. */
  readonly filter?: string;
  /** Milliseconds that only grow; for how long each test took. */
  readonly monotonic?: () => number;
}
export interface TestFailure {
  readonly environment: string | null;
  readonly message: string;
  readonly span?: Span;
  /** The answer that the expectation was about: the question, what was said to it, and the rules and route that decided. */
  readonly about?: { readonly asked: string; readonly answered: string; readonly rules: readonly string[] };
}
export interface PolicyTest {
  readonly name: string;
  readonly file: string;
  readonly span?: Span;
  readonly ok: boolean;
  /** Where it passed or failed. */
  readonly environments: readonly string[];
  readonly failures: readonly TestFailure[];
  /** Rules, routes and guarantees that its questions were answered by. Sorted. */
  readonly decided: readonly string[];
  readonly milliseconds: number;
}
export interface TestReport {
  /** In the order they were written, files in order of path. */
  readonly tests: readonly PolicyTest[];
  /** Those that a filter left out. */
  readonly skipped: number;
  /** Those that were to run and did not, because one before them ended the run. */
  readonly notRun: readonly { readonly name: string; readonly file: string }[];
  readonly fuel: number;
}

/** More are no test suite but a mistake, and their report would be as large. */
const mostTests = 10_000;
/** Of one test in one environment: a loop that asks without end would take minutes to use up its fuel. */
const mostQuestions = 10_000;

/**
 * Runs the `*.policy.test.ts` modules in the same sandbox as the policies, with questions answered by the host. Errors: as for evaluate, and
 * MW1140; a test that fails is no diagnostic but a result. When a test ends the whole run, there are both: what was run until then, and why.
 */
export async function runPolicyTests(tree: SourceTree, options: PolicyTestOptions): Promise<Outcome<TestReport>> {
  const refused = checkTree(tree);
  if (hasErrors(refused)) return { diagnostics: refused };
  const files = new Set([...tree.files.keys()].filter((file) => isTestFile(file) && (options.files?.has(file) ?? true)));
  if (files.size === 0) return { value: { tests: [], skipped: 0, notRun: [], fuel: 0 }, diagnostics: [] };
  const ran = await runFiles(tree, files, options.files !== undefined, options);
  // A part of the policies may lack what the whole has (a thing is exported by a module that no test names): what fails is judged by all of them.
  const doubtful = ran.value === undefined || (ran.value.tests.some((test) => !test.ok) && !hasErrors(ran.diagnostics));
  return options.files !== undefined && doubtful ? runFiles(tree, files, false, options) : ran;
}

async function runFiles(
  tree: SourceTree,
  files: ReadonlySet<string>,
  part: boolean,
  options: PolicyTestOptions,
): Promise<Outcome<TestReport>> {
  const sandbox = options.sandbox ?? sharedSandbox();
  const { sdkDir } = options;
  const bundled = await bundle(tree, {
    environments: options.environments,
    tests: files,
    ...(part ? { policies: importedBy(tree, files) } : {}),
    ...(sdkDir === undefined ? {} : { sdkDir }),
  });
  if (!bundled.value) return { diagnostics: bundled.diagnostics };
  // Tests ask about everything, in every environment: more work than the policies themselves, and still bounded.
  const own = limitsOf(tree, options);
  const limits = { ...own, fuel: options.fuel ?? 5 * own.fuel, wallMs: options.wallMs ?? 4 * own.wallMs };
  const places = placesOf(bundled.value.map);
  const host = createHost(tree, places, options);
  const ran = await sandbox.run({ code: bundled.value.code, ...limits, ask: host.answer });
  if (hasErrors(host.diagnostics())) return { diagnostics: host.diagnostics() };
  const fuel = ran.kind === 'finished' ? ran.finished.fuel : 0;
  const verdict = host.stop() ?? (ran.kind === 'finished' ? verdictOf(ran.finished, limits, places) : [lost(ran, limits)]);
  if (hasErrors(verdict)) {
    const stopped = host.stopped(verdict);
    return stopped === null ? { diagnostics: verdict } : { value: { ...stopped, fuel }, diagnostics: verdict };
  }
  return { value: { ...host.report(), fuel }, diagnostics: [] };
}

/** The policy modules that these modules import, one through the other; and the root module, which names teams and environments. */
function importedBy(tree: SourceTree, files: ReadonlySet<string>): ReadonlySet<string> {
  const reached = new Set<string>();
  const open = [...files, ...(tree.files.has(rootModule) ? [rootModule] : [])];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    for (const site of scanModule(tree.files.get(file) ?? '').imports) {
      const found = resolveImport(tree, file, site.specifier);
      if (found.kind === 'file' && !found.json) open.push(found.path);
    }
  }
  return reached;
}

interface Host {
  answer(question: string): Promise<string>;
  diagnostics(): readonly Diagnostic[];
  /** Why the host itself ended the run. */
  stop(): readonly Diagnostic[] | null;
  report(): Omit<TestReport, 'fuel'>;
  /** The report when the run ended in the middle of a test, with that test as failed; null when no test was running. */
  stopped(why: readonly Diagnostic[]): Omit<TestReport, 'fuel'> | null;
}

/** What realm/tests.ts and sdk/testing/run.ts send. */
interface Collected {
  readonly name: string;
  readonly stack: string;
}
interface Ended {
  readonly passed: boolean;
  readonly message?: string;
  readonly stack?: string;
  readonly about?: NonNullable<TestFailure['about']>;
}

interface Running {
  readonly name: string;
  readonly file: string;
  readonly span: Span | undefined;
  readonly environments: string[];
  readonly failures: TestFailure[];
  readonly decided: Set<string>;
  milliseconds: number;
}

/** The host's side of the questions: links the declarations first, then translates numbers into rule ids; and keeps what each test gave. */
function createHost(tree: SourceTree, places: Places, options: PolicyTestOptions): Host {
  const now = options.monotonic ?? (() => 0);
  let ids: ReadonlyMap<number, string> = new Map();
  let diagnostics: readonly Diagnostic[] = [];
  const tests: Running[] = [];
  let wanted: readonly number[] = [];
  let stop: readonly Diagnostic[] | null = null;
  let current: { readonly test: Running; readonly environment: string; readonly begun: number; questions: number } | null = null;

  const collect = (collected: readonly Collected[]): readonly number[] => {
    if (collected.length > mostTests) {
      const [span] = places.framesOf(collected[mostTests]?.stack ?? '');
      diagnostics = [source.tooManyTests({ found: collected.length, most: mostTests }, { span })];
      return [];
    }
    for (const { name, stack } of collected) {
      const span = places.framesOf(stack).findLast((frame) => isTestFile(frame.file));
      tests.push({ name: shown(name), file: span?.file ?? '', span, environments: [], failures: [], decided: new Set(), milliseconds: 0 });
    }
    const text = options.filter?.toLowerCase();
    wanted = [...tests.keys()].filter((index) => {
      const test = tests[index];
      return text === undefined || test?.name.toLowerCase().includes(text) === true || test?.file.toLowerCase().includes(text) === true;
    });
    return wanted;
  };
  const end = (ended: Ended): void => {
    if (current === null) return;
    const { test, environment, begun } = current;
    test.milliseconds += now() - begun;
    if (!ended.passed) {
      const at = (ended.stack === undefined ? undefined : places.framesOf(ended.stack)[0]) ?? test.span;
      test.failures.push({
        environment,
        message: shown(ended.message ?? 'it failed', 2_100),
        ...(at ? { span: at } : {}),
        ...(ended.about ? { about: ended.about } : {}),
      });
    }
    current = null;
  };
  /** The test that runs is the one that ended the run. */
  const failed = ([why]: readonly Diagnostic[]): void => {
    if (current === null) return;
    // Its line is the test's own where the engine knows no better.
    const at = why?.span ?? current.test.span;
    current.test.failures.push({
      environment: current.environment,
      message: `it ended the run: ${why?.message ?? 'the sandbox failed'}`,
      ...(at ? { span: at } : {}),
    });
    current = null;
  };
  const ran = (): readonly Running[] => wanted.flatMap((index) => tests[index] ?? []);

  const report = (): Omit<TestReport, 'fuel'> => {
    const reported = ran().filter((test) => test.environments.length > 0);
    return {
      tests: reported.map(({ span, failures, decided, ...one }) => ({
        ...one,
        ...(span ? { span } : {}),
        ok: failures.length === 0,
        failures: together(failures, one.environments.length),
        decided: [...decided].sort(),
      })),
      skipped: tests.length - wanted.length,
      notRun: ran()
        .filter((test) => test.environments.length === 0)
        .map(({ name, file }) => ({ name, file })),
    };
  };
  const said = async (question: Record<string, unknown>): Promise<string> => {
    switch (question['op']) {
      case 'declared': {
        const linked = link(tree, question as unknown as Declared, places); // written by realm/report.ts
        ids = linked.ids;
        diagnostics = linked.diagnostics;
        return '{}';
      }
      case 'tests':
        return JSON.stringify(hasErrors(diagnostics) ? [] : collect(question['tests'] as readonly Collected[])); // written by realm/tests.ts
      case 'begin': {
        // The program goes on for a moment after it was ended.
        if (stop !== null) return enough;
        const test = tests[Number(question['index'])];
        const environment = String(question['env']);
        test?.environments.push(environment);
        current = test ? { test, environment, begun: now(), questions: 0 } : null;
        return '{}';
      }
      case 'end':
        end(question['result'] as Ended); // written by sdk/testing/run.ts
        return '{}';
      default:
        if (current === null || (current.questions += 1) <= mostQuestions) return answer(question);
        stop = [source.tooManyQuestions({ most: mostQuestions }, { span: current.test.span })];
        failed(stop);
        return enough;
    }
  };
  const answer = async (question: Record<string, unknown>): Promise<string> => {
    const asked: unknown = resolveRefs(question, ids);
    if (question['op'] === 'idOf') {
      const of = isRecord(asked) ? asked['of'] : null;
      const ref = isRecord(of) ? of['ref'] : null;
      return JSON.stringify(typeof ref === 'string' && !ref.startsWith('#') ? { id: ref } : {});
    }
    if (/"ref":"#\d+"/.test(JSON.stringify(asked)))
      return JSON.stringify({ error: 'the question names something that no policy module exports' });
    const text = await options.ask(JSON.stringify(asked));
    const found: unknown = JSON.parse(text);
    const decidedBy = isRecord(found) ? found['decidedBy'] : null;
    if (Array.isArray(decidedBy)) for (const id of decidedBy) current?.test.decided.add(String(id));
    return text;
  };
  return {
    diagnostics: () => diagnostics,
    stop: () => stop,
    report,
    stopped(why) {
      if (current === null && stop === null) return null;
      failed(why);
      return report();
    },
    async answer(text) {
      const question: unknown = JSON.parse(text);
      return isRecord(question) ? said(question) : JSON.stringify({ error: 'no question' });
    },
  };
}

/** The same failure in every environment is said once. */
function together(failures: readonly TestFailure[], environments: number): readonly TestFailure[] {
  const [first] = failures;
  if (!first || failures.length !== environments || failures.some((one) => one.message !== first.message)) return failures;
  return [{ ...first, environment: null }];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
