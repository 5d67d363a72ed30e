import * as policy from '../policy/index';
import * as testing from './index';
import { runTest } from './run';

const decision = (more: object): string =>
  JSON.stringify({
    targets: [{ ref: 'books/reviews', port: 'web', through: 'books/rule' }],
    mirrors: [{ ref: 'books/reviews', port: 'web' }],
    asked: 'GET /reviews/7 from b/page to b/reviews.web',
    decision: {
      outcome: 'allow',
      stage: 'inbound',
      status: null,
      because: ['books/rule'],
      route: null,
      destinations: [
        {
          port: 'b/reviews.web',
          version: 'v1',
          share: 100,
          access: 'allow',
          because: ['books/rule'],
          request: { method: 'GET', path: '/reviews/7', host: 'reviews.b:80', headers: { 'end-user': 'jason' } },
          responseHeaders: [],
        },
      ],
      mirrors: [],
      fault: null,
      answer: null,
      sticky: null,
      timeoutMs: 2000,
      retry: null,
      says: 'it is so',
      ...more,
    },
  });

let asked: unknown[] = [];
let answer: (question: { readonly op: string; readonly of?: { readonly ref: string } }) => string = () => '{}';
beforeAll(() => {
  Reflect.set(globalThis, '__meshwrightAsk', (text: string) => {
    const question = JSON.parse(text) as { readonly op: string; readonly of?: { readonly ref: string } };
    asked.push(question);
    return question.op === 'idOf' ? JSON.stringify({ id: question.of?.ref === '#2' ? 'books/reviews' : 'books/rule' }) : answer(question);
  });
});
beforeEach(() => {
  asked = [];
});

policy.defineMesh({
  trustDomain: 'acme.example',
  environments: ['dev', 'prod'],
  teams: { books: { namespaces: ['b'] } },
  runs: { envoy: '1.40.0' },
});
const space = policy.namespace('b', { team: 'books' });
const reviews = policy.service(space, 'reviews', { serviceAccount: 'r', ports: { web: policy.http(80) }, versions: ['v1', 'v2'] });
const web = reviews.ports['web'];
const rule = policy.never({ from: reviews, to: reviews });
const edge = policy.gateway(space, 'edge', {
  serviceAccount: 'e',
  listeners: { web: { port: 443, hosts: { 'a.example': 'books' }, certificate: policy.secret('b/tls') } },
});

let tests = 0;
/** Runs a body as a test of the language does, in `dev`. */
function outcome(body: () => void): string | undefined {
  testing.test(`test ${tests}`, body);
  tests += 1;
  const { passed, message } = runTest(tests - 1, 'dev');
  return passed ? undefined : message;
}
type Matchers = Record<string, (...given: unknown[]) => void>;
const expectOf = (value: unknown): Matchers => testing.expect(value) as Matchers;
const question = { from: reviews, to: web, request: 'GET /reviews/7?x=1', headers: { 'end-user': 'jason' } };

