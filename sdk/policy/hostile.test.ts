/** What `any` can carry into the SDK: refused with a code, never a crash, never through. */
import { madeOf } from './made';
import * as sdk from './index';
import { PolicyError } from './policy-error';
import { count, entries, handleOf } from './registry';

sdk.defineMesh({
  trustDomain: 'acme.example',
  environments: ['dev', 'prod'],
  teams: { books: { namespaces: ['bookinfo'] } },
  runs: { envoy: '1.40.0' },
});
const space = sdk.namespace('bookinfo', { team: 'books' });
const reviews = sdk.service(space, 'reviews', { serviceAccount: 'r', ports: { web: sdk.http(80) }, versions: ['v1', 'v2'] });
const web = reviews.ports['web'] ?? {};
const act = (name: string, ...given: unknown[]): unknown => {
  const method: unknown = Reflect.get(web, name);
  return typeof method === 'function' ? (method(...given) as unknown) : undefined;
};
const allow = (spec: unknown): unknown => act('allow', spec);
const good = { from: reviews, requests: ['GET /x'] };

function codeOf(call: () => unknown): string {
  const before = count();
  try {
    call();
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    expect(count()).toBe(before);
    expect(error.message).not.toMatch(/[\n.]$/);
    expect(error.message.length).toBeLessThan(400);
    return error.code;
  }
  return 'not refused';
}

const cycle: Record<string, unknown> = { ...good };
cycle['headers'] = cycle;
let deep: unknown = 'x';
for (let i = 0; i < 5000; i++) deep = { a: deep };
class Rule {
  from = reviews;
  requests = ['GET /x'];
}
const sparse: unknown[] = ['GET /x'];
sparse.length = 3;
const extended: unknown[] & { more?: string } = ['GET /x'];
extended.more = 'x';
const throwing = new Proxy({}, { ownKeys: () => { throw new Error('boo'); } }); // prettier-ignore
const lying = new Proxy(
  { ...good, user: undefined },
  {
    ownKeys: () => ['from', 'requests'],
    getOwnPropertyDescriptor: (_, key) => ({ value: key === 'from' ? 7 : ['GET /x'], enumerable: true, configurable: true }),
  },
);
const { proxy: revoked, revoke } = Proxy.revocable({ ...good }, {});
revoke();

