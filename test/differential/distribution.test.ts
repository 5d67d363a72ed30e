import { seeded } from '../kit/random';
import { chiSquare, chiSquareBound, type Trial } from './distribution';

const thrown = (really: number, said: number, n: number): readonly Trial[] => {
  const random = seeded(7);
  return Array.from({ length: n }, () => ({ percent: said, hit: random.chance(really) }));
};

test('shares that are as said stay below the bound, others do not', () => {
  for (const percent of [10, 30, 50, 75]) {
    const right = chiSquare(thrown(percent, percent, 400));
    expect(right.degrees).toBe(1);
    expect(right.value).toBeLessThan(chiSquareBound(1));
    expect(chiSquare(thrown(percent + 20, percent, 400)).value).toBeGreaterThan(chiSquareBound(1));
  }
});
test('too few throws say nothing', () => {
  expect(chiSquare(thrown(100, 10, 20))).toEqual({ value: 0, degrees: 0 });
});