test('a question goes to the host as references, in the environment that runs', () => {
  answer = () => decision({});
  expect(outcome(() => expectOf(testing.ask(question))['toBeAllowed']?.())).toBeUndefined();
  expect(asked).toEqual([
    {
      op: 'ask',
      from: { ref: '#2' },
      to: { ref: '#2', port: 'web' },
      request: 'GET /reviews/7?x=1',
      headers: { 'end-user': 'jason' },
      env: 'dev',
    },
  ]);
});
test('an environment can be named, and somebody outside asks by a gateway', () => {
  expect(
    outcome(
      () => void testing.ask({ from: (policy.internet as { through(gateway: unknown): unknown }).through(edge), to: web, env: 'prod' }),
    ),
  ).toBeUndefined();
  expect(asked).toEqual([
    {
      op: 'ask',
      from: { outside: { kind: 'outside', name: 'internet', through: { ref: '#4' } } },
      to: { ref: '#2', port: 'web' },
      request: 'GET /',
      headers: {},
      env: 'prod',
    },
  ]);
});
const retry = { atMost: 2, perTryMs: 500, on: ['5xx', 'connect-failure'], budgetPercent: 20 };
const split = {
  destinations: [
    { port: 'b/reviews.web', version: 'v1', share: 90, access: 'allow', because: ['books/rule'] },
    { port: 'b/reviews.web', version: 'v3', share: 10, access: 'allow', because: ['books/rule'] },
  ],
};
const resilience = {
  connections: {
    ...{ max: 1, pending: null, requests: null, retries: null, perConnection: null, streams: null },
    ...{ connectTimeoutMs: 2000, idleMs: null, maxAgeMs: null, keepAlive: null, ping: null },
  },
  eject: {
    ...{ consecutive5xx: 1, gatewayFailures: null, localFailures: null, successRate: null, failureShare: null },
    ...{ everyMs: 10_000, forMs: 180_000, forAtMostMs: 300_000, atMostPercent: 100 },
  },
  health: null,
  balance: { kind: 'random' },
  locality: { kind: 'prefer', nearness: 'region', failover: [{ from: 'eu-west', to: ['eu-north', 'us'] }] },
  panicBelowPercent: 50,
};
const reached = { destinations: [{ port: 'b/reviews.web', version: 'v1', share: 100, access: 'allow', because: [], resilience }] };
const mirrored = { mirrors: [{ port: 'b/reviews.web', version: 'v2', share: 100, access: 'allow', because: [] }] };
const fault = { delay: { ms: 7000, percent: 10 }, abort: { status: 500, percent: 100 } };
const refused = { outcome: 'deny', status: 403, because: [], destinations: [], says: 'no rule allows it' };
const routed = { route: { rule: 'books/rule.rules.1', index: 1 } };
const calledByGrpc = {
  status: 200,
  answer: { status: 200, headers: { 'content-type': 'application/grpc', 'grpc-status': '5', 'grpc-message': '100 %25 gone' }, body: null },
};
type Row = [title: string, decided: object, matcher: string, given: readonly unknown[], says: unknown];
const table: readonly Row[] = [
  ['toBeAllowed', {}, 'toBeAllowed', [], undefined],
  ['toBeAllowed of a denial', refused, 'toBeAllowed', [], 'expected it to be allowed, and it is denied with 403: no rule allows it'],
  [
    'toBeAllowed of a mixed decision',
    { outcome: 'mixed' },
    'toBeAllowed',
    [],
    'expected it to be allowed, and it is let in by some destinations and not by others: it is so',
  ],
  ['toBeDenied', refused, 'toBeDenied', [], undefined],
  ['toBeDenied of an allow', {}, 'toBeDenied', [], 'expected it to be denied, and it is allowed: it is so'],
  ['toBeAllowedBy', {}, 'toBeAllowedBy', [rule], undefined],
  ['toBeAllowedBy another', {}, 'toBeAllowedBy', [reviews], 'expected it to be allowed by `books/reviews`, and `books/rule` decided'],
  ['toBeAllowedBy no rule', {}, 'toBeAllowedBy', ['rule'], '`toBeAllowedBy` takes a rule: name what `allow(...)` or `deny(...)` made'],
  ['toBeDeniedBy nobody', refused, 'toBeDeniedBy', [rule], 'expected it to be denied by `books/rule`, and no rule decided'],
  ['toBeRefusedWith', refused, 'toBeRefusedWith', [403], undefined],
  [
    'toBeRefusedWith another',
    refused,
    'toBeRefusedWith',
    [404],
    'expected it to be refused with 404, and it is denied with 403: no rule allows it',
  ],
  ['toGoThrough', {}, 'toGoThrough', [edge], undefined],
  ['toGoThrough another', {}, 'toGoThrough', [reviews], 'expected it to go through `books/reviews`, and it goes through `books/rule`'],
  ['toGoThrough a word', {}, 'toGoThrough', ['edge'], expect.stringMatching(/takes a gateway/)],
  ['toBeAnsweredWith', { status: 404 }, 'toBeAnsweredWith', [404], undefined],
  ['toBeAnsweredWith a status of gRPC', calledByGrpc, 'toBeAnsweredWith', ['not-found', '100 % gone'], undefined],
  [
    'toBeAnsweredWith another status of gRPC',
    calledByGrpc,
    'toBeAnsweredWith',
    ['unavailable'],
    'expected it to be answered with unavailable by the mesh itself, and the mesh answers not-found "100 % gone"',
  ],
  [
    'toBeAnsweredWith by the application',
    {},
    'toBeAnsweredWith',
    [404],
    'expected it to be answered with 404 by the mesh itself, and the application answers',
  ],
  ['toTakeRoute', routed, 'toTakeRoute', [rule, 1], undefined],
  ['toTakeRoute at all', routed, 'toTakeRoute', [rule], undefined],
  [
    'toTakeRoute otherwise',
    routed,
    'toTakeRoute',
    [rule, 'otherwise'],
    'expected it to take `books/rule.otherwise`, and it takes `books/rule.rules.1`',
  ],
  ['toTakeRoute of another', routed, 'toTakeRoute', [reviews], 'expected it to take `books/reviews`, and it takes `books/rule.rules.1`'],
  ['toGoTo', {}, 'toGoTo', [{ v1: 100 }], undefined],
  ['toGoTo a version', {}, 'toGoTo', ['v1'], undefined],
  ['toGoTo a port', {}, 'toGoTo', [web], undefined],
  ['toGoTo a share', split, 'toGoTo', ['v3', 10], undefined],
  ['toGoTo all of it', split, 'toGoTo', ['v3'], 'expected it to go to v3, and it goes to v1 90 %, v3 10 %: it is so'],
  ['toGoTo elsewhere', {}, 'toGoTo', [{ v2: 100 }], 'expected it to go to v2 100 %, and it goes to v1 100 %: it is so'],
  [
    'toGoTo in other shares',
    {},
    'toGoTo',
    [{ v1: 90, v2: 10 }],
    'expected it to go to v1 90 %, v2 10 %, and it goes to v1 100 %: it is so',
  ],
  ['toTimeOutAfter', {}, 'toTimeOutAfter', ['2s'], undefined],
  ['toTimeOutAfter in other units', {}, 'toTimeOutAfter', ['2000ms'], undefined],
  ['toTimeOutAfter another time', {}, 'toTimeOutAfter', ['3s'], 'expected it to time out after 3s, and it times out after 2s'],
  ['toHaveTimeout none', {}, 'toHaveTimeout', ['none'], 'expected it to have no timeout, and it times out after 2s'],
  ['toHaveTimeout of a number', {}, 'toHaveTimeout', [2], '`2` is no duration: write `2s`, `500ms`, or `none`'],
  [
    'toBeReachedWith',
    reached,
    'toBeReachedWith',
    [
      {
        connections: { max: 1, connectTimeout: '2000ms' },
        eject: { consecutive5xx: 1, for: '180s', atMost: '100%' },
        health: 'none',
        balance: 'random',
        locality: { prefer: 'region', failover: { 'eu-west': ['eu-north', 'us'] } },
      },
    ],
    undefined,
  ],
  [
    'toBeReachedWith else',
    reached,
    'toBeReachedWith',
    [{ connections: { max: 2, pending: 1 }, locality: 'off' }],
    'expected it to be reached with connections.max 2, connections.pending 1, locality off, and it is reached with connections.max 1, connections.pending (not set), locality (not set)',
  ],
  [
    'toBeReachedWith nobody',
    refused,
    'toBeReachedWith',
    [{ balance: 'random' }],
    'expected it to be reached with balance random, and nobody is reached: it is denied with 403: no rule allows it',
  ],
  ['toBeReachedWith nothing', reached, 'toBeReachedWith', ['zone'], expect.stringMatching(/takes what a setting has/)],
  ['toStickBy', { sticky: { by: 'cookie', name: 'user', value: null } }, 'toStickBy', ['cookie', 'user'], undefined],
  [
    'toStickBy nothing',
    {},
    'toStickBy',
    ['cookie', 'user'],
    'expected it to stick to its destination by cookie `user`, and each request goes its own way',
  ],
  ['toArriveAs', {}, 'toArriveAs', [{ path: '/reviews/7', headers: { 'End-User': 'jason', 'x-gone': null } }], undefined],
  ['toArriveAs else', {}, 'toArriveAs', [{ path: '/x' }], 'expected it to arrive with path /x, and it arrives with path /reviews/7'],
  [
    'toArriveAs nowhere',
    refused,
    'toArriveAs',
    [{ path: '/x' }],
    'expected it to arrive with path /x, and nobody gets it: it is denied with 403: no rule allows it',
  ],
  ['toBeMirroredTo', mirrored, 'toBeMirroredTo', ['v2'], undefined],
  ['toBeMirroredTo a port', mirrored, 'toBeMirroredTo', [web, 100], undefined],
  [
    'toBeMirroredTo less',
    mirrored,
    'toBeMirroredTo',
    ['v2', 10],
    'expected it to be mirrored to v2 for 10 % of the requests, and it is mirrored to v2 100 %',
  ],
  ['toBeMirroredTo not', {}, 'toBeMirroredTo', ['v2'], 'expected it to be mirrored to v2, and it is not mirrored'],
  ['toBeDelayed', { fault }, 'toBeDelayed', ['7s', 10], undefined],
  [
    'toBeDelayed all',
    { fault },
    'toBeDelayed',
    ['7s'],
    'expected it to be delayed by 7s, and it is delayed by 7s for 10 % of the requests',
  ],
  ['toBeDelayed not', {}, 'toBeDelayed', ['7s'], 'expected it to be delayed by 7s, and it is not delayed'],
  ['toBeAborted', { fault }, 'toBeAborted', [500], undefined],
  ['toBeAborted else', { fault }, 'toBeAborted', [503], 'expected it to be aborted with 503, and it is aborted with 500'],
  ['toBeAborted not', {}, 'toBeAborted', [500], 'expected it to be aborted with 500, and it is not aborted'],
  ['toCloseAfterIdle', { idleMs: 3_600_000 }, 'toCloseAfterIdle', ['1h'], undefined],
  [
    'toCloseAfterIdle else',
    { idleMs: 60_000 },
    'toCloseAfterIdle',
    ['1h'],
    'expected it to be closed after 1h without a byte, and it is closed after 1m',
  ],
  [
    'toCloseAfterIdle of a request',
    {},
    'toCloseAfterIdle',
    ['1h'],
    'expected it to be closed after 1h without a byte, and it is allowed: it is so',
  ],
  ['toRetry', { retry }, 'toRetry', [], undefined],
  ['toRetry so often', { retry }, 'toRetry', [2], undefined],
  ['toRetry in full', { retry }, 'toRetry', [{ atMost: 2, perTry: '0.5s', on: ['connect-failure', '5xx'], budget: '20%' }], undefined],
  [
    'toRetry otherwise',
    { retry },
    'toRetry',
    [{ on: ['5xx'] }],
    'expected it to be retried with on 5xx, and it is retried with atMost 2, perTry 500ms, on 5xx connect-failure, budget 20%',
  ],
  ['toRetry what is not', {}, 'toRetry', [1], 'expected it to be retried with atMost 1, and it is not retried'],
];
test.each(table)('%s', (_, more, matcher, given, says) => {
  answer = () => decision(more);
  expect(outcome(() => expectOf(testing.ask(question))[matcher]?.(...given))).toEqual(says);
});
test.each(table.filter(([, , , , says]) => says === undefined || (typeof says === 'string' && says.startsWith('expected '))))(
  'not.%s says the contrary',
  (_, more, matcher, given, says) => {
    answer = () => decision(more);
    const said = outcome(() => (expectOf(testing.ask(question))['not'] as unknown as Matchers)[matcher]?.(...given));
    if (says === undefined) expect(said).toMatch(/^expected it not to .+, and it|^expected it not to .+, and (`|the mesh|it)/);
    else expect(said).toBeUndefined();
  },
);
test('what the mesh answers by itself is read from its answer', () => {
  const answered = (status: number, headers: object, body: string | null) => decision({ status, answer: { status, headers, body } });
  answer = () => answered(301, { location: 'https://www.acme.example/new?x=1' }, null);
  const redirected = (...given: unknown[]) => outcome(() => expectOf(testing.ask(question))['toRedirectTo']?.(...given));
  expect(redirected({ scheme: 'https', host: 'www.acme.example', path: '/new?x=1', status: 301 })).toBeUndefined();
  expect(redirected('https://www.acme.example/new?x=1')).toBeUndefined();
  expect(redirected('/new?x=1')).toBeUndefined();
  expect(redirected('/old')).toBe(
    'expected it to be redirected to path /old, and it is redirected to https://www.acme.example/new?x=1 with 301',
  );
  answer = () => answered(404, {}, 'nothing here\n');
  expect(outcome(() => expectOf(testing.ask(question))['toBeAnsweredWith']?.(404, 'nothing here\n'))).toBeUndefined();
  expect(outcome(() => expectOf(testing.ask(question))['toBeAnsweredWith']?.(404, 'x'))).toBe(
    'expected it to be answered with 404 "x" by the mesh itself, and the mesh answers 404 "nothing here\\n"',
  );
  expect(redirected('/')).toBe('expected it to be redirected to path /, and it is allowed with 404: it is so');
});
test('a failure carries the question, the answer and the rules that decided', () => {
  answer = () => decision(refused);
  testing.test('about', () => expectOf(testing.ask(question))['toBeAllowed']?.());
  tests += 1;
  expect(runTest(tests - 1, 'dev').about).toEqual({
    asked: 'GET /reviews/7 from b/page to b/reviews.web',
    answered: 'denied with 403: no rule allows it',
    rules: [],
  });
});
test('callers and targets equal the handles that they stand for, in any order', () => {
  answer = ({ op }) =>
    JSON.stringify(
      op === 'callersOf' ? { callers: ['books/rule', 'books/reviews'] } : { targets: [{ ref: 'books/reviews', port: 'web' }] },
    );
  expect(outcome(() => expectOf(testing.callersOf(web))['toEqual']?.([reviews, rule]))).toBeUndefined();
  expect(outcome(() => expectOf(testing.reachableFrom(reviews))['toEqual']?.([web]))).toBeUndefined();
  expect(outcome(() => expectOf(testing.callersOf(web))['toEqual']?.([]))).toBe(
    'expected it to equal [], and it is [books/reviews, books/rule]',
  );
  expect(outcome(() => expectOf(testing.callersOf(web))['toContain']?.(reviews))).toBeUndefined();
  expect(outcome(() => expectOf(testing.callersOf(web))['toContain']?.(web))).toMatch(/^expected it to contain/);
});
test.each<[string, () => unknown, RegExp]>([
  ['a class of requests', () => testing.ask({ ...question, request: 'GET /reviews/{id}' }), /is a class of requests/],
  ['a method that is none', () => testing.ask({ ...question, request: 'GTE /x' }), /is not a request/],
  ['no destination', () => testing.ask({ from: reviews, to: undefined }), /undefined/],
  ['a service as destination', () => testing.ask({ from: reviews, to: reviews }), /where one of its ports is meant/],
  ['an unknown environment', () => testing.ask({ ...question, env: 'production' }), /no environment of this mesh/],
  ['an unknown key', () => testing.ask({ ...question, form: reviews }), /unknown key `form`/],
  ['a matcher on what is no answer', () => expectOf({})['toBeAllowed']?.(), /is about an answer/],
  ['a share of nothing', () => expectOf(testing.ask(question))['toGoTo']?.(7), /takes a version or a port/],
  ['a test in a test', () => testing.test('inner', () => undefined), /never run/],
  ['a word that no retry has', () => expectOf(testing.ask(question))['toRetry']?.({ tries: 2 }), /nothing that a retry has/],
  ['a promise', () => ({ then: 1 }), /may not be `async`/],
  ['an error of the host', () => ((answer = () => '{"error":"not in environment dev"}'), testing.ask(question)), /not in environment dev/],
])('%s fails the test and says why', (_, body, says) => {
  answer = () => decision({});
  expect(outcome(body as () => void)).toMatch(says);
});
test('outside a test there is no environment to ask in', () => expect(() => testing.ask(question)).toThrow(/belongs into `test/));
