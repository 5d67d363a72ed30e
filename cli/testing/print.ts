/** A test run for people. */
import { hasErrors } from '../../core/diagnostics/diagnostic';
import type { PolicyTest, TestFailure } from '../../compiler/evaluate/policy-tests';
import { formatText, summary } from '../findings';
import { counted, duration, type Output } from '../output';
import { shownPlace } from '../places';
import { percentText, type PlacedCoverage } from './coverage';
import type { TestRun } from './session';

type Show = (file: string) => string;

/** Each test on a line, below it what failed and the lines that decided; `only` names the files of the tests that passed to print as well. */
export function printTests(out: Output, run: TestRun, show: Show, only?: ReadonlySet<string>): void {
  if (run.diagnostics.length > 0) out.line(formatText(run.diagnostics, { show, style: out.style }));
  const tests = run.tests.filter((test) => !test.ok || (only?.has(test.file) ?? true));
  const width = Math.max(...tests.map((test) => test.name.length), 20);
  for (const test of tests) {
    const word = test.ok ? out.style.green('ok  ') : out.style.red('FAIL');
    out.line(`${word} ${test.name.padEnd(width)}  ${out.style.dim(test.environments.join(' '))}`);
    for (const failure of test.failures) for (const line of failureLines(run, failure, show)) out.line(`     ${line}`);
  }
  for (const test of run.notRun) out.line(`${out.style.yellow('left')} ${test.name.padEnd(width)}  ${out.style.dim(show(test.file))}`);
}

/** The place and the message, then the question, the answer and the lines of the rules that decided. */
export function failureLines(run: Pick<TestRun, 'places'>, failure: TestFailure, show: Show): readonly string[] {
  const { about } = failure;
  const rules = (about?.rules ?? []).map((id) => [id, shownPlace(run.places, id, show)] as const);
  return [
    `${placeText(failure, show)}${failure.environment === null ? '' : `${failure.environment}: `}${failure.message}`,
    ...(about ? [`  asked     ${about.asked}`, `  answered  ${about.answered}`] : []),
    ...rules.map(([id, place]) => `  by        ${id}${place === null ? '' : `  ${place}`}`),
  ];
}
const placeText = ({ span }: TestFailure, show: Show): string => (span ? `${show(span.file)}:${span.line}:${span.column}  ` : '');

/** `6 passed, 0 failed      decided by a test: 92.3 % of 13 rules      310 ms`. */
export function totalLine(run: TestRun, coverage: PlacedCoverage | null): string {
  const failed = run.tests.filter((test: PolicyTest) => !test.ok).length;
  const parts = [
    `${run.tests.length - failed} passed, ${failed} failed`,
    ...(run.skipped > 0 ? [`${run.skipped} left out`] : []),
    ...(run.notRun.length > 0 ? [`${run.notRun.length} not run`] : []),
  ];
  const covered =
    coverage && coverage.rules > 0 ? `      decided by a test: ${percentText(coverage.percent)} of ${counted(coverage.rules, 'rule')}` : '';
  return `${parts.join(', ')}${covered}      ${duration(run.milliseconds)}`;
}

/** Why no mesh could be asked. */
export const noMeshLine = (run: TestRun): string => `no test was run: ${summary(run.diagnostics)}`;

export const nothingToRun = (run: TestRun, filter: string | undefined): string | null => {
  if (run.tests.length + run.notRun.length > 0 || hasErrors(run.diagnostics)) return null;
  if (filter !== undefined && run.skipped > 0) return `no test has \`${filter}\` in its name or file`;
  return 'there is no test: write one in a `*.policy.test.ts` beside the policies';
};
