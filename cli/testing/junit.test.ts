import { evaluate } from '../../core/diagnostics/evaluate';
import { toJunit } from './junit';
import type { TestRun } from './session';

const show = (file: string): string => `policies/${file}`;
const run: TestRun = {
  diagnostics: [],
  mesh: 'these',
  files: ['books/a.policy.test.ts'],
  tests: [
    {
      name: 'passes',
      file: 'books/a.policy.test.ts',
      span: { file: 'books/a.policy.test.ts', line: 3, column: 1 },
      ok: true,
      environments: ['dev', 'prod'],
      failures: [],
      decided: [],
      milliseconds: 1.6,
    },
    {
      name: 'a ]]> <b attr="1">&amp;</b>\n\u0007\ud83d\ude00\ud83d',
      file: 'books/a.policy.test.ts',
      ok: false,
      environments: ['dev', 'prod'],
      failures: [
        {
          environment: 'prod',
          message: 'expected "this" & <that>',
          span: { file: 'books/a.policy.test.ts', line: 5, column: 2 },
          about: { asked: 'GET / from a to b', answered: 'denied with 403: no', rules: ['books/rule'] },
        },
        { environment: 'dev', message: 'and another' },
      ],
      decided: [],
      milliseconds: 2,
    },
  ],
  skipped: 0,
  notRun: [{ name: 'left', file: 'books/b.policy.test.ts' }],
  coverage: null,
  places: { 'books/rule': { file: 'books/a.policy.ts', line: 7, column: 14, chain: [] } },
  milliseconds: 1_234,
};

it('has a suite for each file, with places, times, and what the failure was about', () => {
  expect(toJunit(run, show)).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="meshwright test" tests="3" failures="1" errors="0" skipped="1" time="1.234">
  <testsuite name="policies/books/a.policy.test.ts" tests="2" failures="1" errors="0" skipped="0" time="0.004">
    <testcase name="passes" classname="policies/books/a.policy.test.ts" file="policies/books/a.policy.test.ts" line="3" time="0.002"/>
    <testcase name="a ]]&gt; &lt;b attr=&quot;1&quot;&gt;&amp;amp;&lt;/b&gt;&#10;\ufffd\ud83d\ude00\ufffd" classname="policies/books/a.policy.test.ts" file="policies/books/a.policy.test.ts" time="0.002">
      <failure message="expected &quot;this&quot; &amp; &lt;that&gt;" type="expectation">policies/books/a.policy.test.ts:5:2  prod: expected "this" &amp; &lt;that&gt;
  asked     GET / from a to b
  answered  denied with 403: no
  by        books/rule  policies/books/a.policy.ts:7:14
dev: and another</failure>
    </testcase>
  </testsuite>
  <testsuite name="policies/books/b.policy.test.ts" tests="1" failures="0" errors="0" skipped="1" time="0.000">
    <testcase name="left" classname="policies/books/b.policy.test.ts" time="0.000"><skipped/></testcase>
  </testsuite>
</testsuites>
`);
});

it('is an error and no empty report when the policies do not compile', () => {
  const diagnostics = [evaluate.fuel({ fuel: 1 }, { span: { file: 'books/a.policy.ts', line: 2, column: 1 } })];
  const report = toJunit({ ...run, mesh: 'none', tests: [], notRun: [], diagnostics }, show);
  expect(report).toContain('<testsuites name="meshwright test" tests="1" failures="0" errors="1"');
  expect(report).toMatch(/<error message="MW2001 [^"]+" type="MW2001">policies\/books\/a\.policy\.ts:2:1 /);
});
