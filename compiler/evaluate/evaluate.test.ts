import { join } from 'node:path';
import { readDirectory, sourceTree, type SourceTree } from '../source';
import { evaluate } from './evaluate';
import { runPolicyTests } from './policy-tests';
import { createSandbox, frameBytes } from './sandbox';

const sandbox = createSandbox();
afterAll(() => sandbox.close());

const mesh =
  "import { defineMesh } from 'meshwright/policy';\nexport const mesh = defineMesh({ trustDomain: 'acme.example', environments: ['dev', 'prod'], teams: { books: { namespaces: ['bookinfo'] }, platform: { namespaces: ['platform'] } }, runs: { envoy: '1.40.0' } });\n";
const services =
  "import { http, namespace, service } from 'meshwright/policy';\nexport const bookinfo = namespace('bookinfo', { team: 'books' });\nexport const reviews = service(bookinfo, 'reviews', { serviceAccount: 'reviews', ports: { web: http(9080) }, versions: ['v1', 'v2'] });\nexport const details = service(bookinfo, 'details', { serviceAccount: 'details', ports: { web: http(9080) } });\n";
const treeOf = (files: { readonly [path: string]: string }, imports?: SourceTree['imports']): SourceTree =>
  sourceTree(Object.entries({ 'mesh.policy.ts': mesh, 'books/services.policy.ts': services, ...files }), 'test', imports);

test('the example mesh evaluates to the same bytes twice, in a warm sandbox and in a fresh one, each declaration with its place', async () => {
  const read = await readDirectory(join(__dirname, '..', '..', 'policies'));
  expect(read.diagnostics).toEqual([]);
  if (!read.value) return;
  const first = await evaluate(read.value, { sandbox });
  expect(first.diagnostics).toEqual([]);
  const warm = await evaluate(read.value, { sandbox });
  expect(JSON.stringify(warm.value)).toBe(JSON.stringify(first.value));
  const other = createSandbox();
  const fresh = await evaluate(read.value, { sandbox: other });
  await other.close();
  expect(JSON.stringify(fresh.value)).toBe(JSON.stringify(first.value));
  expect(first.value?.declarations.length).toBeGreaterThan(10);
  for (const { id } of first.value?.declarations ?? []) expect(first.value?.origins[id]?.span.line).toBeGreaterThan(0);
});

test('a bundle of many top-level names starts, and leaves its policies the same depth', async () => {
  const names = Array.from({ length: 40_000 }, (_, index) => `a${index}`);
  const program = (vars: string): string => `
  const doors = globalThis.__meshwrightDoors;
  ${vars}
  let depth = 0;
  const descend = () => { depth++; descend(); };
  try { descend(); } catch {}
  doors.emit(String(depth));`;
  const code = (vars: string): string => `(() => {\n${program(vars).trim()}\n})();`.replace(/^(?=var )/gm, '  ');
  const depths: number[] = [];
  for (const vars of ['', `\n  var ${names.join(', ')};`]) {
    const ran = await sandbox.run({ code: code(vars), fuel: 8_000, memoryBytes: 64 << 20, wallMs: 600_000 });
    if (ran.kind !== 'finished') throw new Error(JSON.stringify(ran));
    expect(ran.finished.thrown).toBeNull();
    depths.push(Number(ran.finished.json));
  }
  expect(depths[1]).toBeGreaterThanOrEqual(depths[0] ?? Number.NaN);
  expect(frameBytes(code(''))).toBe(0);
});

test('what is written out may be long: the work that a mesh may take grows with its sources, and a loop is still too much', async () => {
  const filler = Array.from({ length: 4_000 }, (_, index) => `// ${index} ${'x'.repeat(100)}\n`).join('');
  const loop = (turns: number): string =>
    `export const turns = ((): string => { let n = 0; while (n < ${turns}) n++; return String(n); })();\n`;
  const refused = async (text: string): Promise<readonly string[]> =>
    (await evaluate(treeOf({ 'books/a.policy.ts': text }), { sandbox })).diagnostics.map(({ code }) => code);
  const turns = 8_400 * 5_000;
  expect(await refused(loop(turns))).toContain('MW2001');
  expect(await refused(filler + loop(turns))).not.toContain('MW2001');
  expect(await refused(filler + loop(turns * 3))).toContain('MW2001');
});

test('the order of files and of modules does not matter', async () => {
  const files = {
    'books/a.policy.ts':
      "import { details, reviews } from './services.policy';\nexport const a = reviews.ports.web.allow({ from: details, requests: ['GET /a'] });\n",
  };
  const tree = treeOf(files);
  const turned = sourceTree([...tree.files].reverse());
  expect(turned.digest).toBe(tree.digest);
  expect(JSON.stringify((await evaluate(turned, { sandbox })).value)).toBe(JSON.stringify((await evaluate(tree, { sandbox })).value));
});

