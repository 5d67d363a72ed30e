/** One folder of policies and its tests, run as often as it changes. */
import { hasErrors, type Diagnostic } from '../../core/diagnostics/diagnostic';
import type { SourceMap } from '../../core/bundle/objects';
import type { MeshIr } from '../../core/ir/ir';
import { digestOfJson } from '../../core/lib/digest';
import { isTestFile, sourceTree, type SourceTree } from '../../core/source/tree';
import { coverageOf, type CoverageReport } from '../../compiler/coverage';
import { answerQuestion } from '../../compiler/answer';
import type { PolicyTest, TestReport } from '../../compiler/evaluate/policy-tests';
import { cacheFolder } from '../../platform/files';
import { systemClock } from '../../platform/clock';
import type { CommandContext } from '../command';
import { compileSources, type Sources } from '../policies';
import type { Values } from '../values';

/** What one run gave. */
export interface TestRun {
  /** Of the sources as they are now. Errors: they do not compile, or a test ended the run. */
  readonly diagnostics: readonly Diagnostic[];
  /** The mesh that was asked: that of these sources, the last one that compiled, or none. */
  readonly mesh: 'these' | 'last good' | 'none';
  /** The test files that were run now; the results of the others are those of before. */
  readonly files: readonly string[];
  readonly tests: readonly PolicyTest[];
  readonly skipped: number;
  readonly notRun: TestReport['notRun'];
  /** Null when no mesh was asked. */
  readonly coverage: CoverageReport | null;
  /** Where rules lie in the mesh that was asked. */
  readonly places: SourceMap;
  readonly milliseconds: number;
}

export const passed = (run: TestRun): boolean => run.mesh === 'these' && !hasErrors(run.diagnostics) && run.tests.every((test) => test.ok);

export interface Session {
  /** Runs what the difference to the last run asks for. */
  run(sources: Sources): Promise<TestRun>;
}

/** The last mesh that compiled, and what it was made of. */
interface Good {
  readonly key: string;
  readonly tree: SourceTree;
  readonly irs: ReadonlyMap<string, MeshIr>;
  readonly places: SourceMap;
}
interface FileResult {
  /** What was run; null when that did not come to its end. */
  readonly text: string | null;
  readonly report: TestReport;
}

/** @param keep whether there will be more runs: then the type checker keeps its state. */
export function createSession(context: CommandContext, values: Values, keep = false): Session {
  const filter = values.text('filter');
  let good: Good | null = null;
  let results: ReadonlyMap<string, FileResult> = new Map();

  /** Runs test files against a mesh, each anew whose text is not the one that was run last. */
  const runTests = async (
    mesh: Good,
    tree: SourceTree,
  ): Promise<{ readonly files: readonly string[]; readonly diagnostics: readonly Diagnostic[] }> => {
    const { runPolicyTests } = await import('../../compiler/evaluate/index.js');
    const all = [...tree.files].filter(([file]) => isTestFile(file));
    const changed = all.filter(([file, text]) => results.get(file)?.text !== text).map(([file]) => file);
    const kept = new Map([...results].filter(([file]) => tree.files.has(file) && !changed.includes(file)));
    const part = kept.size > 0;
    if (part && changed.length === 0) {
      results = kept;
      return { files: [], diagnostics: [] };
    }
    const done = context.out.progress('running tests');
    try {
      const ran = await runPolicyTests(tree, {
        environments: [...mesh.irs.keys()],
        ask: (question) => answerQuestion(mesh.irs, question),
        monotonic: () => systemClock.monotonic(),
        ...(filter === undefined ? {} : { filter }),
        ...(part ? { files: new Set(changed) } : {}),
      });
      const { value } = ran;
      // What did not run to its end is run again next time, whatever changes.
      const whole = !hasErrors(ran.diagnostics);
      for (const file of changed) {
        const own: TestReport = {
          tests: value?.tests.filter((test) => test.file === file) ?? [],
          notRun: value?.notRun.filter((test) => test.file === file) ?? [],
          skipped: 0,
          fuel: 0,
        };
        kept.set(file, { text: whole ? (tree.files.get(file) ?? '') : null, report: own });
      }
      const [first] = changed;
      const holder = first === undefined ? undefined : kept.get(first);
      // Which file a left-out test is of, nobody needs to know.
      if (first !== undefined && holder && value) kept.set(first, { ...holder, report: { ...holder.report, skipped: value.skipped } });
      results = kept;
      return { files: changed, diagnostics: ran.diagnostics };
    } finally {
      done();
    }
  };

  const finish = (mesh: TestRun['mesh'], files: readonly string[], diagnostics: readonly Diagnostic[], begun: number): TestRun => {
    const reports = [...results.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, { report }]) => report);
    const tests = reports.flatMap((report) => report.tests);
    const decided = new Set(tests.filter((test) => test.ok).flatMap((test) => test.decided));
    return {
      diagnostics,
      mesh,
      files,
      tests: mesh === 'none' ? [] : tests,
      skipped: reports.reduce((sum, report) => sum + report.skipped, 0),
      notRun: reports.flatMap((report) => report.notRun),
      coverage: mesh === 'none' || !good ? null : coverageOf(good.irs, decided),
      places: good?.places ?? {},
      milliseconds: systemClock.monotonic() - begun,
    };
  };

  return {
    async run(sources) {
      const begun = systemClock.monotonic();
      const { tree } = sources;
      if (!tree || hasErrors(sources.diagnostics)) return finish('none', [], sources.diagnostics, begun);
      const key = keyOf(tree);
      if (good?.key === key) {
        const { typecheck } = await import('../../compiler/typecheck/index.js');
        const [ran, typed] = await Promise.all([runTests(good, tree), typecheck(tree, keep ? { cacheDir: cacheFolder('compile') } : {})]);
        return finish(
          'these',
          ran.files,
          [...sources.diagnostics, ...(hasErrors(typed.diagnostics) ? typed.diagnostics : [...typed.diagnostics, ...ran.diagnostics])],
          begun,
        );
      }
      const compiled = await compileSources(context, values, sources, { stopAfter: 'lower' });
      if (hasErrors(compiled.diagnostics) || compiled.irs.size === 0) {
        if (!good) return finish('none', [], compiled.diagnostics, begun);
        const before = good.tree;
        const mixed = sourceTree(
          [...before.files].filter(([file]) => !isTestFile(file)).concat([...tree.files].filter(([file]) => isTestFile(file))),
          tree.root,
          before.imports,
        );
        const ran = await runTests(good, mixed);
        return finish('last good', ran.files, compiled.diagnostics, begun);
      }
      good = { key, tree, irs: compiled.irs, places: compiled.sources };
      results = new Map();
      const ran = await runTests(good, tree);
      return finish('these', ran.files, [...compiled.diagnostics, ...ran.diagnostics], begun);
    },
  };
}

/** Of everything but the tests. */
function keyOf(tree: SourceTree): string {
  return digestOfJson({ files: [...tree.files].filter(([file]) => !isTestFile(file)), imports: tree.imports });
}
