import * as path from 'node:path';
import { hasErrors } from '../../core/diagnostics/diagnostic';
import { writeFileAtomic } from '../../platform/files';
import { UsageError, type CommandContext, type Run } from '../command';
import { toJson } from '../findings';
import { sourcesOf, type Sources } from '../policies';
import { coverageLines, percentText, withPlaces, type PlacedCoverage } from '../testing/coverage';
import { toJunit } from '../testing/junit';
import { noMeshLine, nothingToRun, printTests, totalLine } from '../testing/print';
import { createSession, passed, type TestRun } from '../testing/session';
import type { Values } from '../values';

/** `meshwright test`: the policy tests, in the sandbox, against the executable definition; and which rules no test decided. */
export const run: Run = async (context, values) => {
  const least = leastCoverage(values);
  if (values.flag('watch')) {
    if (context.json) throw new UsageError('`--watch` prints again and again, and `--json` is one document: leave one of them out');
    if (least !== undefined) throw new UsageError('`--coverage-min` is a gate, and `--watch` never ends by one: leave one of them out');
    const { watchTests } = await import('../testing/watch.js');
    return watchTests(context, values, createSession(context, values, true), async (tested, sources) => {
      await writeJunit(context, values, tested, sources);
      const coverage = placed(tested, sources);
      if (values.flag('coverage') && coverage) for (const line of coverageLines(coverage)) context.out.line(line);
    });
  }
  const sources = await sourcesOf(context, values.text('dir'));
  const tested = await createSession(context, values).run(sources);
  await writeJunit(context, values, tested, sources);
  const coverage = placed(tested, sources);
  const below = least !== undefined && coverage !== null && coverage.percent < least;
  const ok = passed(tested) && nothingToRun(tested, values.text('filter')) === null && !below;
  print(context, values, tested, sources, coverage);
  context.out.document({
    ok,
    tests: tested.tests,
    skipped: tested.skipped,
    notRun: tested.notRun,
    ...(coverage ? { coverage } : {}),
    diagnostics: toJson(tested.diagnostics, sources.show),
    milliseconds: tested.milliseconds,
  });
  if (below)
    context.out.line(context.out.style.red(`decided by a test: ${percentText(coverage.percent)}, and --coverage-min asks for ${least} %`));
  return ok ? 0 : 1;
};

function print({ out }: CommandContext, values: Values, tested: TestRun, sources: Sources, coverage: PlacedCoverage | null): void {
  printTests(out, tested, sources.show);
  if (tested.mesh === 'none') return out.line(noMeshLine(tested));
  const nothing = nothingToRun(tested, values.text('filter'));
  if (nothing !== null) out.line(nothing);
  const asked = values.flag('coverage') || values.text('coverageMin') !== undefined;
  if (coverage && asked) for (const line of coverageLines(coverage)) out.line(line);
  out.line(totalLine(tested, asked ? null : coverage));
}

/** Of a part of the tests, or of tests that did not come to their end, it says nothing. */
function placed(tested: TestRun, sources: Sources): PlacedCoverage | null {
  if (tested.coverage === null || tested.skipped > 0 || hasErrors(tested.diagnostics)) return null;
  return withPlaces(tested.coverage, tested.places, sources.show);
}

async function writeJunit(context: CommandContext, values: Values, tested: TestRun, sources: Sources): Promise<void> {
  const file = values.text('junit');
  if (file === undefined) return;
  try {
    await writeFileAtomic(path.resolve(context.cwd, file), toJunit(tested, sources.show));
  } catch (error) {
    throw new UsageError(`the report cannot be written: ${error instanceof Error ? error.message : file}`);
  }
}

function leastCoverage(values: Values): number | undefined {
  const text = values.text('coverageMin');
  if (text === undefined) return undefined;
  const percent = /^\d{1,3}(?:\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (!(percent <= 100)) throw new UsageError(`\`--coverage-min\` takes a percentage from 0 to 100, not \`${text}\``);
  if (values.text('filter') !== undefined) throw new UsageError('`--coverage-min` is about all tests: leave `--filter` out');
  return percent;
}
