import type { Diagnostic } from '../core/diagnostics/diagnostic';
import { formatGithub, formatText, summary, toSarif } from './findings';
import { styleOf } from './output';

const found: readonly Diagnostic[] = [
  {
    code: 'MW4002',
    slug: 'never-matches',
    severity: 'error',
    message: 'never matches: 100%, of it',
    help: 'move it up',
    span: { file: 'books/a.policy.ts', line: 3, column: 5 },
    related: [{ message: 'this takes it', span: { file: 'books/a.policy.ts', line: 2, column: 1 } }],
  },
  { code: 'MW4003', slug: 'no-one-calls', severity: 'warning', message: 'nobody calls', environments: ['dev'] },
];
const show = (file: string): string => `policies/${file}`;

it('prints place, severity, code and message in columns, and what belongs to it below', () => {
  expect(formatText(found, { show, style: styleOf(false) }).split('\n')).toEqual([
    'policies/books/a.policy.ts:3:5  error MW4002  never matches: 100%, of it',
    '                                              this takes it  policies/books/a.policy.ts:2:1',
    '                                              help: move it up',
    '                                warn  MW4003  nobody calls  (dev)',
  ]);
});
it('counts', () => {
  expect(summary(found)).toBe('1 error, 1 warning');
  expect(summary([])).toBe('nothing found');
});
it('escapes what GitHub would take for its own', () => {
  expect(formatGithub(found, show).split('\n')[0]).toBe(
    '::error file=policies/books/a.policy.ts,line=3,col=5,title=MW4002 never-matches::never matches: 100%25, of it%0Ahelp: move it up',
  );
});
it('gives SARIF with a rule for each code and a region for each place', () => {
  expect(toSarif(found, show, '1.2.3')).toMatchObject({
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { rules: [{ id: 'MW4002' }, { id: 'MW4003' }] } },
        results: [
          { level: 'error', locations: [{ physicalLocation: { region: { startLine: 3, startColumn: 5 } } }] },
          { level: 'warning', locations: [] },
        ],
      },
    ],
  });
});
it('paints only where it is asked to', () => {
  expect(formatText(found, { show, style: styleOf(true) })).toContain('\u001b[31m');
  expect(formatText(found, { show, style: styleOf(false) })).not.toContain('\u001b');
});
