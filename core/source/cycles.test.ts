import { importCycles } from './cycles';

const edge = (from: string, to: string) => ({ from, to, span: { file: from, line: 1, column: 1 } });
const paths = (edges: readonly (readonly [string, string])[]): readonly string[] =>
  importCycles(edges.map(([from, to]) => edge(from, to))).map((cycle) => [cycle[0]?.from, ...cycle.map((one) => one.to)].join(' '));

test('modules that import each other are told once, by the shortest circle', () => {
  expect(
    paths([
      ['a', 'b'],
      ['b', 'c'],
      ['c', 'a'],
      ['b', 'a'],
      ['x', 'a'],
      ['c', 'd'],
    ]),
  ).toEqual(['a b a', 'c a b c']);
});
test('a module that imports itself', () => expect(paths([['a', 'a']])).toEqual(['a a']));
test('a diamond is no circle', () =>
  expect(
    paths([
      ['a', 'b'],
      ['a', 'c'],
      ['b', 'd'],
      ['c', 'd'],
    ]),
  ).toEqual([]));
test('what only leads to a circle is not in it', () =>
  expect(
    paths([
      ['a', 'b'],
      ['b', 'c'],
      ['c', 'b'],
    ]),
  ).toEqual(['b c b']));