test('a helper is in the chain, the team’s own line is the place, and parts have theirs', async () => {
  const { value, diagnostics } = await evaluate(
    treeOf(
      {
        'platform/helpers.ts':
          "import { respond } from 'meshwright/policy';\n\nexport function closed(port: any) {\n  return { route: port.route({ otherwise: { to: respond(404) } }) };\n}\n",
        'books/routes.policy.ts':
          "import { closed } from '#platform/helpers';\nimport { per } from 'meshwright/policy';\nimport { details, reviews } from './services.policy';\n\nexport const shut = closed(details.ports.web);\nexport const open = reviews.ports.web.route({\n  otherwise: { to: 'v1',\n    timeout: per({ dev: '2s', prod: '1s' }) },\n});\n",
      },
      { '#platform/helpers': 'platform/helpers.ts', '#*': '*/public.ts' },
    ),
    { sandbox },
  );
  expect(diagnostics).toEqual([]);
  expect(value?.origins['books/shut.route']).toMatchObject({
    span: { file: 'books/routes.policy.ts', line: 5 },
    chain: [{ file: 'platform/helpers.ts', line: 4 }],
  });
  expect(value?.declarations.find((one) => one.id === 'books/shut.route')?.team).toBe('books');
  expect(value?.origins['books/open']).toMatchObject({
    span: { line: 6 },
    parts: { 'otherwise.timeout': { file: 'books/routes.policy.ts', line: 8 } },
  });
});

test('JSON is data', async () => {
  const { value, diagnostics } = await evaluate(
    treeOf({
      'books/paths.json': '{"paths":["GET /a","GET /b"]}',
      'books/a.policy.ts':
        "import data from './paths.json' with { type: 'json' };\nimport { details, reviews } from './services.policy';\nexport const a = reviews.ports.web.allow({ from: details, requests: data.paths as any });\n",
    }),
    { sandbox },
  );
  expect(diagnostics).toEqual([]);
  expect(value?.declarations.find((one) => one.id === 'books/a')?.value).toMatchObject({ requests: ['GET /a', 'GET /b'] });
});

test.each([
  ['on the first line, after letters of two bytes', "const ä = 'ü'; export const x = = 1;\n", { line: 1, column: 33 }],
  ['further down', '\n\nexport const x = ;\n', { line: 3, column: 18 }],
])('a syntax error is told at its place: %s', async (_, text, place) => {
  const { diagnostics } = await evaluate(treeOf({ 'books/x.policy.ts': text }), { sandbox });
  expect(diagnostics[0]).toMatchObject({ code: 'MW1101', span: { file: 'books/x.policy.ts', ...place } });
});

test('what the SDK refuses has its code, words and line', async () => {
  const { diagnostics } = await evaluate(
    treeOf({
      'books/x.policy.ts':
        "import { reviews } from './services.policy';\nexport const x = reviews.ports.web.route({ otherwise: { to: 'v1', timeout: 'soon' } } as any);\n",
    }),
    { sandbox },
  );
  expect(diagnostics).toEqual([
    expect.objectContaining({
      code: 'MW2107',
      message: expect.stringContaining('`soon`'),
      span: expect.objectContaining({ file: 'books/x.policy.ts', line: 2 }),
    }),
  ]);
});

test('a loop that never ends has a place, and be it the first statement of its module', async () => {
  for (const [text, span] of [
    ['while (true) {}\nexport {};\n', { line: 1, column: 1 }],
    ['export const a = 1;\nwhile (true) {\n}\n', { line: 1 }],
    ['export const a = (() => {\n  let n = 0;\n  for (;;) n += 1;\n})();\n', {}],
  ] as const) {
    const { diagnostics } = await evaluate(treeOf({ 'books/x.policy.ts': text }), { sandbox, fuel: 300 });
    expect(diagnostics).toEqual([
      expect.objectContaining({ code: 'MW2001', span: expect.objectContaining({ file: 'books/x.policy.ts', ...span }) }),
    ]);
  }
});

