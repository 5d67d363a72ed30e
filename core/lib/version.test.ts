import fc from 'fast-check';
import { anyVersion, compareVersions, formatRange, intersect, isEmptyRange, isWithin, parseVersion, type Range } from './version';

test('a version is three plain numbers', () => {
  expect(parseVersion('1.40.0')).toEqual([1, 40, 0]);
  for (const text of ['1.4', 'v1.4.0', '01.4.0', '1.4.0-rc.1', '1.4.0.0', '', '1.4.1234567890']) expect(parseVersion(text)).toBeNull();
});
test('numbers are compared as numbers', () => {
  expect(['1.10.0', '1.9.9', '2.0.0', '1.9.10'].sort(compareVersions)).toEqual(['1.9.9', '1.9.10', '1.10.0', '2.0.0']);
});
test('ranges in words', () => {
  expect(
    [anyVersion, { min: '1.4.0', below: null }, { min: null, below: '2.0.0' }, { min: '1.4.0', below: '2.0.0' }].map(formatRange),
  ).toEqual(['any', 'from 1.4.0', 'below 2.0.0', 'from 1.4.0, below 2.0.0']);
});

const version = fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3)).map((numbers) => numbers.join('.'));
const range: fc.Arbitrary<Range> = fc.record({ min: fc.option(version), below: fc.option(version) });
test('a version lies in two ranges exactly if it lies in what they have in common', () => {
  fc.assert(
    fc.property(version, range, range, (one, a, b) => expect(isWithin(one, intersect(a, b))).toBe(isWithin(one, a) && isWithin(one, b))),
    { seed: 4 },
  );
});
test('a range is empty exactly if no version lies in it: its own first one does, or none', () => {
  fc.assert(
    fc.property(range, (one) => expect(isEmptyRange(one)).toBe(!isWithin(one.min ?? '0.0.0', one))),
    { seed: 4 },
  );
});
