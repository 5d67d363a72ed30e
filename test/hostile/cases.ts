/** Hostile and unlucky policy modules: what each does, and the one code it is refused with. `books/evil.policy.ts` unless files are given. */
export interface HostileCase {
  readonly name: string;
  /** The body of `books/evil.policy.ts`, after its imports. */
  readonly body?: string;
  /** Other files, or the same one whole. */
  readonly files?: { readonly [path: string]: string };
  readonly code: string;
  readonly limits?: { readonly fuel?: number; readonly memoryBytes?: number; readonly wallMs?: number; readonly resultLength?: number };
}
const evil = 'books/evil.policy.ts';
const whole = (text: string): NonNullable<HostileCase['files']> => ({ [evil]: text });

/** Refused before anything runs. */
export const sources: readonly HostileCase[] = [
  {
    name: 'an import cycle that would drop a condition',
    code: 'MW1030',
    files: {
      'books/a.policy.ts':
        "import { reviews, details } from './services.policy';\nimport { secret } from './b.policy';\nexport const only = { 'x-secret': 'a' };\nexport const door = reviews.ports.web.allow({ from: details, requests: ['GET /reviews'], headers: secret });\n",
      'books/b.policy.ts': "import { only } from './a.policy';\nexport const secret = only;\n",
    },
  },
  {
    name: 'a folder with the name of the root module',
    code: 'MW1018',
    files: { 'mesh/evil.policy.ts': 'export const x = 1;\n' },
  },
  { name: 'a module that imports itself', code: 'MW1030', files: whole("import * as me from './evil.policy';\nexport const x = me;\n") },
  {
    name: 'a path out of the policy directory',
    code: 'MW1021',
    files: whole("import { x } from '../../../../etc/passwd';\nexport const y = x;\n"),
  },
  {
    name: "another team's folder",
    code: 'MW1022',
    files: {
      ...whole("import { x } from '../orders/inner.policy';\nexport const y = x;\n"),
      'orders/inner.policy.ts': 'export const x = 1;\n',
    },
  },
  {
    name: 'a file system module',
    code: 'MW1023',
    files: whole("import { readFileSync } from 'node:fs';\nexport const y = readFileSync;\n"),
  },
  {
    name: 'a module of Node.js without its prefix',
    code: 'MW1023',
    files: whole("import child from 'child_process';\nexport const y = child;\n"),
  },
  { name: 'a package', code: 'MW1024', files: whole("import x from 'lodash';\nexport const y = x;\n") },
  { name: 'a specifier written in escapes', code: 'MW1024', files: whole("import x from '\\x6eode:fs';\nexport const y = x;\n") },
  { name: 'an absolute path', code: 'MW1025', files: whole("import x from '/etc/passwd';\nexport const y = x;\n") },
  { name: 'a URL', code: 'MW1026', files: whole("import x from 'https://example.com/x.ts';\nexport const y = x;\n") },
  { name: 'data in a URL', code: 'MW1026', files: whole("import x from 'data:text/javascript,export default 1';\nexport const y = x;\n") },
  { name: "the sandbox's own modules", code: 'MW1026', files: whole("import { doors } from 'mw:host';\nexport const y = doors;\n") },
  { name: 'a dynamic import', code: 'MW1027', body: "export const y = import('./services.policy');" },
  { name: 'import.meta', code: 'MW1027', body: 'export const y = import.meta;' },
  { name: 'an import hidden in a type', code: 'MW1027', body: "export type Y = import('./services.policy').X;" },
  { name: 'require', code: 'MW1028', body: "export const y = require('fs');" },
  { name: 'import with require', code: 'MW1028', files: whole("import fs = require('fs');\nexport const y = fs;\n") },
  {
    name: 'JSON without its attribute',
    code: 'MW1029',
    files: { ...whole("import x from './x.json';\nexport const y = x;\n"), 'books/x.json': '{}' },
  },
  {
    name: 'a module taken for JSON',
    code: 'MW1029',
    files: whole("import x from './services.policy' with { type: 'json' };\nexport const y = x;\n"),
  },
  { name: 'a file that nothing reaches', code: 'MW1033', files: { 'books/lost.ts': 'export const x = 1;\n' } },
  {
    name: 'the testing module in a policy',
    code: 'MW1034',
    files: whole("import { ask } from 'meshwright/testing';\nexport const y = ask;\n"),
  },
  { name: 'public.ts that shares rules', code: 'MW1031', files: { 'books/public.ts': "export * from './access.policy';\n" } },
  {
    name: 'nouns that import rules',
    code: 'MW1032',
    files: { 'books/more.services.policy.ts': "import { page } from './access.policy';\nexport const y = page;\n" },
  },
  { name: '@ts-nocheck', code: 'MW1040', body: '// @ts-nocheck' },
  { name: '@ts-ignore in a block', code: 'MW1040', body: '/*\n * @ts-ignore */ export const y: number = 1;' },
  { name: 'a reference directive', code: 'MW1041', files: whole('/// <reference types="node" />\nexport const y = 1;\n') },
  { name: 'a global declaration', code: 'MW1042', body: 'declare global { interface String { evil(): void } }' },
  { name: 'a global declaration with a comment inside', code: 'MW1042', body: 'declare /* x */ global { const process: any }' },
  { name: 'an ambient constant', code: 'MW1042', body: 'declare const process: { env: any };' },
  {
    name: "augmentation of the SDK's types",
    code: 'MW1043',
    body: "declare module 'meshwright/policy' { interface Caller { evil: true } }",
  },
  {
    name: 'the registration outside the root module',
    code: 'MW1043',
    body: "declare module 'meshwright/policy' { interface Register { mesh: typeof mesh } }",
  },
  { name: 'a regular expression that hides an import', code: 'MW1044', body: 'let a = {}\n/"/; export const y = 1; "/"' },
  { name: 'a template that never ends', code: 'MW1044', body: 'export const y = `${1' },
  { name: "the sandbox's own names", code: 'MW1045', body: '__meshwrightEnter("platform/x.policy.ts");' },
  { name: 'the prototype by its property', code: 'MW1045', body: 'export const y = { __proto__: null };' },
  { name: 'big integers', code: 'MW1046', body: 'export const y = 10n ** 100_000n;' },
];

