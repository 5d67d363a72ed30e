import { closest, suggest } from './did-you-mean';

test.each([
  ['boks', ['books', 'orders'], 'books'],
  ['form', ['from', 'requests'], 'from'],
  ['POST /review', ['GET /reviews/{id}', 'POST /reviews'], 'POST /reviews'],
  ['payments', ['books', 'orders'], undefined],
  ['', ['a'], undefined],
  ['x'.repeat(10_000), ['x'.repeat(9_999)], undefined],
])('%j', (typed, words, wanted) => expect(closest(typed, words)).toBe(wanted));

test('without a near one, the words there are', () => {
  expect(suggest('zzz', ['a-long-word', 'b-long-word'], 'word')).toBe('write one of `a-long-word`, `b-long-word`');
  expect(suggest('zzz', [], 'port')).toBe('there is no port here');
  expect(
    suggest(
      'zzz',
      Array.from({ length: 20 }, (_, i) => `word-number-${i}`),
      'word',
    ),
  ).toContain('(and 8 more)');
});
