import type { DeclarationValue } from '../../core/declarations/declaration';
import { workloadKey } from '../../core/mesh/ids';
import { passagesOf } from '../../core/semantics/networks';
import { analyse } from '../analyse';
import { emitEnvoy } from '../emit/envoy';
import { proxyNameOf } from '../../core/ir/proxy-name';
import { planSteps } from '../analyse/order';
import { answerQuestion } from '../answer';
import { formatDiff, isEmptyDiff, semanticDiff } from '../diff';
import { allow, evaluatedWith, named, never, scope, service } from '../../test/kit/declarations';
import { lowered, type More } from '../../test/kit/layered-mesh';
import { declarations } from '../../test/kit/between-networks';
import { lower } from './lower';

const crossing = workloadKey('platform', 'crossing');
const across = (ref: string, over: object = {}): DeclarationValue => ({
  kind: 'export',
  port: { ref, port: 'web' },
  through: [{ ref: 'platform/crossing' }],
  ...over,
});
const said = (more: More): readonly string[] =>
  lower(evaluatedWith({ ...declarations, ...more }), 'prod').diagnostics.map(({ code, message }) => `${code} ${message}`);

test('what goes through a gateway is a list: each exported port, and each version of it', () => {
  expect(passagesOf(lowered(declarations), crossing).map(({ serverName, because }) => `${serverName} ${because}`)).toEqual([
    'v1.web.reviews.bookinfo books/reviewsAcross',
    'v2.web.reviews.bookinfo books/reviewsAcross',
    'web.db.bookinfo books/dbAcross',
    'web.reviews.bookinfo books/reviewsAcross',
  ]);
});
test('nothing of it is in a mesh without', () => expect(lowered({})).not.toHaveProperty('networks'));

test.each<[string, More, string]>([
  [
    'a port that there is not',
    { 'books/x': across('books/reviews', { port: { ref: 'books/reviews', port: 'wep' } }) },
    'has no port `wep`',
  ],
  ['a service that there is not', { 'books/x': across('books/review') }, '`books/review`'],
  [
    'through what is no gateway between networks',
    { 'books/x': across('books/stock', { through: [{ ref: 'platform/edge' }] }) },
    '`platform/edge` is a gateway',
  ],
  ['through nothing', { 'books/x': across('books/stock', { through: [] }) }, 'the list of gateways is empty'],
  ['twice', { 'books/x': across('books/reviews') }, 'export of `bookinfo/reviews.web`'],
  ['by another team', { 'orders/x': across('books/stock') }, 'may not export'],
  [
    'a host outside the mesh',
    {
      'books/far': {
        kind: 'external',
        name: 'far',
        team: 'books',
        hosts: ['far.example'],
        ports: { web: { protocol: 'http', number: 80 } },
      },
      'books/x': across('books/far'),
    },
    'MW3110 `outside/far.web` is outside the mesh',
  ],
  [
    'versions that one server name stands for',
    { 'books/stock': service('books/bookinfo', 'stock', { versions: ['V1', 'v1'] }), 'books/x': across('books/stock') },
    'MW3111 versions `V1` and `v1` of `bookinfo/stock.web` have one server name, `v1.web.stock.bookinfo`',
  ],
])('refuses %s', (_, more, wanted) => expect(said(more)).toEqual([expect.stringContaining(wanted)]));

const findings = (more: More): readonly string[] => {
  const evaluated = evaluatedWith({ ...declarations, ...more });
  const before = analyse({ evaluated: evaluatedWith(declarations), irs: new Map([['prod', lowered(declarations)]]), asOf: '2026-11-22' });
  const known = new Set(before.map(({ message }) => message));
  const after = analyse({ evaluated, irs: new Map([['prod', lowered({ ...declarations, ...more })]]), asOf: '2026-11-22' });
  return after
    .filter(({ message, code }) => !known.has(message) && code.startsWith('MW411'))
    .map(({ code, message }) => `${code} ${message}`);
};
test('an export that nobody may use, and a gateway that nothing goes through', () => {
  expect(findings({ 'books/alone': service('books/bookinfo', 'alone'), 'books/x': across('books/alone') })).toEqual([
    'MW4110 `bookinfo/alone.web` is exported, and no rule lets anybody in',
  ]);
  expect(findings({ 'books/reviewsAcross': null, 'books/dbAcross': null })).toEqual([
    'MW4111 nothing is exported through `platform/crossing`, which listens to nobody',
  ]);
});
test('a gateway between networks is nobody: no rule about its namespace takes it in', () => {
  const more = {
    'platform/tool': { ...service('platform/platform', 'tool') },
    'books/platformReads': allow('books/stock', [named('platform/platform')]),
  } satisfies More;
  const rule = lowered({ ...declarations, ...more }).access.find(({ id }) => id === 'books/platformReads');
  expect(rule?.callers).toMatchObject({ kind: 'principals' });
  expect(JSON.stringify(rule)).not.toContain('sa/crossing');
  // and it reaches nothing as itself
  expect(said({ 'books/closed': never([{ kind: 'anyone', except: [named('books/app')] }], [scope('books/stock')]) })).toEqual([]);
});

