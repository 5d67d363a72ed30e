import { prefixRanges, sourceClasses } from './sources';

const about = (...sources: readonly string[]): Parameters<typeof sourceClasses>[0][number] => ({ match: { sources } });
const classes = (...lists: readonly (readonly string[])[]): readonly unknown[] =>
  sourceClasses(lists.map((list) => about(...list))).map(({ name, networks }) => [name, networks]);
const six = '0:0:0:0:0:0:0:0/0';

test('networks that the same rules speak of are one class, and the rest is whatever is in none', () => {
  expect(classes([])).toEqual([[null, []]]);
  expect(classes(['10.0.0.0/8', '192.0.2.0/24'], ['10.1.0.0/16'])).toEqual([
    ['10.0.0.0/8', ['10.0.0.0/8', '192.0.2.0/24']],
    ['10.1.0.0/16', ['10.1.0.0/16']],
    [null, []],
  ]);
});
// to Envoy a chain without prefixes stands for 0.0.0.0/0 and ::/0: beside another that says so, either may have a client
test('where rules speak of all addresses of a family, the rest is the other family alone', () => {
  expect(classes(['0.0.0.0/0'])).toEqual([
    ['0.0.0.0/0', ['0.0.0.0/0']],
    [null, [six]],
  ]);
  expect(classes([six], ['10.0.0.0/8'])).toEqual([
    [six, [six]],
    ['10.0.0.0/8', ['10.0.0.0/8']],
    [null, ['0.0.0.0/0']],
  ]);
  expect(classes(['0.0.0.0/0', six])).toEqual([['0.0.0.0/0', ['0.0.0.0/0', six]]]);
});
// that is whose network it is written for: the addresses of IPv4 are in none of IPv6
test('a network of IPv6 around the addresses of IPv4 takes none of those', () => {
  expect(classes(['::/8'])).toEqual([
    ['::/8', ['::/8']],
    [null, ['0.0.0.0/0', six]],
  ]);
});
test('a PROXY header may say of a client of IPv4 where it comes from as IPv6 has it', () => {
  const [office] = sourceClasses([about('10.0.0.0/8', 'fd00::/8')]);
  const ranges = (listener: { readonly proxyProtocol?: true }): unknown =>
    office && prefixRanges(office, listener).sourcePrefixRanges.map(({ addressPrefix, prefixLen }) => `${addressPrefix}/${prefixLen}`);
  expect(ranges({})).toEqual(['10.0.0.0/8', 'fd00::/8']);
  expect(ranges({ proxyProtocol: true })).toEqual(['10.0.0.0/8', 'fd00::/8', '0:0:0:0:0:ffff:a00:0/104']);
});
