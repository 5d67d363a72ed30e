/** Each condition of a route by itself: the requests that it takes, and the nearest ones that it does not. Real Envoys, and the definition beside them. */
import type { DeclarationValue, WireConditions, WireRouteRule } from '../../core/declarations/declaration';
import type { MeshRequest } from '../../core/semantics/decision';
import { askEnvoy, difference } from '../kit/ask-envoy';
import { allow, named, service, workload } from '../kit/declarations';
import { eventually, key, type LayeredMesh, port, startLayers } from '../kit/layered-mesh';
import { present } from '../kit/present';
import { testApps } from '../kit/raw-http';

const second = { kind: 'version', version: 'v2' } as const;
const first = { to: { kind: 'version', version: 'v1' } } as const;
const takes = (when: WireConditions): WireRouteRule => ({ when, to: second });
const exact = (value: string) => ({ kind: 'exact', value }) as const;
const texts = {
  exact: exact('a.b'),
  prefix: { kind: 'prefix', value: 'a.' },
  regex: { kind: 'regex', value: 'a.+' },
  present: { kind: 'present' },
} as const;
const forms = ['exact', 'prefix', 'regex', 'present'] as const;
const at = (name: string) => ({ ref: 'books/cat', port: name });
const declarations: { [id: string]: DeclarationValue } = {
  'books/app': workload('books/bookinfo', 'app'),
  'books/other': workload('books/bookinfo', 'other'),
  'books/cat': service('books/bookinfo', 'cat', {
    versions: ['v1', 'v2'],
    ports: { web: { protocol: 'http', number: 9001 }, more: { protocol: 'http', number: 9002 } },
  }),
  'books/catUse': allow('books/cat', [named('books/app'), named('books/other')]),
  'books/catMore': { ...allow('books/cat', [named('books/app')]), port: at('more') } as DeclarationValue,
  'books/given': { kind: 'delegation', on: at('web'), path: '/given', to: 'orders' },
  'orders/given': {
    kind: 'route',
    on: { ref: 'books/given' },
    rules: [{ when: { request: ['GET /given/{id}'] }, to: { kind: 'target', to: { ...at('web'), version: 'v2' } } }],
    otherwise: { to: { kind: 'respond', status: 410 } },
  },
  'books/catRoutes': {
    kind: 'route',
    on: at('web'),
    rules: [
      takes({ request: ['GET /exact/a'] }),
      takes({ request: ['* /under', '* /under/{rest...}'] }),
      takes({ request: ['GET /segment/{id}/b'] }),
      takes({ request: ['POST /method'] }),
      takes({ request: ['GET /either/a', 'GET /either/b'] }),
      { when: { request: ['GET /given/mine'] }, to: { kind: 'respond', status: 418 } },
      ...forms.flatMap((form) => [
        takes({ request: [`GET /header/${form}`], headers: { 'X-Text': texts[form] } }),
        takes({ request: [`GET /query/${form}`], query: { text: texts[form] } }),
        takes({ request: [`GET /cookie/${form}`], cookies: { text: texts[form] } }),
      ]),
      {
        when: { request: ['GET /asked'], headers: { 'x-fault': exact('abort') } },
        to: second,
        fault: { abort: { status: 503, share: '100%' } },
      },
      takes({ request: ['GET /all'], headers: { 'x-a': exact('1'), 'x-b': exact('2') }, query: { c: exact('3') } }),
      takes({ request: ['GET /whose'], from: [named('books/other')] }),
      takes({ request: ['GET /first'], headers: { 'x-a': texts.present } }),
      { when: { request: ['GET /first'] }, to: { kind: 'respond', status: 418 } },
      takes({ request: ['GET /first'] }),
    ],
    otherwise: first,
  },
  'books/catMoreRoutes': { kind: 'route', on: at('more'), rules: [], otherwise: { to: second } },
};

const apps = testApps();
let layers: LayeredMesh;
beforeAll(async () => {
  layers = await startLayers(declarations, (mesh) => apps.listen(mesh.apps.keys()));
}, 120_000);
afterAll(() => Promise.all([layers?.stop(), apps.close()]), 30_000);

interface Asked {
  readonly headers?: MeshRequest['headers'];
  readonly method?: string;
  readonly from?: string;
  readonly port?: string;
}
/** The version that it came to, or the status of an answer; Envoy's, which is held against the definition. */
async function comesTo(path: string, { headers = {}, method = 'GET', from = 'app', port: name = 'web' }: Asked = {}): Promise<string> {
  const request: MeshRequest = { from: { kind: 'workload', workload: key(from) }, to: port('cat', name), method, path, headers };
  const answer = await askEnvoy(layers.ir, layers.mesh, request);
  expect([path, headers, difference(layers.ir, layers.mesh, request, answer)]).toEqual([path, headers, null]);
  const app = answer.headers['x-app'];
  return app === undefined ? String(answer.status) : present(layers.mesh.apps.get(Number(app))?.version);
}

