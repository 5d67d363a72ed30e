import * as policy from '../policy/index';
import * as testing from './index';
import { runTest } from './run';

const decision = (more: object): string =>
  JSON.stringify({
    decision: {
      outcome: 'allow',
      stage: 'inbound',
      status: null,
      because: ['books/rule'],
      route: null,
      destinations: [{ port: 'b/reviews.web', version: 'v1', share: 100, access: 'allow', because: ['books/rule'] }],
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
type Matchers = Record<string, (value?: unknown) => void>;
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
test.each<[string, object, string, unknown, string | undefined]>([
  ['toBeAllowed', {}, 'toBeAllowed', undefined, undefined],
  ['toBeAllowed of a denial', { outcome: 'deny' }, 'toBeAllowed', undefined, 'expected allow, and it is deny: it is so'],
  ['toBeAllowed of a mixed decision', { outcome: 'mixed' }, 'toBeAllowed', undefined, 'expected allow, and it is mixed: it is so'],
  ['toBeDenied', { outcome: 'deny' }, 'toBeDenied', undefined, undefined],
  ['toBeDenied of an allow', {}, 'toBeDenied', undefined, 'expected deny, and it is allow: it is so'],
  ['toBeAllowedBy', {}, 'toBeAllowedBy', rule, undefined],
  ['toBeAllowedBy another', {}, 'toBeAllowedBy', reviews, 'expected `books/reviews` to decide, and it was `books/rule`'],
  ['toBeAllowedBy no rule', {}, 'toBeAllowedBy', 'rule', '`toBeAllowedBy` takes a rule: name what `allow(...)` or `deny(...)` made'],
  [
    'toBeDeniedBy nobody',
    { outcome: 'deny', because: [], destinations: [] },
    'toBeDeniedBy',
    rule,
    'expected `books/rule` to decide, and no rule did',
  ],
  ['toGoTo', {}, 'toGoTo', { v1: 100 }, undefined],
  ['toGoTo elsewhere', {}, 'toGoTo', { v2: 100 }, 'expected it to go to v2 100 %, and it goes to v1 100 %: it is so'],
  ['toGoTo in other shares', {}, 'toGoTo', { v1: 90, v2: 10 }, 'expected it to go to v1 90 %, v2 10 %, and it goes to v1 100 %: it is so'],
  ['toTimeOutAfter', {}, 'toTimeOutAfter', '2s', undefined],
  ['toTimeOutAfter another time', {}, 'toTimeOutAfter', '3s', 'expected a timeout of 3s, and it is 2000 ms'],
])('%s', (_, more, matcher, wanted, says) => {
  answer = () => decision(more);
  expect(outcome(() => expectOf(testing.ask(question))[matcher]?.(wanted))).toBe(says);
});
test('callers and targets equal the handles that they stand for, in any order', () => {
  answer = ({ op }) =>
    JSON.stringify(
      op === 'callersOf' ? { callers: ['books/rule', 'books/reviews'] } : { targets: [{ ref: 'books/reviews', port: 'web' }] },
    );
  expect(outcome(() => expectOf(testing.callersOf(web))['toEqual']?.([reviews, rule]))).toBeUndefined();
  expect(outcome(() => expectOf(testing.reachableFrom(reviews))['toEqual']?.([web]))).toBeUndefined();
  expect(outcome(() => expectOf(testing.callersOf(web))['toEqual']?.([]))).toBe('expected [], and it is [books/reviews, books/rule]');
});
test.each<[string, () => unknown, RegExp]>([
  ['a class of requests', () => testing.ask({ ...question, request: 'GET /reviews/{id}' }), /is a class of requests/],
  ['a method that is none', () => testing.ask({ ...question, request: 'GTE /x' }), /is not a request/],
  ['no destination', () => testing.ask({ from: reviews, to: undefined }), /undefined/],
  ['a service as destination', () => testing.ask({ from: reviews, to: reviews }), /where one of its ports is meant/],
  ['an unknown environment', () => testing.ask({ ...question, env: 'production' }), /no environment of this mesh/],
  ['an unknown key', () => testing.ask({ ...question, form: reviews }), /unknown key `form`/],
  ['a matcher on what is no answer', () => expectOf({})['toBeAllowed']?.(), /is about an answer/],
  ['a promise', () => ({ then: 1 }), /may not be `async`/],
  ['an error of the host', () => ((answer = () => '{"error":"not in environment dev"}'), testing.ask(question)), /not in environment dev/],
])('%s fails the test and says why', (_, body, says) => {
  answer = () => decision({});
  expect(outcome(body as () => void)).toMatch(says);
});
test('outside a test there is no environment to ask in', () => expect(() => testing.ask(question)).toThrow(/belongs into `test/));