/** Work without end. */
export const work: readonly HostileCase[] = [
  { name: 'an endless loop', code: 'MW2001', body: 'for (;;) {}', limits: { fuel: 300 } },
  {
    name: 'an endless loop that catches',
    code: 'MW2001',
    body: 'for (;;) { try { for (;;) {} } catch {} finally { continue; } }',
    limits: { fuel: 300 },
  },
  { name: 'an endless loop in a callback', code: 'MW2001', body: '[1].forEach(() => { while (true); });', limits: { fuel: 300 } },
  {
    name: 'recursion that catches itself',
    code: 'MW2006',
    body: 'function f() { try { f(); } finally { f(); } } f();',
    limits: { wallMs: 1500 },
  },
  {
    name: 'a generator without end',
    code: 'MW2001',
    body: 'function* g() { for (;;) yield 1; } for (const x of g()) void x;',
    limits: { fuel: 300 },
  },
  {
    name: 'memory caught again and again',
    code: 'MW2001',
    body: 'for (;;) { try { const a = []; for (;;) a.push({ a: [1, 2, 3] }); } catch {} }',
    limits: { fuel: 2000, memoryBytes: 16 << 20 },
  },
  { name: 'a long text', code: 'MW2002', body: "export const y = 'x'.repeat(5e6);" },
  { name: 'long texts, again and again', code: 'MW2002', body: "for (;;) 'x'.repeat(1e6);", limits: { fuel: 500 } },
  { name: 'long texts in pieces', code: 'MW2002', body: "const x = 'x'.repeat(1e6); for (;;) x.split('x');", limits: { fuel: 500 } },
  { name: 'padding', code: 'MW2002', body: "'x'.padStart(1e9);" },
  {
    name: 'padding by an object that changes its mind',
    code: 'MW2002',
    body: "let n = 0; const o: any = { valueOf() { return n++ === 0 ? 1 : 1e9; }, toString() { return '1000000000'; } }; 'x'.padStart(o); 'x'.padStart(o);",
  },
  { name: 'replacing by much', code: 'MW2002', body: "const x = 'x'.repeat(1e4); x.replaceAll('x', x);" },
  { name: 'joining much', code: 'MW2002', body: "const x = 'x'.repeat(1e5); new Array(1000).fill(x).join(x);" },
  { name: 'concatenating much', code: 'MW2002', body: "let x = 'x'.repeat(1e6); x = x.concat(x);" },
  { name: 'a template of much', code: 'MW2002', body: "let x = 'x'.repeat(1e6); x = `${x}${x}`;" },
  {
    name: 'lists that say they are longer',
    code: 'MW2002',
    body: '[1].concat({ length: 2 ** 40, [Symbol.isConcatSpreadable]: true } as any);',
  },
  { name: 'flattening lists full of holes', code: 'MW2002', body: 'const a: unknown[] = []; a.length = 4e9; [[a]].flat(2);' },
  { name: 'a huge list', code: 'MW2002', body: 'new Array(1e9).fill(0);' },
  { name: 'a huge list full of holes', code: 'MW2002', body: 'const a: number[] = []; a.length = 4e9; a.indexOf(3);' },
  { name: 'a list that is none', code: 'MW2002', body: 'Array.prototype.fill.call({ length: 2 ** 53 - 1 }, 0);' },
  { name: 'a list out of a length', code: 'MW2002', body: 'Array.from({ length: 1e9 });' },
  {
    name: 'sorting, again and again',
    code: 'MW2002',
    body: 'const a = new Array(100_000).fill(1); for (;;) a.sort();',
    limits: { fuel: 500 },
  },
  {
    name: 'JSON, again and again',
    code: 'MW2002',
    body: "const a = new Array(20_000).fill('xxxxxxxxxxxx'); for (;;) JSON.stringify(a);",
    limits: { fuel: 500 },
  },
  { name: 'catching the refusal changes nothing', code: 'MW2002', body: "try { 'x'.repeat(5e6); } catch {}" },
  { name: 'a regular expression that backtracks', code: 'MW2003', body: "/(a+)+$/.test('a'.repeat(60) + 'b');", limits: { fuel: 300 } },
  {
    name: 'a regular expression in replace',
    code: 'MW2003',
    body: "('a'.repeat(60) + 'b').replace(/(a|a)*$/, '');",
    limits: { fuel: 300 },
  },
  {
    name: 'memory',
    code: 'MW2004',
    body: 'const a: unknown[] = []; for (;;) a.push({ a: [1, 2, 3] });',
    limits: { memoryBytes: 24 << 20 },
  },
  { name: 'a text that doubles', code: 'MW2002', body: "let s = 'x'; for (;;) s += s;", limits: { memoryBytes: 24 << 20 } },
  {
    name: 'a generator spread without end',
    code: 'MW2004',
    body: 'function* g() { for (;;) yield {}; } const a = [...g()];',
    limits: { memoryBytes: 24 << 20 },
  },
  { name: 'recursion', code: 'MW2005', body: 'function f(): number { return f() + 1; } f();' },
  { name: 'recursion through a conversion', code: 'MW2005', body: "const o: any = { toString() { return '' + o; } }; '' + o;" },
  { name: 'recursion through an accessor', code: 'MW2005', body: 'const o: any = { get x() { return o.x; } }; o.x;' },
  {
    name: 'JSON of a very deep list',
    code: 'MW2005',
    body: 'let a: unknown = []; for (let i = 0; i < 1e5; i += 1) a = [a]; JSON.stringify(a);',
  },
  {
    name: 'work that nothing counts',
    code: 'MW2006',
    body: "let s = 'x'.repeat(1e6); for (let i = 0; i < 5; i += 1) s += s; let t = ''; for (;;) t = s + 'x';",
    limits: { wallMs: 1500 },
  },
  {
    name: 'a very large result',
    code: 'MW2008',
    body: "const all: { [k: string]: unknown } = {}; for (let i = 0; i < 200; i += 1) all['n' + i] = reviews.ports.web.allow({ from: details, requests: ['GET /reviews'] });\nexport const big = all;",
    limits: { resultLength: 50_000 },
  },
];

