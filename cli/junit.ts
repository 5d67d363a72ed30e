import type { Span } from '../core/diagnostics/diagnostic';

interface JunitTest {
  readonly name: string;
  readonly ok: boolean;
  readonly file: string;
  readonly failures: readonly { readonly environment: string | null; readonly message: string; readonly span?: Span }[];
}

/** A JUnit report, one suite for each file. */
export function toJunit(tests: readonly JunitTest[], show: (file: string) => string): string {
  const files = [...new Set(tests.map((test) => test.file))].sort();
  const suites = files.map((file) => {
    const own = tests.filter((test) => test.file === file);
    const cases = own.map((test) => {
      const failures = test.failures.map((failure) => {
        const place = failure.span ? `${show(failure.span.file)}:${failure.span.line}:${failure.span.column}: ` : '';
        return `      <failure message="${escape(failure.message)}">${escape(`${place}${failure.environment === null ? '' : `${failure.environment}: `}${failure.message}`)}</failure>`;
      });
      const open = `    <testcase name="${escape(test.name)}" classname="${escape(show(file))}"`;
      return failures.length === 0 ? `${open}/>` : `${open}>\n${failures.join('\n')}\n    </testcase>`;
    });
    return `  <testsuite name="${escape(show(file))}" tests="${own.length}" failures="${own.filter((test) => !test.ok).length}">\n${cases.join('\n')}\n  </testsuite>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join('\n')}\n</testsuites>\n`;
}

/** XML 1.0 text: markup escaped, characters that XML does not have left out. */
function escape(text: string): string {
  return text
    .replace(/[^\u0009\u000a\u000d\u0020-\ud7ff\ue000-\ufffd]/g, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