describe('runPolicyTests', () => {
  const testing = (body: string): SourceTree =>
    treeOf({
      'books/a.policy.ts':
        "import { details, reviews } from './services.policy';\nexport const a = reviews.ports.web.allow({ from: details, requests: ['GET /a'] });\n",
      'books/a.policy.test.ts': `import { ask, expect, test } from 'meshwright/testing';\nimport { a } from './a.policy';\nimport { details, reviews } from './services.policy';\nvoid [ask, expect, a, details, reviews];\n${body}\n`,
    });
  const decision = {
    outcome: 'allow',
    stage: 'inbound',
    status: null,
    because: ['books/a'],
    route: null,
    destinations: [],
    timeoutMs: null,
    retry: null,
    says: 'yes',
  };

  test('each test runs once in each environment, with rule ids in the questions, and says which rules decided', async () => {
    const questions: unknown[] = [];
    const { value, diagnostics } = await runPolicyTests(
      testing("test('one', () => expect(ask({ from: details, to: reviews.ports.web, request: 'GET /a' })).toBeAllowedBy(a));"),
      {
        environments: ['dev', 'prod'],
        sandbox,
        ask: (question) => {
          questions.push(JSON.parse(question));
          return JSON.stringify({ decision, asked: 'it', targets: [], mirrors: [], decidedBy: ['books/a'] });
        },
      },
    );
    expect(diagnostics).toEqual([]);
    expect(questions).toEqual(
      ['dev', 'prod'].map((env) => ({
        op: 'ask',
        from: { ref: 'books/details' },
        to: { ref: 'books/reviews', port: 'web' },
        request: 'GET /a',
        headers: {},
        env,
      })),
    );
    expect(value?.tests).toEqual([
      expect.objectContaining({ name: 'one', file: 'books/a.policy.test.ts', ok: true, environments: ['dev', 'prod'], failures: [] }),
    ]);
    expect(value?.tests[0]?.decided).toEqual(['books/a']);
  });

  test('a failure is told at its line, once where it is the same everywhere', async () => {
    const { value } = await runPolicyTests(
      testing(
        "test('no', () => {\n  expect(ask({ from: details, to: reviews.ports.web, request: 'GET /a' })).toBeDenied();\n});\ntest('throws', () => { throw new Error('oh'); });",
      ),
      {
        environments: ['dev', 'prod'],
        sandbox,
        ask: () => JSON.stringify({ decision, asked: 'GET /a from somebody', targets: [], mirrors: [], decidedBy: [] }),
      },
    );
    expect(value?.tests.map((one) => [one.ok, one.failures])).toEqual([
      [false, [expect.objectContaining({ environment: null, span: expect.objectContaining({ file: 'books/a.policy.test.ts', line: 6 }) })]],
      [false, [expect.objectContaining({ environment: null, message: 'oh', span: expect.objectContaining({ line: 8 }) })]],
    ]);
  });

  test('a test has no more than a policy has, and the host survives one that never ends', async () => {
    const run = async (body: string): Promise<readonly string[]> =>
      (await runPolicyTests(testing(body), { environments: ['dev'], sandbox, fuel: 300, ask: () => '{}' })).diagnostics.map(
        (said) => said.code,
      );
    expect(await run("test('time', () => { Date.now(); });")).toEqual(['MW2010']);
    expect(await run("test('loop', () => { for (;;) {} });")).toEqual(['MW2001']);
    expect(await run('(Array.prototype as any).map = 1;')).toEqual(['MW2020']);
  });

  test('a test that ends the run is named, with what ran before it and what was left', async () => {
    const body = ["test('first', () => {});", "test('endless', () => {\n  for (;;) {}\n});", "test('last', () => {});"].join('\n');
    const { value, diagnostics } = await runPolicyTests(testing(body), { environments: ['dev'], sandbox, fuel: 300, ask: () => '{}' });
    expect(diagnostics.map((said) => said.code)).toEqual(['MW2001']);
    expect(value?.tests.map((one) => [one.name, one.ok, one.failures[0]?.message.slice(0, 17), one.failures[0]?.span?.line])).toEqual([
      ['first', true, undefined, undefined],
      ['endless', false, 'it ended the run:', expect.any(Number)],
    ]);
    expect(value?.notRun).toEqual([{ name: 'last', file: 'books/a.policy.test.ts' }]);
  });

  test.each<[string, string, RegExp]>([
    ['null', 'throw null;', /threw null/],
    ['a text', "throw 'oh\\u0000no';", /threw the text "oh/],
    ['a symbol', 'throw Symbol("x");', /threw a value of type symbol/],
    ['a function', 'throw () => 1;', /threw a value of type function/],
    ['an accessor', "throw Object.defineProperty(new Error('x'), 'message', { get() { for (;;) {} } });", /an error without a message/],
    ['an object that throws', "throw { get message(): string { throw new Error('again'); } };", /threw a value of type object/],
    ['an error that is a mile long', "throw new Error('x'.repeat(100_000));", /^x{2000} \.\.\.$/],
    ['a chain without end', 'const f = (): number => f() + 1; f();', /stack/],
    ['what contains itself', 'const a: unknown[] = []; a.push(a); expect(a).toEqual([]);', /nested deeper than 20/],
    ['a text with an escape sequence', "throw new Error('\\u001b[31mred');", /^\\u001b\[31mred$/],
  ])('%s as what a test throws is a failure in words', async (_, body, says) => {
    const { value, diagnostics } = await runPolicyTests(testing(`test('odd', () => { ${body} });\ntest('next', () => {});`), {
      environments: ['dev'],
      sandbox,
      ask: () => '{}',
    });
    expect(diagnostics).toEqual([]);
    expect(value?.tests.map((one) => [one.name, one.ok])).toEqual([
      ['odd', false],
      ['next', true],
    ]);
    expect(value?.tests[0]?.failures[0]?.message).toMatch(says);
  });

  test('more tests than a run takes are refused before any runs', async () => {
    const { value, diagnostics } = await runPolicyTests(testing('for (let n = 0; n < 10_001; n += 1) test(`t${n}`, () => {});'), {
      environments: ['dev'],
      sandbox,
      ask: () => '{}',
    });
    expect(value).toBeUndefined();
    expect(diagnostics).toMatchObject([{ code: 'MW1140', span: { file: 'books/a.policy.test.ts' } }]);
  });

  test('a loop that asks without end is ended, whatever it catches', async () => {
    const body =
      "test('asks', () => {\n  for (;;) try { ask({ from: details, to: reviews.ports.web, request: 'GET /a' }); } catch { continue; }\n});\ntest('next', () => {});";
    const { value, diagnostics } = await runPolicyTests(testing(body), {
      environments: ['dev'],
      sandbox,
      ask: () => '{"error":"no"}',
    });
    expect(diagnostics).toMatchObject([{ code: 'MW1141', span: { file: 'books/a.policy.test.ts', line: 5 } }]);
    expect(value?.tests.map((one) => [one.name, one.ok])).toEqual([['asks', false]]);
    expect(value?.notRun.map((one) => one.name)).toEqual(['next']);
  });

  test('a filter runs tests by name or file, whatever the case', async () => {
    const run = async (filter: string): Promise<readonly string[]> => {
      const { value } = await runPolicyTests(testing("test('One', () => {});\ntest('two', () => {});"), {
        environments: ['dev'],
        sandbox,
        filter,
        ask: () => '{}',
      });
      return [...(value?.tests.map((one) => one.name) ?? []), `${value?.skipped} left out`];
    };
    expect(await run('one')).toEqual(['One', '1 left out']);
    expect(await run('A.POLICY')).toEqual(['One', 'two', '0 left out']);
    expect(await run('three')).toEqual(['2 left out']);
  });

  test('one file alone runs with the modules that it imports, and names what it names with all', async () => {
    const body = "test('one', () => { ask({ from: details, to: reviews.ports.web, request: 'GET /a' }); });";
    const tree = sourceTree([
      ...testing(body).files,
      ['books/other.policy.ts', "throw new Error('this module was run');\nexport {};\n"],
      ['books/b.policy.test.ts', "import { test } from 'meshwright/testing';\ntest('other', () => {});\n"],
    ]);
    const questions: string[] = [];
    const options = {
      environments: ['dev'],
      sandbox,
      ask: (question: string) => {
        questions.push(question);
        return JSON.stringify({ decision, asked: '', targets: [], mirrors: [], decidedBy: [] });
      },
    };
    const { value } = await runPolicyTests(tree, { ...options, files: new Set(['books/a.policy.test.ts']) });
    expect(value?.tests.map((one) => [one.name, one.ok])).toEqual([['one', true]]);
    expect(JSON.parse(questions[0] ?? '')).toMatchObject({ from: { ref: 'books/details' }, to: { ref: 'books/reviews', port: 'web' } });
    expect((await runPolicyTests(tree, options)).diagnostics.map((said) => said.message)).toEqual([
      'the module threw: this module was run',
    ]);
  });

  test('a host that throws is an answer, not an end', async () => {
    const { value } = await runPolicyTests(
      testing("test('one', () => { ask({ from: details, to: reviews.ports.web, request: 'GET /a' }); });"),
      {
        environments: ['dev'],
        sandbox,
        ask: () => {
          throw new Error('broken');
        },
      },
    );
    expect(value?.tests[0]?.failures[0]?.message).toContain('broken');
  });
});