const diff = (before: More, after: More) => semanticDiff(lowered({ ...declarations, ...before }), lowered({ ...declarations, ...after }));
test('what is exported, and through what, is a difference', () => {
  expect(isEmptyDiff(diff({}, {}))).toBe(true);
  const more = diff({}, { 'books/stockAcross': across('books/stock') });
  expect(more.ports).toEqual([
    { port: 'bookinfo/stock.web', field: 'exported', before: 'to no other network', after: 'through platform/crossing' },
  ]);
  expect(formatDiff(more, 'text')).toContain('bookinfo/stock.web: exported to no other network  ->  through platform/crossing');
  expect(diff({}, { 'books/dbAcross': null }).ports).toMatchObject([{ port: 'bookinfo/db.web', after: 'to no other network' }]);
});

const steps = (before: More, after: More) =>
  planSteps(lowered({ ...declarations, ...before }), lowered({ ...declarations, ...after }), proxyNameOf).value?.map(({ parts }) =>
    parts.map(({ proxy, part }) => `${part} ${proxy}`),
  );
test('a gateway knows a name before callers are sent there by it, and forgets it after they were told', () => {
  const more: More = { 'books/stockAcross': across('books/stock') };
  expect(steps({}, more)).toEqual([['inbound platform/crossing'], ['outbound bookinfo/sa-app']]);
  expect(steps(more, {})).toEqual([['outbound bookinfo/sa-app'], ['outbound platform/crossing']]);
  expect(steps(more, more)).toEqual([]);
});
const between = [['inbound platform/crossing'], ['outbound bookinfo/sa-app'], ['outbound platform/crossing']];
test('what comes and what goes in one release: a gateway has both until callers were told', () => {
  const more: More = { 'books/stockAcross': across('books/stock') };
  expect(steps({}, { ...more, 'books/dbAcross': null })).toEqual(between);
});
test('a version of an exported port is a name like any other', () => {
  const versions = (...names: readonly string[]): More => ({
    'books/stock': service('books/bookinfo', 'stock', { versions: [...names] }),
    'books/stockAcross': across('books/stock'),
  });
  expect(steps(versions('v1'), versions('v1', 'v2'))).toEqual(between.slice(0, 2));
  expect(steps(versions('v1', 'v2'), versions('v1'))).toEqual(between.slice(1));
  expect(steps(versions('v1'), versions('v2'))).toEqual(between);
});

test('a gateway to the outside is told like any caller', () => {
  expect(steps({}, { 'books/pageAcross': across('books/productpage') })).toEqual([
    ['inbound platform/crossing'],
    ['outbound platform/edge'],
  ]);
});

test('in Envoy: one chain for each name, none for the rest, no pattern; only exported ports have clusters, and nobody has a certificate to open with', () => {
  const { value } = emitEnvoy(lowered(declarations));
  const gateway = value?.proxies.find(({ spec }) => spec.workload === crossing)?.spec.outbound;
  const [listener, ...others] = gateway?.listeners ?? [];
  expect(others).toEqual([]);
  const { filterChains = [] } = JSON.parse(JSON.stringify(listener ?? {})) as {
    filterChains?: readonly { filterChainMatch?: object; transportSocket?: object }[];
  };
  expect(filterChains.map(({ filterChainMatch }) => filterChainMatch)).toEqual(
    ['v1.web.reviews.bookinfo', 'v2.web.reviews.bookinfo', 'web.db.bookinfo', 'web.reviews.bookinfo'].map((name) => ({
      transportProtocol: 'tls',
      serverNames: [name],
    })),
  );
  expect(filterChains.every((chain) => chain.transportSocket === undefined)).toBe(true);
  expect(listener).not.toHaveProperty('defaultFilterChain');
  expect(gateway?.services).toEqual(['bookinfo/db.web+across', 'bookinfo/reviews.web+across']);
  expect(JSON.stringify(value?.services.filter(({ metadata }) => metadata.name.endsWith('+across')))).not.toContain('transportSocket');
});
test('a gateway that nothing goes through has no listener; who exports nothing is given no way', () => {
  const { value } = emitEnvoy(lowered({ ...declarations, 'books/reviewsAcross': null, 'books/dbAcross': null }));
  expect(value?.proxies.find(({ spec }) => spec.workload === crossing)?.spec.outbound).toMatchObject({ listeners: [], services: [] });
  expect(JSON.stringify(value?.services)).not.toContain('"across"');
});

test('a policy test asks the gateway itself whether it passes on', () => {
  const irs = new Map([['prod', lowered(declarations)]]);
  const ask = (to: object, sni?: string) => {
    const question = {
      op: 'ask',
      env: 'prod',
      from: { ref: 'platform/crossing' },
      to,
      request: 'GET /',
      ...(sni === undefined ? {} : { sni }),
    };
    const { decision, error } = JSON.parse(answerQuestion(irs, JSON.stringify(question))) as {
      decision?: { outcome: string; because: unknown };
      error?: string;
    };
    return error ?? [decision?.outcome, decision?.because];
  };
  expect(ask({ ref: 'books/reviews', port: 'web' })).toEqual(['allow', ['books/reviewsAcross']]);
  expect(ask({ ref: 'books/reviews', port: 'admin' })).toEqual(['deny', []]);
  expect(ask({ ref: 'books/stock', port: 'web' })).toEqual(['deny', []]);
  expect(ask({ ref: 'books/reviews', port: 'web' }, 'V2.web.reviews.bookinfo')).toEqual(['allow', ['books/reviewsAcross']]);
  // it is passed on, and elsewhere than asked about
  expect(ask({ ref: 'books/stock', port: 'web' }, 'web.db.bookinfo')).toEqual(['deny', ['books/dbAcross']]);
});
