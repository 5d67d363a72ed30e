import { hasErrors } from '../../core/diagnostics/diagnostic';
import { writeFileAtomic } from '../../platform/files';
import { answerQuestion, createCoverage } from '../../compiler/answer';
import { systemClock } from '../../platform/clock';
import * as path from 'node:path';
import type { Run } from '../command';
import { formatText, summary, toJson } from '../findings';
import { toJunit } from '../junit';
import { counted, duration } from '../output';
import { compileSources, sourcesOf } from '../policies';

/** `meshwright test`: the policy tests, in the sandbox, against the executable definition; and which rules no test decided. */
export const run: Run = async (context, values) => {
  const begun = systemClock.monotonic();
  const { out } = context;
  const sources = await sourcesOf(context, values.text('dir'));
  const compiled = await compileSources(context, values, sources, { stopAfter: 'lower' });
  if (!sources.tree || compiled.irs.size === 0 || hasErrors(compiled.diagnostics)) {
    out.document({ ok: false, diagnostics: toJson(compiled.diagnostics, sources.show) });
    out.line(formatText(compiled.diagnostics, { show: sources.show, style: out.style }));
    out.line(`no test was run: ${summary(compiled.diagnostics)}`);
    return 1;
  }
  const { runPolicyTests } = await import('../../compiler/evaluate/index.js');
  const coverage = createCoverage(compiled.irs);
  const environments = [...compiled.irs.keys()];
  const done = out.progress('running tests');
  const ran = await runPolicyTests(sources.tree, { environments, ask: (question) => answerQuestion(compiled.irs, question, coverage) });
  done();
  const took = systemClock.monotonic() - begun;
  if (!ran.value) {
    out.document({ ok: false, diagnostics: toJson(ran.diagnostics, sources.show) });
    out.line(formatText(ran.diagnostics, { show: sources.show, style: out.style }));
    return 1;
  }
  const { tests } = ran.value;
  const failed = tests.filter((test) => !test.ok);
  const covered = coverage.report();
  const junit = values.text('junit');
  if (junit !== undefined) await writeFileAtomic(path.resolve(context.cwd, junit), toJunit(tests, sources.show));
  out.document({
    ok: failed.length === 0 && !hasErrors(ran.diagnostics),
    tests,
    coverage: covered,
    diagnostics: toJson(ran.diagnostics, sources.show),
    milliseconds: took,
  });
  if (ran.diagnostics.length > 0) out.line(formatText(ran.diagnostics, { show: sources.show, style: out.style }));
  const width = Math.max(...tests.map((test) => test.name.length), 20);
  for (const test of tests) {
    out.line(
      `${test.ok ? out.style.green('ok  ') : out.style.red('FAIL')} ${test.name.padEnd(width)}  ${out.style.dim(test.environments.join(' '))}`,
    );
    for (const failure of test.failures) {
      const place = failure.span ? `${sources.show(failure.span.file)}:${failure.span.line}:${failure.span.column}  ` : '';
      out.line(`     ${place}${failure.environment === null ? '' : `${failure.environment}: `}${failure.message}`);
    }
  }
  const share =
    covered.rules === 0
      ? ''
      : `      rules decided by a test: ${covered.decided} of ${counted(covered.rules, 'rule')} (${((100 * covered.decided) / covered.rules).toFixed(1)} %)`;
  out.line(`${tests.length - failed.length} passed, ${failed.length} failed${share}      ${duration(took)}`);
  return failed.length === 0 && !hasErrors(ran.diagnostics) ? 0 : 1;
};
