import fc from 'fast-check';
import { scanModule } from './scan';

const imports = (text: string): readonly string[] =>
  scanModule(text).imports.map(
    (one) => `${one.specifier}${one.typeOnly ? ' type' : ''}${one.reExport ? ' re-export' : ''}${one.attribute ? ` ${one.attribute}` : ''}`,
  );

test.each([
  ["import a from 'x';", ['x']],
  ["import { a, type B } from 'x'", ['x']],
  ["import type { A } from 'x'", ['x type']],
  ["import type from 'x'", ['x']],
  ["import type, { a } from 'x'", ['x']],
  ["import type type from 'x'", ['x type']],
  ["import * as a from 'x'", ['x']],
  ["import 'x'", ['x']],
  ["import { 'odd name' as a } from 'x'", ['x']],
  ["import data from './d.json' with { type: 'json' };", ['./d.json json']],
  ["import data from './d.json' with { type: 'css' };", ['./d.json odd']],
  ["import data from './d.json' assert { type: 'json' };", ['./d.json odd']],
  ["export { a } from 'x'; export { b };\nconst from = 1; 'y'", ['x re-export']],
  ["export * from 'x'; export * as y from 'z';", ['x re-export', 'z re-export']],
  ["export type { A } from 'x'", ['x type re-export']],
  ["// import a from 'x'\n/* import b from 'y' */ const s = \"import c from 'z'\";", []],
  ["const t = `import a from 'x' ${`nested ${'}'} import b from 'y'`}`; import c from 'z'", ['z']],
  ["const r = /import a from 'x'/g.test('y'); import c from 'z'", ['z']],
  ["const n = a / b / c; import d from 'x'", ['x']],
  ["if (a) /'/.test(b); import c from 'x'", ['x']],
  ["const o = { import: 1, declare: 2 }; o.import; import a from 'x'", ['x']],
  ["const q = a ? import1 : b; import a from 'x'", ['x']],
])('%s', (text, expected) => {
  const scan = scanModule(text);
  expect(scan.stopped).toBeUndefined();
  expect(imports(text)).toEqual(expected);
});

test.each([
  "const s = 'open",
  'const t = `open',
  '/* open',
  'const a = {}\n/x/',
  'a! /x/',
  'a ]',
  '( [',
  'const a = \\u0061;',
  '#!x\u0001',
])('%j is not guessed at', (text) => {
  expect(scanModule(text).stopped).toBeDefined();
});

test('any text is read or refused, and never hangs or throws', () => {
  const piece = fc.constantFrom(
    'import',
    'export',
    ' ',
    '\n',
    "'",
    '"',
    '`',
    '${',
    '}',
    '{',
    '(',
    ')',
    '[',
    ']',
    '/',
    '//',
    '/*',
    '*/',
    '\\',
    'a',
    'from',
    "'x'",
    '=',
    '!',
    ';',
    '1n',
    '.',
    'declare',
    'module',
    'if',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const text = pieces.join('');
      const { imports, stopped } = scanModule(text);
      for (const one of imports) expect(text.slice(one.start + 1, one.end - 1)).toBe(one.specifier);
      if (stopped) expect(stopped.at).toBeLessThanOrEqual(text.length);
    }),
    { numRuns: 2000, seed: 1 },
  );
});
