import type * as policy from './index';
import type { PolicyError } from './policy-error';
import type * as registry from './registry';

type Sdk = typeof policy;

/** Each with a repository of its own: the mesh is defined once. */
function fresh(): { readonly sdk: Sdk; readonly count: () => number } {
  jest.resetModules();
  return { sdk: jest.requireActual('./index'), count: jest.requireActual<typeof registry>('./registry').count };
}
const mesh = {
  trustDomain: 'acme.example',
  environments: ['dev', 'prod'],
  teams: { books: { namespaces: ['bookinfo'] } },
  runs: { envoy: '1.40.0' },
};
function refusal(call: () => unknown): PolicyError {
  try {
    call();
  } catch (error) {
    return error as PolicyError;
  }
  throw new Error('not refused');
}
function writtenBefore(sdk: Sdk): void {
  sdk.namespace('bookinfo', { team: 'boks' });
}

test('a name that was written before the mesh is refused when the mesh is known, with the frames of who wrote it', () => {
  const { sdk } = fresh();
  writtenBefore(sdk);
  const error = refusal(() => sdk.defineMesh(mesh));
  expect({ code: error.code, message: error.message, help: error.help }).toEqual({
    code: 'MW2112',
    message: '`boks` is no team of this mesh, in `team` of `namespace`',
    help: 'did you mean `books`?',
  });
  expect(error.stack).toContain('writtenBefore');
});
test.each([
  ['an environment', (sdk: Sdk) => sdk.per({ dev: '1s', prd: '2s' }), 'MW2110'],
  ['an environment that is missing', (sdk: Sdk) => sdk.per({ dev: '1s' }), 'MW2111'],
  ['a tag', (sdk: Sdk) => sdk.tagged({ tier: 'gold' }), 'MW2113'],
])('%s is looked at then too', (_, write, code) => {
  const { sdk } = fresh();
  write(sdk);
  expect(refusal(() => sdk.defineMesh(mesh)).code).toBe(code);
});
test('what is right before stays right', () => {
  const { sdk, count } = fresh();
  sdk.namespace('bookinfo', { team: 'books' });
  sdk.mostly('1s', { prod: '2s' });
  sdk.defineMesh(mesh);
  expect(count()).toBe(2);
});
test.each<[string, object, string]>([
  ['two owners of one namespace', { ...mesh, teams: { books: { namespaces: ['a'] }, orders: { namespaces: ['a'] } } }, 'MW2126'],
  ['a team with the name of the root', { ...mesh, teams: { mesh: { namespaces: [] } } }, 'MW2124'],
  ['an environment twice', { ...mesh, environments: ['dev', 'dev'] }, 'MW2126'],
  ['no environment', { ...mesh, environments: [] }, 'MW2106'],
  [
    'a name of all objects as a team',
    { ...mesh, teams: { constructor: { namespaces: ['a'] }, 'to-string': { namespaces: ['a'] } } },
    'MW2126',
  ],
  ['rules kept in YAML', { ...mesh, alongside: { istio: ['a.yaml'] } }, 'MW2130'],
])('a mesh with %s is refused', (_, spec, code) => {
  const { sdk, count } = fresh();
  expect(refusal(() => sdk.defineMesh(spec)).code).toBe(code);
  expect(count()).toBe(0);
});