test.each<[string, unknown, string]>([
  ['a number', 7, 'MW2101'],
  ['null', null, 'MW2101'],
  ['text', 'reviews', 'MW2101'],
  ['a list', [good], 'MW2101'],
  ['a function', () => good, 'MW2101'],
  ['a symbol', Symbol('x'), 'MW2101'],
  ['a big integer', 7n, 'MW2101'],
  ['nothing', undefined, 'MW2104'],
  ['a date', new Date(0), 'MW2105'],
  ['a map', new Map(), 'MW2105'],
  ['an instance of a class', new Rule(), 'MW2105'],
  ['a record with a prototype', Object.create(good), 'MW2105'],
  ['a cycle', cycle, 'MW2105'],
  ['a very deep value', { ...good, headers: deep }, 'MW2105'],
  ['a list of a million', { ...good, requests: Array.from({ length: 1_000_000 }, () => 'GET /x') }, 'MW2105'],
  ['a million values', { ...good, headers: Array.from({ length: 9_999 }, () => [1, 2, 3]) }, 'MW2105'],
  ['a text of a megabyte', { ...good, requests: [`GET /${'x'.repeat(1 << 20)}`] }, 'MW2105'],
  ['a getter', { get from() { return reviews; }, requests: ['GET /x'] }, 'MW2105'], // prettier-ignore
  ['a symbol key', { ...good, [Symbol('user')]: 1 }, 'MW2105'],
  ['an own key __proto__', JSON.parse('{"__proto__": {"mode": "shadow"}}'), 'MW2105'],
  ['a list with holes', { ...good, requests: sparse }, 'MW2104'],
  ['a list with keys of its own', { ...good, requests: extended }, 'MW2105'],
  ['a subclass of a list', { ...good, requests: new (class extends Array {})() }, 'MW2105'],
  ['a proxy that throws', throwing, 'MW2105'],
  ['a proxy that was revoked', revoked, 'MW2105'],
  ['a proxy that lies', lying, 'MW2101'],
  ['not a number', { ...good, mode: Number.NaN }, 'MW2101'],
  ['undefined under a known key', { ...good, user: undefined }, 'MW2104'],
  ['undefined under an unknown key', { ...good, usr: undefined }, 'MW2104'],
  ['undefined in a list', { ...good, requests: ['GET /x', undefined] }, 'MW2104'],
  ['undefined deep down', { ...good, headers: { a: undefined } }, 'MW2104'],
  ['a key of all objects', { ...good, constructor: 1 }, 'MW2103'],
  ['a key that is long', { ...good, ['k'.repeat(10_000)]: 1 }, 'MW2103'],
  ['a copied handle, which holds methods', { ...good, from: { ...reviews } }, 'MW2101'],
  ['a handle with the same keys', { ...good, from: { kind: 'service', entry: 1, name: 'reviews' } }, 'MW2119'],
  ['a handle seen through a proxy', { ...good, from: new Proxy(reviews, {}) }, 'MW2101'],
  ['a handle as prototype', { ...good, from: Object.create(reviews) }, 'MW2105'],
  ['a port where a caller is meant', { ...good, from: web }, 'MW2120'],
  ['the mesh where a caller is meant', { ...good, from: sdk.tagged }, 'MW2101'],
  ['a line break in a name', { ...good, hosts: ['a.example\nb'] }, 'MW2124'],
])('%s', (_, spec, code) => expect(codeOf(() => allow(spec))).toBe(code));

test.each([
  '-5s', '7 s', '1e3s', '0x10s', '0s', '0.0ms', '.5s', '5.s', ' 5s', '5s ', '5S', '5', 's', '', '٥s', 'Infinitys', '1s\n',
])('the duration %j is refused', (timeout) => expect(codeOf(() => act('route', { otherwise: { to: 'v1', timeout } }))).toBe('MW2107')); // prettier-ignore

test.each([
  'GET',
  'GET/x',
  'get /x',
  'GET  /x',
  'GET x',
  'GET /a b',
  'GET /{',
  'GET /{}',
  'GET /{a}b',
  'GET /{a...}/b',
  'GET /{a}/{a}',
  'GET /../x',
  'GET //x',
  'GET /x?y',
  'GET /x#y',
  'GET /x;y',
  'GET /ü',
  'GET /x\n',
  'TRACE /x',
  '* x',
])('the request %j is refused', (line) => expect(codeOf(() => allow({ ...good, requests: [line] }))).toBe('MW2117'));
test.each(['2027-02-29', '2027-13-01', '2027-00-10', '2027-1-1', '27-01-01', '2027-04-31'])('the day %s is refused', (until) =>
  expect(codeOf(() => sdk.waive('MW4027', { at: [reviews], because: 'x', ticket: 'B-1', until }))).toBe('MW2109'),
);
test.each(['10.0.0.0', '10.0.0.0/33', '256.0.0.0/8', '1.2.3/8', '::/129', ':::/8', '1::2::3/8', 'fd00::g/8', '1:2:3:4:5:6:7:8:9/8'])(
  'the network %s is refused',
  (cidr) => expect(codeOf(() => sdk.network('office', [cidr]))).toBe('MW2109'),
);
test.each(['10.0.0.0/8', '0.0.0.0/0', '::/0', 'fd00::/8', '2001:db8:0:0:0:0:0:1/128'])('the network %s is taken', (cidr) => {
  expect(madeOf(sdk.network('office', [cidr]))).toMatchObject({ kind: 'outside', network: [cidr] });
});