/** What a policy has not. */
export const absent: readonly HostileCase[] = [
  ...(
    [
      ['the time', 'Date.now()', 'MW2010'],
      ['the time as text', 'new Date().toString()', 'MW2010'],
      ['a stopwatch', 'performance.now()', 'MW2010'],
      ['the time, caught', '(() => { try { return Date; } catch { return 1; } })()', 'MW2010'],
      ['the time, by its property', "(globalThis as any)['Da' + 'te']", 'MW2010'],
      ['random numbers', 'Math.random()', 'MW2011'],
      ['random bytes', 'crypto.getRandomValues([])', 'MW2011'],
      ['the network', "fetch('http://127.0.0.1/')", 'MW2012'],
      ['a socket', "new WebSocket('ws://127.0.0.1/')", 'MW2012'],
      ['the environment', 'process.env', 'MW2013'],
      ['bytes of the host', "Buffer.from('x')", 'MW2013'],
      ['code from text', "eval('1 + 1')", 'MW2014'],
      ['code from text, indirectly', "(0, eval)('1 + 1')", 'MW2014'],
      ['code by a constructor', "new Function('return 1')()", 'MW2014'],
      ["code by a function's constructor", "(() => 1).constructor('return globalThis')()", 'MW2014'],
      ["code by a generator's constructor", "(function* () {}).constructor('yield 1')", 'MW2014'],
      ["code by an async function's constructor", "(async () => 1).constructor('return 1')", 'MW2014'],
      ['a promise', 'new Promise(() => {})', 'MW2015'],
      ['an async function', '(async () => 1)()', 'MW2015'],
      ['a timer', 'setTimeout(() => {}, 0)', 'MW2015'],
      ['language', 'new Intl.NumberFormat()', 'MW2016'],
      ['an order that depends on language', "['b', 'a'].sort((a, b) => a.localeCompare(b))", 'MW2016'],
      ['a proxy', 'new Proxy({}, {})', 'MW2017'],
      ['a weak reference', 'new WeakRef({})', 'MW2017'],
      ['shared memory', 'new SharedArrayBuffer(8)', 'MW2017'],
      ['big integers by name', 'BigInt(10)', 'MW2017'],
      ['printing', "console.log('x')", 'MW2018'],
    ] as const
  ).map(([name, expression, code]) => ({ name, body: `export const y = ${expression};`, code })),
  { name: 'something left for later', code: 'MW2015', body: 'async function later() { await 0; }\nlater();' },
];

