import { hasErrors, type Diagnostic, type Outcome, type Span } from '../../core/diagnostics/diagnostic';
import { evaluate as said } from '../../core/diagnostics/evaluate';
import { checkTree, isTestFile, type SourceTree } from '../../core/source';
import { bundle } from './bundle';
import { lost, sharedSandbox, type EvaluateOptions } from './evaluate';
import { link, resolveRefs, shown, type Declared } from './link';
import { placesOf, type Places } from './origins';
import { defaultMemory } from './sandbox';
import { verdictOf } from './verdict';

export interface PolicyTestOptions extends EvaluateOptions {
  /** Each test runs once in each. */
  readonly environments: readonly string[];
  /** Answers a question (JSON, rule ids in place of the sandbox's numbers) with JSON. */
  readonly ask: (question: string) => string | Promise<string>;
}
export interface TestFailure {
  readonly environment: string | null;
  readonly message: string;
  readonly span?: Span;
}
export interface PolicyTest {
  readonly name: string;
  readonly file: string;
  readonly span?: Span;
  readonly ok: boolean;
  /** Where it passed or failed. */
  readonly environments: readonly string[];
  readonly failures: readonly TestFailure[];
}
export interface TestReport {
  /** In the order they were written, files in order of path. */
  readonly tests: readonly PolicyTest[];
  /** Rules that some answer named as deciding. Sorted. */
  readonly decidedRules: readonly string[];
  readonly fuel: number;
}

interface Results {
  readonly results: readonly {
    readonly name: string;
    readonly env: string;
    readonly ok: boolean;
    readonly message?: string;
    readonly at?: string;
    readonly stack: string;
    readonly index: number;
  }[];
}

/**
 * Runs the `*.policy.test.ts` modules in the same sandbox as the policies, with questions answered by the host. Errors: as for evaluate; a
 * test that fails is no diagnostic but a result.
 */
export async function runPolicyTests(tree: SourceTree, options: PolicyTestOptions): Promise<Outcome<TestReport>> {
  const refused = checkTree(tree);
  if (hasErrors(refused)) return { diagnostics: refused };
  if (![...tree.files.keys()].some(isTestFile)) return { value: { tests: [], decidedRules: [], fuel: 0 }, diagnostics: [] };
  const sandbox = options.sandbox ?? sharedSandbox();
  const bundled = await bundle(tree, options);
  if (!bundled.value) return { diagnostics: bundled.diagnostics };
  // Tests ask about everything, in every environment: more work than the policies themselves, and still bounded.
  const limits = { fuel: options.fuel ?? 40_000, memoryBytes: options.memoryBytes ?? defaultMemory, wallMs: options.wallMs ?? 120_000 };
  const places = placesOf(bundled.value.map);
  const host = createHost(tree, places, options.ask);
  const ran = await sandbox.run({ code: bundled.value.code, ...limits, ask: host.answer });
  if (hasErrors(host.diagnostics())) return { diagnostics: host.diagnostics() };
  if (ran.kind !== 'finished') return { diagnostics: [lost(ran, limits)] };
  const verdict = verdictOf(ran.finished, limits, places);
  if (hasErrors(verdict)) return { diagnostics: verdict };
  if (ran.finished.json === null) return { diagnostics: [said.crash({ reason: 'no result' })] };
  const { results } = JSON.parse(ran.finished.json) as Results; // written by realm/tests.ts alone
  return { value: { tests: gather(results, places), decidedRules: host.decided(), fuel: ran.finished.fuel }, diagnostics: [] };
}

interface Host {
  answer(question: string): Promise<string>;
  diagnostics(): readonly Diagnostic[];
  decided(): readonly string[];
}

/** The host's side of the questions: links the declarations first, then translates numbers into rule ids. */
function createHost(tree: SourceTree, places: Places, ask: PolicyTestOptions['ask']): Host {
  let ids: ReadonlyMap<number, string> = new Map();
  let diagnostics: readonly Diagnostic[] = [];
  const decided = new Set<string>();
  return {
    diagnostics: () => diagnostics,
    decided: () => [...decided].sort(),
    async answer(text) {
      const question: unknown = JSON.parse(text);
      if (!isRecord(question)) return JSON.stringify({ error: 'no question' });
      if (question['op'] === 'declared') {
        const linked = link(tree, question as unknown as Declared, places); // written by realm/report.ts
        ids = linked.ids;
        diagnostics = linked.diagnostics;
        return '{}';
      }
      const asked: unknown = resolveRefs(question, ids);
      if (question['op'] === 'idOf') {
        const of = isRecord(asked) ? asked['of'] : null;
        const ref = isRecord(of) ? of['ref'] : null;
        return JSON.stringify(typeof ref === 'string' && !ref.startsWith('#') ? { id: ref } : {});
      }
      if (/"ref":"#\d+"/.test(JSON.stringify(asked)))
        return JSON.stringify({ error: 'the question names something that no policy module exports' });
      const answer = await ask(JSON.stringify(asked));
      for (const id of decidersOf(JSON.parse(answer))) decided.add(id);
      return answer;
    },
  };
}

/** The rules that a decision names. */
function decidersOf(answer: unknown): readonly string[] {
  const decision = isRecord(answer) ? answer['decision'] : null;
  if (!isRecord(decision)) return [];
  const texts = (value: unknown): readonly string[] => (Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []);
  const route = isRecord(decision['route']) && typeof decision['route']['rule'] === 'string' ? [decision['route']['rule']] : [];
  const destinations: readonly unknown[] = Array.isArray(decision['destinations']) ? decision['destinations'] : [];
  return [...texts(decision['because']), ...route, ...destinations.flatMap((one) => (isRecord(one) ? texts(one['because']) : []))];
}

function gather(results: Results['results'], places: Places): readonly PolicyTest[] {
  const tests = new Map<number, { name: string; file: string; span?: Span; environments: string[]; failures: TestFailure[] }>();
  for (const result of results) {
    const span = places.framesOf(result.stack).findLast((frame) => isTestFile(frame.file));
    let one = tests.get(result.index);
    if (!one)
      tests.set(
        result.index,
        (one = { name: shown(result.name), file: span?.file ?? '', environments: [], failures: [], ...(span ? { span } : {}) }),
      );
    one.environments.push(result.env);
    if (result.ok) continue;
    const at = places.framesOf(result.at ?? result.stack)[0] ?? span;
    one.failures.push({ environment: result.env, message: shown(result.message ?? 'it failed'), ...(at ? { span: at } : {}) });
  }
  return [...tests.values()].map((one) => ({
    ...one,
    ok: one.failures.length === 0,
    failures: together(one.failures, one.environments.length),
  }));
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