test.each<readonly [string, object, string]>([
  ['neither hosts nor ranges', {}, 'MW2102'],
  ['both', { hosts: ['a.example'], addresses: ['10.0.0.0/8'] }, 'MW2103'],
  ['authorities', { addresses: ['10.0.0.0/8'], trust: sdk.secret('a/b') }, 'MW2103'],
  ['an address that is no range', { addresses: ['10.0.0.1'] }, 'MW2109'],
  ['a name', { addresses: ['a.example'] }, 'MW2109'],
  ['a range that is said twice', { addresses: ['10.0.0.0/8', '10.0.0.0/8'] }, 'MW2126'],
  ['no range', { addresses: [] }, 'MW2106'],
  ['a word too few', { address: '10.0.0.0/8' }, 'MW2103'],
])('an external of %s is refused', (_what, where, code) => {
  expect(codeOf(() => sdk.external('fleet', { team: 'books', ports: { db: sdk.tcp(5432) }, ...where }))).toBe(code);
});

test('a value by environment inside another is refused', () => {
  const inner = sdk.per({ dev: '1s', prod: '2s' });
  expect(codeOf(() => act('route', { otherwise: { to: 'v1', timeout: sdk.per({ dev: inner, prod: '1s' }) } }))).toBe('MW2101');
  expect(codeOf(() => act('route', { otherwise: { to: 'v1', timeout: sdk.mostly(inner, { dev: '1s' }) } }))).toBe('MW2101');
});
test('too many and too few arguments are refused', () => {
  expect(codeOf(() => sdk.namespace('a'))).toBe('MW2102');
  expect(codeOf(() => sdk.namespace('a', { team: 'books' }, { more: 1 }))).toBe('MW2103');
  expect(codeOf(() => sdk.http(80, undefined))).toBe('MW2104');
});
test('a second mesh is refused', () => {
  expect(codeOf(() => sdk.defineMesh({ trustDomain: 'b.example', environments: ['dev'], teams: {}, runs: { envoy: '1.40.0' } }))).not.toBe(
    'not refused',
  );
  expect(
    codeOf(() =>
      sdk.defineMesh({ trustDomain: 'b.example', environments: ['dev'], teams: { a: { namespaces: [] } }, runs: { envoy: '1.40.0' } }),
    ),
  ).toBe('MW2123');
});
test('what was handed over can be changed without changing the declaration, which is frozen all through', () => {
  const requests = ['GET /before'];
  const handle = allow({ from: reviews, requests });
  requests[0] = 'GET /after';
  const entry = entries()[handleOf(handle) ?? -1];
  expect(entry?.value).toMatchObject({ requests: ['GET /before'] });
  const frozen = (value: unknown): boolean =>
    typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen));
  expect(entries().every(frozen)).toBe(true);
  expect(Object.isFrozen(handle)).toBe(true);
});
test('a module that changes intrinsics after the SDK was loaded changes nothing', () => {
  const { get } = WeakMap.prototype;
  const { isArray } = Array;
  try {
    WeakMap.prototype.get = () => ({ kind: 'service', entry: 0 });
    Array.isArray = (_value: unknown): _value is unknown[] => false;
    expect(codeOf(() => allow({ ...good, from: {} }))).toBe('MW2119');
    expect(codeOf(() => allow(good))).toBe('not refused');
  } finally {
    WeakMap.prototype.get = get;
    Array.isArray = isArray;
  }
});
test('shared views stand for the same declaration and refuse the acts of the owner', () => {
  const shared = sdk.share({ reviews });
  const view = Reflect.get(shared, 'reviews') as typeof reviews;
  expect(handleOf(view)).toBe(handleOf(reviews));
  expect(codeOf(() => view.calls(web))).toBe('MW2127');
  expect(
    codeOf(() => sdk.service(Reflect.get(sdk.share({ space }), 'space'), 's', { serviceAccount: 's', ports: { web: sdk.http(1) } })),
  ).toBe('MW2127');
  expect(codeOf(() => sdk.share({ reviews: undefined }))).toBe('MW2104');
});
