import { satisfies } from 'semver';
import { compileRange, isOlder, parseVersion, withinSkew } from './versions';

const version = (text: string): NonNullable<ReturnType<typeof parseVersion>> => {
  const parsed = parseVersion(text);
  if (parsed === null) throw new Error(`${text} is no version`);
  return parsed;
};

describe('24: versions', () => {
  it.each([
    ['1.24.0', true],
    ['v1.26.9', true],
    ['1.27.0', false],
    ['1.23.9', false],
    ['1.27.0-rc.1', false],
    ['1.25.0-rc.1', false],
    ['1.25.0+build.7', true],
  ])('%s in >=1.24.0 <1.27.0: %s, as semver says', (text, wanted) => {
    expect(compileRange({ min: '1.24.0', below: '1.27.0' }).has(version(text))).toBe(wanted);
    expect(satisfies(text, '>=1.24.0 <1.27.0')).toBe(wanted);
  });
  it('a prerelease counts where a bound names one of the same version', () => {
    const range = compileRange({ min: '1.24.0-rc.1', below: '1.27.0' });
    expect(range.has(version('1.24.0-rc.2'))).toBe(true);
    expect(range.has(version('1.24.0-beta.1'))).toBe(false);
    expect(range.has(version('1.25.0-rc.1'))).toBe(false);
  });
  it('a bound that is left out is none, and one that cannot be read lets nothing in', () => {
    expect(compileRange({}).has(version('0.0.1'))).toBe(true);
    expect(compileRange({ below: '2.0.0' }).text).toBe('<2.0.0');
    expect(compileRange({ min: 'one' }).has(version('1.0.0'))).toBe(false);
    expect(compileRange({ min: '1.24', below: '1.27-0' }).has(version('1.25.0'))).toBe(false);
  });
  it.each(['1', '1.2', '1.2.3.4', 'latest', '', ' 1.2.3', '01.2.3', `1.2.3-${'a'.repeat(200)}`])('%j is no version', (text) =>
    expect(parseVersion(text)).toBeNull(),
  );
  it('build metadata makes nothing older, a prerelease does', () => {
    expect(isOlder(version('1.0.0+a'), version('1.0.0+b'))).toBe(false);
    expect(isOlder(version('1.0.0-rc.1'), version('1.0.0'))).toBe(true);
    expect(isOlder(version('1.10.0'), version('1.9.0'))).toBe(false);
  });
  it.each([
    ['1.24.0', '1.26.3', 2, true],
    ['1.23.9', '1.26.0', 2, false],
    ['1.26.9', '1.26.0', 0, true],
    ['1.27.0', '1.26.9', 2, false],
    ['0.26.0', '1.26.0', 2, false],
    ['2.0.0', '1.26.0', 2, false],
  ])('%s behind %s by at most %d minor versions: %s', (of, behind, minor, wanted) =>
    expect(withinSkew(version(of), version(behind), minor)).toBe(wanted),
  );
});
