import { createSandbox, evaluate } from '../../compiler/evaluate';
import { sourceTree, type SourceTree } from '../../compiler/source';
import { absent, nonsense, results, sources, tampering, work, type HostileCase } from './cases';

const good: { readonly [path: string]: string } = {
  'mesh.policy.ts':
    "import { defineMesh } from 'meshwright/policy';\nexport const mesh = defineMesh({ trustDomain: 'acme.example', environments: ['dev', 'prod'], teams: { books: { namespaces: ['bookinfo'] }, orders: { namespaces: ['orders'] } }, runs: { envoy: '1.40.0' } });\ndeclare module 'meshwright/policy' {\n  interface Register { mesh: typeof mesh }\n}\n",
  'books/services.policy.ts':
    "import { http, namespace, service } from 'meshwright/policy';\nexport const bookinfo = namespace('bookinfo', { team: 'books' });\nexport const reviews = service(bookinfo, 'reviews', { serviceAccount: 'reviews', ports: { web: http(9080) } });\nexport const details = service(bookinfo, 'details', { serviceAccount: 'details', ports: { web: http(9080) } });\n",
  'books/access.policy.ts':
    "import { details, reviews } from './services.policy';\nexport const page = reviews.ports.web.allow({ from: details, requests: ['GET /reviews/{id}'] });\n",
};
const imports =
  "import { anyone, http, service } from 'meshwright/policy';\nimport { bookinfo, details, reviews } from './services.policy';\nvoid [anyone, http, service, bookinfo, details, reviews];\n";
const treeOf = ({ body, files = {} }: Pick<HostileCase, 'body' | 'files'>): SourceTree =>
  sourceTree(Object.entries({ ...good, ...(body === undefined ? {} : { 'books/evil.policy.ts': `${imports}${body}\n` }), ...files }));

const sandbox = createSandbox();
let bytes = '';
beforeAll(async () => {
  const { value, diagnostics } = await evaluate(treeOf({}), { sandbox });
  expect(diagnostics).toEqual([]);
  bytes = JSON.stringify(value);
});
afterAll(() => sandbox.close());

describe.each([
  ['before anything runs', sources],
  ['work without end', work],
  ['what a policy has not', absent],
  ['what is fixed', tampering],
  ['what comes out', results],
  ['what `any` lets through', nonsense],
])('%s', (_, cases) => {
  test.each(cases.map((one) => [one.name, one.code, one] as const))('%s: %s, and the host is as it was', async (_name, code, one) => {
    const refused = await evaluate(treeOf(one), { ...one.limits, sandbox });
    expect(refused.value).toBeUndefined();
    expect([...new Set(refused.diagnostics.map((said) => said.code))]).toEqual([code]);
    for (const { message, help } of refused.diagnostics) expect(`${message} ${help ?? ''}`).toMatch(/^[^\u0000-\u001f]+$/);
    const again = await evaluate(treeOf({}), { sandbox });
    expect(JSON.stringify(again.value)).toBe(bytes);
  });
});

test('a refusal names the line', async () => {
  const { diagnostics } = await evaluate(treeOf({ body: '\n\nexport const y = Date.now();' }), { sandbox });
  expect(diagnostics[0]).toMatchObject({ code: 'MW2010', span: { file: 'books/evil.policy.ts', line: 6 } });
});

test('a forged frame does not move a declaration to another file or team', async () => {
  const forged =
    "const name = 'x (bundle.js:1:1)\\n    at y (bundle.js:40:1)\\n    at z';\nconst forger = { [name]() { return reviews.ports.web.allow({ from: details, requests: ['GET /reviews'] }); } };\nexport const mine = (forger as any)[name]();";
  const { value, diagnostics } = await evaluate(treeOf({ body: forged }), { sandbox });
  expect(diagnostics).toEqual([]);
  expect(value?.declarations.find((one) => one.id === 'books/mine')?.team).toBe('books');
  expect(value?.origins['books/mine']?.span).toMatchObject({ file: 'books/evil.policy.ts', line: 6 });
});

test('names of objects are names like others', async () => {
  const rule = "reviews.ports.web.allow({ from: details, requests: ['GET /reviews'] })";
  const { value } = await evaluate(
    treeOf({
      body: `const a = ${rule}; export { a as constructor }; export const toString = ${rule}; export const all = { hasOwnProperty: ${rule}, valueOf: ${rule} };`,
    }),
    { sandbox },
  );
  expect(value?.declarations.map((one) => one.id).filter((id) => /constructor|toString|hasOwn|valueOf/.test(id))).toEqual([
    'books/all.hasOwnProperty',
    'books/all.valueOf',
    'books/constructor',
    'books/toString',
  ]);
});

test('a thing shared by another team stays its own', async () => {
  const { value, diagnostics } = await evaluate(
    treeOf({
      files: {
        'books/public.ts':
          "import { share } from 'meshwright/policy';\nimport * as own from './services.policy';\nexport const { reviews } = share(own);\n",
        'aaa/first.policy.ts': "export { reviews } from '#books';\n",
      },
    }),
    { sandbox },
  );
  expect(diagnostics).toEqual([]);
  expect(value?.declarations.filter((one) => one.id.endsWith('/reviews')).map((one) => one.id)).toEqual(['books/reviews']);
});
