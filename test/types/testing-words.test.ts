/** What tsc says to a policy test that is wrong: the words, not only that there is an error. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { checkPolicies } from './policy-compiler';

const nouns = `import { defineMesh, http, namespace, service, tcp } from 'meshwright/policy';
import { ask, callersOf, expect } from 'meshwright/testing';
export const mesh = defineMesh({ trustDomain: 'a.example', environments: ['dev'], teams: { books: { namespaces: ['b'] } }, runs: { envoy: '1.40.0' } });
declare module 'meshwright/policy' { interface Register { mesh: typeof mesh } }
const b = namespace('b', { team: 'books' });
const one = service(b, 'one', { serviceAccount: 'one', ports: { web: http(80, { requests: ['GET /x'] }), raw: tcp(81) }, versions: ['v1'] });
const rule = one.ports.web.allow({ from: one, requests: ['GET /x'] });
const routes = one.ports.web.route({ otherwise: { to: 'v1' } });
const answer = ask({ from: one, to: one.ports.web, request: 'GET /x' });
`;
// prettier-ignore
const mistakes: readonly (readonly [line: string, says: string | null])[] = [
  ['expect(answer).not.toBeAllowedBy(rule);', null],
  ["expect(answer).toGoTo(one.ports.web, 10); expect(answer).toGoTo('v1'); expect(answer).toGoTo({ v1: 100 });", null],
  ["expect(answer).toTakeRoute(routes, 'otherwise');", null],
  ["expect(answer).toRetry({ atMost: 2, on: ['5xx'] }); expect(answer).not.toRetry();", null],
  ['expect(callersOf(one.ports.raw)).toContain(one); expect(callersOf(one.ports.raw)).toEqual([one]);', null],
  ['expect(callersOf(one.ports.web)).toBeAllowed();', "Property 'toBeAllowed' does not exist on type 'ExpectValue<"],
  ['expect(answer).toEqual(answer);', "Property 'toEqual' does not exist on type 'ExpectAnswer'"],
  ["expect(answer).toTimeOutAfter('2 secs');", "Argument of type '\"2 secs\"' is not assignable to parameter of type"],
  ["expect(answer).toRetry({ on: ['500'] });", "Type '\"500\"' is not assignable to type 'RetryOn'"],
  ["expect(answer).toRetry({ tries: 2 });", "'tries' does not exist in type 'RetryExpected'"],
  ['expect(answer).toTakeRoute(rule);', "is not assignable to parameter of type 'Route'"],
  ["expect(answer).toTakeRoute(routes, 'first');", "is not assignable to parameter of type"],
  ['expect(answer).toRedirectTo({ status: 200 });', "Type '200' is not assignable to type"],
  ['expect(answer).toBeAllowedBy();', 'Expected 1 arguments, but got 0'],
  ['expect(answer).toBeAllowedbY(rule);', "Did you mean 'toBeAllowedBy'?"],
  ["ask({ from: one, to: one.ports.web, path: '/x' });", "'path' does not exist in type 'Question'"],
];

test('each is said in words, on its line', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'meshwright-testing-words-'));
  try {
    const file = path.join(folder, 'x.policy.test.ts');
    await writeFile(file, `${nouns}${mistakes.map(([line]) => line).join('\n')}\n`);
    const { errors } = await checkPolicies([file], folder);
    const first = nouns.split('\n').length;
    const said = mistakes.map(
      ([line], index) => [line, errors.filter((error) => error.line === first + index).map((error) => error.text)] as const,
    );
    for (const [index, [line, says]] of mistakes.entries()) {
      const texts = said[index]?.[1] ?? [];
      if (says === null) expect([line, texts]).toEqual([line, []]);
      else expect([line, texts.join('\n')]).toEqual([line, expect.stringContaining(says)]);
    }
    expect(errors.filter((error) => error.line < first)).toEqual([]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