/** Changes to what is fixed, and to where things come from. */
export const tampering: HostileCase[] = [
  ...(
    [
      ['Array.prototype.map', '(Array.prototype as any).map = () => [];', 'MW2020'],
      ['Array.prototype.map by definition', "Object.defineProperty(Array.prototype, 'map', { value: () => [] });", 'MW2020'],
      ['JSON.stringify', "(JSON as any).stringify = () => '{}';", 'MW2020'],
      ['Object.keys', '(Object as any).keys = () => [];', 'MW2020'],
      ['Object.freeze', '(Object as any).freeze = (x: unknown) => x;', 'MW2020'],
      ['iteration', '(Array.prototype as any)[Symbol.iterator] = function* () {};', 'MW2020'],
      ['toJSON on every object', '(Object.prototype as any).toJSON = () => ({});', 'MW2020'],
      ['a new property of every object', "Object.getPrototypeOf({}).polluted = 'yes';", 'MW2020'],
      ['a new property by its old way', "(Object.prototype as any).__defineGetter__('kind', () => 'access');", 'MW2020'],
      ["every object's toString", "(Object.prototype as any).toString = () => 'x';", 'MW2020'],
      ['the prototype of lists', 'Object.setPrototypeOf(Array.prototype, { evil: 1 });', 'MW2020'],
      ['taking a built-in away', 'delete (Array.prototype as any).map;', 'MW2020'],
      ['a new global', '(globalThis as any).evil = 1;', 'MW2020'],
      ['Function.prototype.call', 'Object.getPrototypeOf(() => 1).call = () => 1;', 'MW2020'],
      ['WeakMap.prototype.get', '(WeakMap.prototype as any).get = () => ({});', 'MW2020'],
      ['a declaration after it was made', "(reviews as any).name = 'ratings';", 'MW2020'],
      ['a port after it was made', '(reviews.ports as any).web = null;', 'MW2020'],
      ["the SDK's functions", '(anyone as any).except = () => anyone;', 'MW2020'],
      ['how stacks are made', "(Error as any).prepareStackTrace = () => 'at x (bundle.js:1:1)';", 'MW2021'],
      ['how long stacks are', '(Error as any).stackTraceLimit = 0;', 'MW2021'],
      ['where stacks are made', '(Error as any).captureStackTrace({});', 'MW2021'],
      ['Error itself', '(globalThis as any).Error = class {};', 'MW2021'],
      ["Error's prototype", "(Error.prototype as any).name = 'x';", 'MW2021'],
      [
        "a function's name that looks like a frame",
        "Object.defineProperty(() => 1, 'name', { value: 'a (bundle.js:1:1)\\n    at b' });",
        'MW2021',
      ],
    ] as const
  ).map(([name, body, code]) => ({ name, body, code })),
];

