import { lower } from '../../compiler/lower';
import { generateDeclarations, generateQuestions } from '../kit/mesh-generator';
import { decisionOn } from './decision-on';
import { type Candidate, isPossible, shrink, without } from './shrink';

/** What stands for a difference here: the mesh redirects. Inside, for a gateway's listener may do so without a route. */
function redirects({ declarations, question }: Candidate): boolean {
  if (question.kind !== 'request' || question.request.from.kind === 'outside') return false;
  const { value } = lower({ declarations, origins: {}, fuel: 0 }, 'prod');
  return value !== undefined && decisionOn(value, question).answer?.headers['location'] !== undefined;
}

test('what is left still differs, and is a route with one rule, who may call it, and a plain question', async () => {
  const starts: Candidate[] = [];
  for (let seed = 1; starts.length < 3; seed += 1) {
    const { declarations } = generateDeclarations(seed, 3);
    const { value } = lower({ declarations, origins: {}, fuel: 0 }, 'prod');
    if (!value) throw new Error('a generated mesh lowers');
    const question = generateQuestions(value, seed, 50).find((one) => redirects({ declarations, question: one }));
    if (question) starts.push({ declarations, question });
  }
  for (const start of starts) {
    let asked = 0;
    const least = await shrink(start, (candidate) => Promise.resolve((asked += 1) > 0 && redirects(candidate)), 1_000);
    expect(redirects(least) && isPossible(least)).toBe(true);
    expect(asked).toBeLessThan(400);
    expect(least.declarations.filter(({ value }) => value.kind === 'route')).toHaveLength(1);
    expect(least.declarations.length).toBeLessThanOrEqual(8);
    expect(least.question.kind === 'request' && least.question.wire.body).toBe(null);
  }
});

test('no more is asked than may be', async () => {
  const { declarations } = generateDeclarations(1, 3);
  const { value } = lower({ declarations, origins: {}, fuel: 0 }, 'prod');
  const [question] = value ? generateQuestions(value, 1, 1) : [];
  if (!question) throw new Error('a generated mesh lowers');
  let asked = 0;
  const differs = (): Promise<boolean> => Promise.resolve((asked += 1) > 0);
  await shrink({ declarations, question }, differs, 5);
  expect(asked).toBe(5);
});

test('a value without one member or entry, from the outside in', () => {
  expect([...without({ kind: 'a', list: [1, { b: 2 }], c: 3 })]).toEqual([
    { kind: 'a', c: 3 },
    { kind: 'a', list: [1, { b: 2 }] },
    { kind: 'a', list: [{ b: 2 }], c: 3 },
    { kind: 'a', list: [1], c: 3 },
    { kind: 'a', list: [1, {}], c: 3 },
  ]);
});
