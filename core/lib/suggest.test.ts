import { suggest } from './suggest';

const known = ['web', 'api', 'reviews', 'ratings'];

test.each([
  ['wbe', 'web'],
  ['reveiws', 'reviews'],
  ['review', 'reviews'],
  ['aip', 'api'],
])('`%s` was meant as `%s`', (typed, meant) => {
  expect(suggest(typed, known)).toBe(meant);
});

test.each(['', 'xyz', 'ew', 'productpage'])('`%s` is near nothing', (typed) => {
  expect(suggest(typed, known)).toBeUndefined();
});