test('a path as it is written, and no other', async () => {
  expect(await comesTo('/exact/a?b=c')).toBe('v2');
  for (const path of ['/exact/b', '/exact/a/', '/exact/ab', '/exact', '/Exact/a', '/exact/a/b']) expect(await comesTo(path)).toBe('v1');
});
test('all paths under one, by segment', async () => {
  for (const path of ['/under', '/under/a', '/under/a/b', '/under?a=b']) expect(await comesTo(path)).toBe('v2');
  for (const path of ['/undera', '/unde', '/Under/a', '/x/under']) expect(await comesTo(path)).toBe('v1');
});
test('one segment, whatever it is', async () => {
  for (const path of ['/segment/7/b', '/segment/a.b-c/b']) expect(await comesTo(path)).toBe('v2');
  for (const path of ['/segment/7/8/b', '/segment/b', '/segment/7', '/segment/7/c']) expect(await comesTo(path)).toBe('v1');
});
test('a method, and no other', async () => {
  expect(await comesTo('/method', { method: 'POST' })).toBe('v2');
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) expect(await comesTo('/method', { method })).toBe('v1');
});
test('any of several request lines', async () => {
  expect([await comesTo('/either/a'), await comesTo('/either/b'), await comesTo('/either/c')]).toEqual(['v2', 'v2', 'v1']);
});
/** What each form takes of these values; null: the field is not there. */
const values: readonly (readonly [value: string | null, ...taken: (typeof forms)[number][]])[] = [
  ['a.b', 'exact', 'prefix', 'regex', 'present'],
  ['a.c', 'prefix', 'regex', 'present'],
  ['a.bc', 'prefix', 'regex', 'present'],
  ['axb', 'regex', 'present'],
  ['xa.b', 'present'],
  ['A.B', 'present'],
  ['a', 'present'],
  [null],
];
test.each<[string, (value: string) => [query: string, headers: MeshRequest['headers']]]>([
  ['header', (value) => ['', { 'x-text': value }]],
  ['query', (value) => [`?a=b&text=${value}`, {}]],
  ['cookie', (value) => ['', { cookie: `a=b; text=${value}; c=d` }]],
])('a text in a %s: exact, by prefix, by expression, present', async (field, carried) => {
  for (const form of forms)
    for (const [value, ...taken] of values) {
      const [query, headers] = value === null ? ['?texts=a.b', { 'x-texts': 'a.b', cookie: 'texts=a.b' }] : carried(value);
      const wanted = taken.includes(form) ? 'v2' : 'v1';
      expect([field, form, value, await comesTo(`/${field}/${form}${query}`, { headers })]).toEqual([field, form, value, wanted]);
    }
});
test('all conditions that are given hold', async () => {
  expect(await comesTo('/all?c=3', { headers: { 'x-a': '1', 'x-b': '2' } })).toBe('v2');
  expect(await comesTo('/all?c=4', { headers: { 'x-a': '1', 'x-b': '2' } })).toBe('v1');
  expect(await comesTo('/all?c=3', { headers: { 'x-a': '1' } })).toBe('v1');
  expect(await comesTo('/all?c=3', { headers: { 'x-b': '2' } })).toBe('v1');
});
test('a caller, by its identity', async () => {
  expect([await comesTo('/whose', { from: 'other' }), await comesTo('/whose')]).toEqual(['v2', 'v1']);
});
test('the first rule that matches decides', async () => {
  expect(await comesTo('/first', { headers: { 'x-a': '1' } })).toBe('v2');
  expect(await comesTo('/first')).toBe('418');
});
test('a fault is asked for by a header', async () => {
  expect([await comesTo('/asked', { headers: { 'x-fault': 'abort' } }), await comesTo('/asked')]).toEqual(['503', 'v1']);
});
test('a rule is known by the export of its list: the log of the caller’s proxy names it', async () => {
  await comesTo('/exact/a?log=1');
  await comesTo('/nothing/takes/this');
  const routeOf = (path: string): unknown => layers.client.accessLog().find((line) => line['path'] === path)?.['route'];
  const logged = () => [routeOf('/exact/a'), routeOf('/nothing/takes/this')];
  expect(await eventually(logged, (routes) => routes.every((route) => route !== undefined))).toEqual([
    'books/catRoutes.rules.0',
    'books/catRoutes.otherwise',
  ]);
});
test('each port has a list of its own', async () => {
  expect([await comesTo('/x'), await comesTo('/x', { port: 'more' })]).toEqual(['v1', 'v2']);
});
test('paths that were given to a team are its own before its owner’s rules, and nothing beside them is', async () => {
  expect([await comesTo('/given/7'), await comesTo('/given/mine')]).toEqual(['v2', 'v2']);
  expect([await comesTo('/given'), await comesTo('/given/7/8'), await comesTo('/given/7', { method: 'PUT' })]).toEqual([
    '410',
    '410',
    '410',
  ]);
  expect([await comesTo('/givens'), await comesTo('/givens/7')]).toEqual(['v1', 'v1']);
});
