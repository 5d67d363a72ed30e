import { seeded } from '../kit/random';
import { leastLikelihood, likelihood, type Trial } from './distribution';

const thrown = (really: number, said: number, n: number): readonly Trial[] => {
  const random = seeded(7);
  return Array.from({ length: n }, () => ({ percent: said, hit: random.chance(really) }));
};
const fallen = (percent: number, hits: number, n: number): readonly Trial[] =>
  Array.from({ length: n }, (_, index) => ({ percent, hit: index < hits }));

test('shares that are as said are likely enough, others are not', () => {
  for (const percent of [10, 30, 50, 75]) {
    expect(likelihood(thrown(percent, percent, 700))).toBeGreaterThan(0.01);
    expect(likelihood(thrown(percent + 20, percent, 700))).toBeLessThan(leastLikelihood);
  }
});
test('it is the smaller tail, of the percentage that is furthest off', () => {
  expect(likelihood(fallen(50, 0, 4))).toBeCloseTo(1 / 16, 12);
  expect(likelihood(fallen(50, 3, 4))).toBeCloseTo(5 / 16, 12);
  expect(likelihood([...fallen(50, 2, 4), ...fallen(10, 4, 4)])).toBeCloseTo(1e-4, 12);
  expect(likelihood(fallen(50, 500, 1_000))).toBeCloseTo(0.5126, 4);
  expect(likelihood(fallen(100, 5, 5))).toBeCloseTo(1, 12);
  expect(likelihood(fallen(100, 4, 5))).toBe(0);
});
test('few throws say little, none say nothing', () => {
  expect(likelihood(thrown(100, 10, 5))).toBeGreaterThan(leastLikelihood);
  expect(likelihood([])).toBe(1);
});
