/**
 * The report that CI systems read: `testsuites`, a `testsuite` for each file, a `testcase` for each test with its time and at most one `failure`
 * (readers take the first only), whose text has all of them.
 */
import { hasErrors, type Diagnostic } from '../../core/diagnostics/diagnostic';
import type { PolicyTest } from '../../compiler/evaluate/policy-tests';
import { formatText } from '../findings';
import { styleOf } from '../output';
import { failureLines } from './print';
import type { TestRun } from './session';

type Show = (file: string) => string;

/** A mesh that does not compile, or a run that a test ended, is a suite of its own with an error: a report without it would read as all well. */
export function toJunit(run: TestRun, show: Show): string {
  const files = [...new Set([...run.tests, ...run.notRun].map((test) => test.file))].sort();
  const suites = [
    ...(hasErrors(run.diagnostics) ? [broken(run.diagnostics, show)] : []),
    ...files.map((file) => {
      const tests = run.tests.filter((test) => test.file === file);
      const left = run.notRun.filter((test) => test.file === file);
      return suite(
        show(file),
        tests,
        [
          ...tests.map((test) => testCase(run, test, show)),
          ...left.map(
            (test) => `    <testcase ${attributes({ name: test.name, classname: show(file), time: '0.000' })}><skipped/></testcase>`,
          ),
        ],
        left.length,
      );
    }),
  ];
  const errors = hasErrors(run.diagnostics) ? 1 : 0;
  const failures = run.tests.filter((test) => !test.ok).length;
  const total = attributes({
    name: 'meshwright test',
    tests: run.tests.length + run.notRun.length + errors,
    failures,
    errors,
    skipped: run.notRun.length,
    time: seconds(run.milliseconds),
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ${total}>\n${suites.map((one) => `${one}\n`).join('')}</testsuites>\n`;
}

function suite(name: string, tests: readonly PolicyTest[], cases: readonly string[], skipped: number): string {
  const failures = tests.filter((test) => !test.ok).length;
  const time = seconds(tests.reduce((sum, test) => sum + test.milliseconds, 0));
  return `  <testsuite ${attributes({ name, tests: cases.length, failures, errors: 0, skipped, time })}>\n${cases.join('\n')}\n  </testsuite>`;
}

function testCase(run: TestRun, test: PolicyTest, show: Show): string {
  const line = test.span ? { line: test.span.line } : {};
  const open = `    <testcase ${attributes({ name: test.name, classname: show(test.file), file: show(test.file), ...line, time: seconds(test.milliseconds) })}`;
  const [first] = test.failures;
  if (!first) return `${open}/>`;
  const text = test.failures.flatMap((failure) => failureLines(run, failure, show)).join('\n');
  return `${open}>\n      <failure ${attributes({ message: first.message, type: 'expectation' })}>${escape(text)}</failure>\n    </testcase>`;
}

function broken(diagnostics: readonly Diagnostic[], show: Show): string {
  const errors = diagnostics.filter((one) => one.severity === 'error');
  const name = 'meshwright check';
  const message = `${errors[0]?.code ?? ''} ${errors[0]?.message ?? ''}`;
  const text = formatText(errors, { show, style: styleOf(false) });
  return [
    `  <testsuite ${attributes({ name, tests: 1, failures: 0, errors: 1, skipped: 0, time: '0.000' })}>`,
    `    <testcase ${attributes({ name: 'the policies compile and their tests run', classname: name, time: '0.000' })}>`,
    `      <error ${attributes({ message, type: errors[0]?.code ?? '' })}>${escape(text)}</error>`,
    '    </testcase>',
    '  </testsuite>',
  ].join('\n');
}

const seconds = (milliseconds: number): string => (milliseconds / 1_000).toFixed(3);

function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(
      ([name, value]) =>
        `${name}="${escape(String(value)).replaceAll('"', '&quot;').replaceAll('\t', '&#9;').replaceAll('\n', '&#10;').replaceAll('\r', '&#13;')}"`,
    )
    .join(' ');
}

/** XML 1.0 text (w3.org/TR/xml, 2.2 and 2.4): what is no character of it, half a pair among it, becomes U+FFFD, markup is escaped; `>` too, so that no `]]>` stays. */
function escape(text: string): string {
  return text
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');
}