tampering.push(
  {
    name: "another team's record",
    code: 'MW2020',
    files: {
      'books/public.ts': 'export const careful = { retry: { atMost: 2 } };\n',
      'orders/evil.policy.ts': "import { careful } from '#books';\n(careful as any).retry.atMost = 5;\n",
    },
  },
  {
    name: 'data that other modules read',
    code: 'MW2020',
    files: {
      'books/data.json': '{"paths":["GET /a"]}',
      'books/evil.policy.ts': "import data from './data.json' with { type: 'json' };\n(data.paths as string[]).push('GET /b');\n",
    },
  },
);

/** What comes out. */
export const results: readonly HostileCase[] = [
  { name: 'an error', code: 'MW2030', body: "throw new Error('no\\nline\\u0000 break');" },
  {
    name: 'an error of its own kind',
    code: 'MW2030',
    body: "class Mine extends Error { constructor() { super('x'); this.name = 'Mine'; } } throw new Mine();",
  },
  { name: 'a name that is not there', code: 'MW2030', body: 'export const y = (nowhere as any) + 1;' },
  {
    name: 'a constant before it is made',
    code: 'MW2030',
    body: 'function f() { return later.x; } export const y = f(); const later: any = { x: 1 };',
  },
  { name: 'a number', code: 'MW2031', body: 'throw 7;' },
  { name: 'null', code: 'MW2031', body: 'throw null;' },
  { name: 'a symbol', code: 'MW2031', body: 'throw Symbol();' },
  {
    name: 'an object with endless accessors',
    code: 'MW2031',
    body: 'throw { get message() { for (;;) {} }, get stack() { for (;;) {} }, toString() { for (;;) {} } };',
  },
  {
    name: "another team's rule, put in force by `export *`",
    code: 'MW2047',
    files: {
      'books/public.ts': "export { reviews, details } from './services.policy';\n",
      'aaa/public.ts':
        "import { reviews, details } from '#books';\nexport const helpful = reviews.ports.web.allow({ from: details, requests: ['GET /reviews'] });\n",
      'books/all.policy.ts': "export * from '#aaa';\n",
    },
  },
  {
    name: 'an exported array',
    code: 'MW2040',
    body: "export const all = [reviews.ports.web.allow({ from: details, requests: ['GET /reviews'] })];",
  },
  { name: 'an exported empty array', code: 'MW2040', body: 'export const all: unknown[] = [];' },
  {
    name: 'an array in an exported record',
    code: 'MW2040',
    body: "export const all = { rules: [reviews.ports.web.allow({ from: details, requests: ['GET /reviews'] })] };",
  },
  {
    name: 'a record key that is present but undefined',
    code: 'MW2041',
    body: "export const all = { a: undefined, b: reviews.ports.web.allow({ from: details, requests: ['GET /reviews'] }) };",
  },
  { name: 'an export without a value', code: 'MW2041', body: 'export let rule: unknown;' },
  {
    name: 'a condition that is present but undefined',
    code: 'MW2104',
    body: "export const y = reviews.ports.web.allow({ from: details, requests: ['GET /reviews'], headers: undefined });",
  },
  {
    name: 'a condition that is undefined inside',
    code: 'MW2104',
    body: "export const y = reviews.ports.web.allow({ from: details, requests: ['GET /reviews'], headers: { 'x-a': undefined } });",
  },
  {
    name: 'a rule that is made and not exported',
    code: 'MW2042',
    body: "reviews.ports.web.allow({ from: details, requests: ['GET /reviews'] });",
  },
  {
    name: 'a rule in a Map',
    code: 'MW2042',
    body: "export const all = new Map([['a', reviews.ports.web.allow({ from: details, requests: ['GET /reviews'] })]]);",
  },
  {
    name: 'a rule in an instance',
    code: 'MW2042',
    body: "class Box { rule = reviews.ports.web.allow({ from: details, requests: ['GET /reviews'] }); } export const box = new Box();",
  },
  {
    name: 'a rule under a name that changes the prototype',
    code: 'MW2043',
    body: "const rule = reviews.ports.web.allow({ from: details, requests: ['GET /reviews'] });\nexport { rule as '__proto__' };",
  },
  {
    name: 'a default export',
    code: 'MW2043',
    body: "export default reviews.ports.web.allow({ from: details, requests: ['GET /reviews'] });",
  },
  {
    name: 'an export with a blank in its name',
    code: 'MW2043',
    body: "const rule = reviews.ports.web.allow({ from: details, requests: ['GET /reviews'] });\nexport { rule as 'a b' };",
  },
  {
    name: 'a key with a dot',
    code: 'MW2043',
    body: "export const all = { 'a.b': reviews.ports.web.allow({ from: details, requests: ['GET /reviews'] }) };",
  },
  {
    name: 'a key with NUL',
    code: 'MW2043',
    body: "export const all = { 'a\\u0000b': reviews.ports.web.allow({ from: details, requests: ['GET /reviews'] }) };",
  },
  {
    name: 'one name twice in a team',
    code: 'MW2044',
    body: "export const page = reviews.ports.web.allow({ from: details, requests: ['GET /reviews'] });",
  },
  { name: 'an exported accessor', code: 'MW2045', body: 'let n = 0; export const all = { get a() { n += 1; return n; } };' },
  { name: 'a symbol key', code: 'MW2045', body: 'export const all = { [Symbol.iterator]: 1 };' },
  { name: 'a circle', code: 'MW2046', body: 'const all: any = {}; all.all = all; export { all };' },
  {
    name: 'a very deep record',
    code: 'MW2046',
    body: 'let a: any = {}; for (let i = 0; i < 1000; i += 1) a = { a }; export const all = a;',
  },
];

