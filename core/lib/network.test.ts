import { canonicalNetwork, holdsMapped, isInNetwork, isWithinNetwork, mappedNetwork } from './network';

test.each([
  ['10.1.2.3/8', '10.0.0.0/8'],
  ['192.0.2.1/32', '192.0.2.1/32'],
  ['192.0.2.255/31', '192.0.2.254/31'],
  ['1.2.3.4/0', '0.0.0.0/0'],
  ['FD00::1/8', 'fd00:0:0:0:0:0:0:0/8'],
  ['2001:db8::/33', '2001:db8:0:0:0:0:0:0/33'],
  ['::/0', '0:0:0:0:0:0:0:0/0'],
  ['::ffff:10.1.2.3/104', '10.0.0.0/8'],
  ['::FFFF:c000:201/128', '192.0.2.1/32'],
  ['::ffff:0:0/96', '0.0.0.0/0'],
  ['::ffff:0:0/95', '0:0:0:0:0:fffe:0:0/95'],
])('%s is %s', (text, canonical) => expect(canonicalNetwork(text)).toBe(canonical));
test.each([
  '10.0.0.0',
  '10.0.0.0/33',
  '10.0.0/8',
  '10.0.0.256/8',
  '::1/129',
  '1::2::3/64',
  ':::/0',
  'fd00:1:2:3:4:5:6/8',
  'x/8',
  '10.0.0.0/',
  '::ffff:10.0.0.0/8',
  '::ffff:10.0.0/104',
])('%s is no network', (text) => expect(canonicalNetwork(text)).toBeNull());
test.each([
  ['10.255.0.1', '10.0.0.0/8', true],
  ['11.0.0.1', '10.0.0.0/8', false],
  ['::ffff:10.1.1.1', '10.0.0.0/8', true],
  ['::ffff:a01:101', '10.0.0.0/8', true],
  ['0:0:0:0:0:FFFF:0a01:0101', '::ffff:10.1.0.0/112', true],
  ['::ffff:10.1.1.1', '::/0', false],
  ['::fffe:a01:101', '10.0.0.0/8', false],
  ['fd00::5', 'fd00::/8', true],
  ['fe00::5', 'fd00::/8', false],
  ['10.0.0.1', '::/0', false],
  ['fd00::5', '0.0.0.0/0', false],
  ['192.0.2.129', '192.0.2.128/25', true],
  ['192.0.2.127', '192.0.2.128/25', false],
  ['nobody', '0.0.0.0/0', false],
])('%s in %s: %s', (address, network, is) => expect(isInNetwork(address, network)).toBe(is));
test('a network within another', () => {
  expect(isWithinNetwork('10.1.0.0/16', '10.0.0.0/8')).toBe(true);
  expect(isWithinNetwork('10.0.0.0/8', '10.0.0.0/8')).toBe(true);
  expect(isWithinNetwork('10.0.0.0/7', '10.0.0.0/8')).toBe(false);
  expect(isWithinNetwork('11.0.0.0/16', '10.0.0.0/8')).toBe(false);
});
test('networks of IPv4 as IPv6 has them', () => {
  expect(mappedNetwork('10.1.0.0/16')).toBe('0:0:0:0:0:ffff:a01:0/112');
  expect(mappedNetwork('0.0.0.0/0')).toBe('0:0:0:0:0:ffff:0:0/96');
  expect(mappedNetwork('fd00::/8')).toBeNull();
  expect(['::/0', '::/8', '::/80', '::ffff:0:0/95', '::/81', '::/128', 'fd00::/8', '0.0.0.0/0'].map(holdsMapped)).toEqual([
    ...[true, true, true, true],
    ...[false, false, false, false],
  ]);
});
