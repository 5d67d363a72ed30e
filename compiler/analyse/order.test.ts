import type { DeclarationValue } from '../../core/declarations/declaration';
import { proxyNameOf } from '../../core/ir/proxy-name';
import type { MeshIr } from '../../core/ir/ir';
import { lower } from '../lower';
import { allow, egress, evaluatedWith, named, route, service, wayOut } from '../../test/kit/declarations';
import { generateMesh } from '../../test/kit/mesh-generator';
import { planSteps } from './order';

type More = { readonly [id: string]: DeclarationValue | null };
function ir(more: More = {}): MeshIr {
  const { value, diagnostics } = lower(evaluatedWith(more), 'prod');
  if (!value) throw new Error(JSON.stringify(diagnostics));
  return value;
}
const plan = (before: More, after: More) => planSteps(ir(before), ir(after), proxyNameOf);
const parts = (before: More, after: More) =>
  plan(before, after).value?.map((step) => step.parts.map((part) => `${part.part} ${part.proxy}`));

test('nothing in force before, or nothing changed, needs no order', () => {
  expect(planSteps(null, ir(), proxyNameOf)).toEqual({ value: [], diagnostics: [] });
  expect(parts({}, {})).toEqual([]);
});
test('gained access opens at the callee before its caller uses it', () => {
  const gained = { 'books/a': allow('books/details', [named('books/reviews')], { requests: ['GET /details/{id}'] }) };
  expect(parts({}, gained)).toEqual([['inbound bookinfo/sa-details'], ['outbound bookinfo/sa-reviews']]);
});
test('lost access is taken from the caller first', () => {
  expect(parts({}, { 'books/pageReadsDetails': null })).toEqual([['outbound bookinfo/sa-productpage'], ['inbound bookinfo/sa-details']]);
});
test('a shift of weights needs no order', () => {
  expect(parts({}, { 'books/reviewsRoutes': route('books/reviews', { otherwise: { to: { kind: 'version', version: 'v1' } } }) })).toEqual(
    [],
  );
});

const two: More = {
  'books/x': service('books/bookinfo', 'x'),
  'books/y': service('books/bookinfo', 'y'),
  'books/p': service('books/bookinfo', 'p'),
  'books/q': service('books/bookinfo', 'q'),
};
const to = (ref: string): DeclarationValue['kind'] extends never ? never : Extract<DeclarationValue, { kind: 'route' }>['otherwise'] => ({
  to: { kind: 'target', to: { ref, port: 'web' } },
});
test('a move from one service to another opens the new one, moves the caller, then closes the old one', () => {
  const before = {
    ...two,
    'books/route': route('books/p', { otherwise: to('books/x') }),
    'books/a': allow('books/x', [named('books/reviews')]),
    'books/b': allow('books/p', [named('books/reviews')]),
  };
  const after = {
    ...before,
    'books/route': route('books/p', { otherwise: to('books/y') }),
    'books/a': allow('books/y', [named('books/reviews')]),
  };
  expect(parts(before, after)).toEqual([['inbound bookinfo/sa-y'], ['outbound bookinfo/sa-reviews'], ['inbound bookinfo/sa-x']]);
});
test('two callers that change places cannot be rolled out, and are told how to split', () => {
  const common = { ...two, 'books/r1': allow('books/p', [named('books/reviews')]), 'books/r2': allow('books/q', [named('books/ratings')]) };
  const world = (first: string, second: string): More => ({
    ...common,
    'books/route1': route('books/p', { otherwise: to(first) }),
    'books/route2': route('books/q', { otherwise: to(second) }),
    'books/a': allow(first, [named('books/reviews')]),
    'books/b': allow(second, [named('books/ratings')]),
  });
  const outcome = plan(world('books/x', 'books/y'), world('books/y', 'books/x'));
  expect(outcome.value).toBeUndefined();
  expect(outcome.diagnostics).toMatchObject([
    {
      code: 'MW4060',
      help: expect.stringMatching(/^split it into two commits: first what opens \(.* lets .*\), then what closes \(.* shuts out .*\)$/),
    },
  ]);
  const between: More = {
    ...world('books/x', 'books/y'),
    'books/a2': allow('books/y', [named('books/reviews')]),
    'books/b2': allow('books/x', [named('books/ratings')]),
  };
  expect(plan(world('books/x', 'books/y'), between).value).toBeDefined();
  expect(plan(between, world('books/y', 'books/x')).value).toBeDefined();
});
test('a part moves once, and every plan is in order or refused', () => {
  for (let seed = 0; seed < 12; seed++) {
    const [before, after] = [generateMesh(seed, 4), generateMesh(seed + 1, 4)];
    const { value, diagnostics } = planSteps(before, after, proxyNameOf);
    if (!value) expect(diagnostics.map((d) => d.code)).toEqual(['MW4060']);
    const moved = (value ?? []).flatMap((step) => step.parts.map((part) => `${part.part} ${part.proxy}`));
    expect(new Set(moved).size).toBe(moved.length);
  }
});
test('a service that goes is left by its callers first, a new one is there before they come', () => {
  const common = { ...two, 'books/b': allow('books/p', [named('books/reviews')]) };
  const before = {
    ...common,
    'books/y': null,
    'books/route': route('books/p', { otherwise: to('books/x') }),
    'books/a': allow('books/x', [named('books/reviews')]),
  };
  const after = {
    ...common,
    'books/x': null,
    'books/route': route('books/p', { otherwise: to('books/y') }),
    'books/a': allow('books/y', [named('books/reviews')]),
  };
  expect(parts(before, after)).toEqual([['inbound bookinfo/sa-y'], ['outbound bookinfo/sa-reviews'], ['inbound bookinfo/sa-x']]);
});
test('where the same requests are let in, nothing is asked', () => {
  expect(parts({}, { 'mesh/a': { kind: 'standard', for: [{ kind: 'mesh' }], defaults: { timeout: '3s' } } })).toEqual([]);
});
test('a workload that is let in and changes its identity is warned of: no order of configuration brings a certificate', () => {
  const before = { ...two, 'books/a': allow('books/x', [named('books/p')]) };
  const { value, diagnostics } = plan(before, { ...before, 'books/p': service('books/bookinfo', 'p', { serviceAccount: 'sa-renewed' }) });
  expect(value).toBeDefined();
  expect(diagnostics).toMatchObject([{ code: 'MW4061', severity: 'warning', message: expect.stringContaining('/sa/sa-renewed') }]);
  const unknown = plan(two, { ...two, 'books/p': service('books/bookinfo', 'p', { serviceAccount: 'sa-renewed' }) });
  expect(unknown.diagnostics).toEqual([]);
});