/** What `any` lets through: each refused by the SDK's run-time twin of the type. */
export const nonsense: readonly HostileCase[] = [
  {
    name: 'a service in nothing',
    code: 'MW2119',
    body: "export const y = (service as any)(null, 'x', { serviceAccount: 'a', ports: { web: http(80) } });",
  },
  {
    name: 'a service named by a number',
    code: 'MW2101',
    body: "export const y = (service as any)(bookinfo, 42, { serviceAccount: 'a', ports: {} });",
  },
  {
    name: 'a caller that is a text',
    code: 'MW2101',
    body: "export const y = (reviews as any).ports.web.allow({ from: 'details', requests: ['GET /reviews'] });",
  },
  {
    name: 'a caller written by hand',
    code: 'MW2119',
    body: "export const y = (reviews as any).ports.web.allow({ from: { kind: 'ref', to: { ref: '#0' } }, requests: ['GET /reviews'] });",
  },
  {
    name: 'a caller that is a copy',
    code: 'MW2101',
    body: "export const y = (reviews as any).ports.web.allow({ from: { ...details }, requests: ['GET /reviews'] });",
  },
  {
    name: 'a value with an accessor',
    code: 'MW2105',
    body: 'export const y = (reviews as any).ports.web.allow({ from: details, get requests() { for (;;) {} } });',
  },
  {
    name: 'a text that is an object',
    code: 'MW2101',
    body: 'export const y = (reviews as any).ports.web.allow({ from: details, requests: [{ toString() { throw 1; } }] });',
  },
  {
    name: 'no callers at all',
    code: 'MW2106',
    body: "export const y = (reviews as any).ports.web.allow({ from: [], requests: ['GET /reviews'] });",
  },
  {
    name: 'a key that is not there',
    code: 'MW2103',
    body: "export const y = (reviews as any).ports.web.allow({ from: details, request: ['GET /reviews'], requests: ['GET /reviews'] });",
  },
];