test.each(['https', 'tls'])(
  'a gateway that comes on the way out opens before callers turn to it, and is closed after they left it (%s)',
  (protocol) => {
    const stripe = {
      kind: 'external',
      name: 'stripe',
      team: 'books',
      hosts: ['api.stripe.example'],
      ports: { web: { protocol, number: 443 } },
    } as const;
    const direct: More = { ...wayOut, 'books/stripe': stripe, 'books/charge': allow('books/stripe', [named('books/productpage')]) };
    const through: More = { ...direct, 'books/stripe': { ...stripe, through: { ref: 'platform/edge' } } };
    expect(parts(direct, through)).toEqual([['inbound platform/edge'], ['outbound bookinfo/sa-productpage']]);
    expect(parts(through, direct)).toEqual([['outbound bookinfo/sa-productpage'], ['outbound platform/edge']]);
    // a host that comes or goes is known at the gateway as long as at its callers
    const twoHosts: More = {
      ...through,
      'books/stripe': { ...stripe, hosts: [...stripe.hosts, 'eu.stripe.example'], through: { ref: 'platform/edge' } },
    };
    expect(parts(through, twoHosts)).toEqual([['inbound platform/edge'], ['outbound bookinfo/sa-productpage']]);
    expect(parts(twoHosts, through)).toEqual([['outbound bookinfo/sa-productpage'], ['outbound platform/edge']]);
    // what is let in at a gateway is ordered as at any destination
    const more: More = { ...through, 'books/alsoDetails': allow('books/stripe', [named('books/details')]) };
    expect(parts(through, more)).toEqual([['inbound platform/edge'], ['outbound bookinfo/sa-details']]);
  },
);

describe('a gateway on the way out gains with its inbound part and loses with its outbound one', () => {
  const outside = (name: string, hosts: readonly string[], gateway = 'platform/edge'): More => ({
    [`books/${name}`]: {
      ...{ kind: 'external', name, team: 'books', hosts, ports: { web: { protocol: 'https', number: 443 } } },
      through: { ref: gateway },
    },
    [`books/calls-${name}`]: allow(`books/${name}`, [named('books/productpage')]),
  });
  const twice = [['inbound platform/edge'], ['outbound bookinfo/sa-productpage'], ['outbound platform/edge']];
  test.each<[string, More, More]>([
    [
      'a host moves',
      { ...outside('a', ['x.example', 'y.example']), ...outside('b', ['z.example']) },
      { ...outside('a', ['y.example']), ...outside('b', ['x.example', 'z.example']) },
    ],
    [
      'two hosts change places',
      { ...outside('a', ['x.example']), ...outside('b', ['y.example']) },
      { ...outside('a', ['y.example']), ...outside('b', ['x.example']) },
    ],
    ['what stands outside gets another name', outside('a', ['x.example']), outside('b', ['x.example'])],
    [
      'a name is taken out of a wildcard',
      outside('a', ['*.w.example']),
      { ...outside('a', ['*.w.example']), ...outside('b', ['y.w.example']) },
    ],
    ['a name comes back under it', { ...outside('a', ['*.w.example']), ...outside('b', ['y.w.example']) }, outside('a', ['*.w.example'])],
  ])('%s', (_, before, after) => {
    expect(parts({ ...wayOut, ...before }, { ...wayOut, ...after })).toEqual(twice);
  });
  test('hosts that change gateways', () => {
    const gateways: More = { ...wayOut, ...egress };
    const [one, other] = [
      { ...outside('a', ['x.example']), ...outside('b', ['y.example'], 'platform/egress') },
      { ...outside('a', ['x.example'], 'platform/egress'), ...outside('b', ['y.example']) },
    ];
    expect(parts({ ...gateways, ...one }, { ...gateways, ...other })).toEqual([
      ['inbound platform/edge', 'inbound platform/egress'],
      ['outbound bookinfo/sa-productpage'],
      ['outbound platform/edge', 'outbound platform/egress'],
    ]);
  });
});
