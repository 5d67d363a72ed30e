import {
  edgesOf,
  networkOf,
  prefixLength,
  canonicalNetwork,
  holdsMapped,
  isInNetwork,
  isWithinNetwork,
  networksAround,
  mappedNetwork,
} from './network';

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

test('where a network begins and ends, and what is beside it', () => {
  expect(edgesOf('10.0.0.0/30')).toEqual(['9.255.255.255', '10.0.0.0', '10.0.0.3', '10.0.0.4']);
  expect(edgesOf('0.0.0.0/0')).toEqual(['0.0.0.0', '255.255.255.255']);
  expect(edgesOf('255.255.255.255/32')).toEqual(['255.255.255.254', '255.255.255.255']);
  expect(edgesOf('2001:db8:0:0:0:0:0:0/127')).toEqual([
    '2001:db7:ffff:ffff:ffff:ffff:ffff:ffff',
    ...['2001:db8:0:0:0:0:0:0', '2001:db8:0:0:0:0:0:1', '2001:db8:0:0:0:0:0:2'],
  ]);
  expect([edgesOf('nothing'), prefixLength('nothing'), prefixLength('::/0')]).toEqual([[], -1, 0]);
});
test('one address is a network too', () => {
  expect(['192.0.2.7', '::ffff:192.0.2.7', '::ffff:c000:207', '2001:db8::7', 'a.example'].map(networkOf)).toEqual([
    ...['192.0.2.7/32', '192.0.2.7/32', '192.0.2.7/32', '2001:db8:0:0:0:0:0:7/128', null],
  ]);
});
test('of many networks those around one are those that it lies within, the widest first', () => {
  const networks = [
    '10.0.0.0/8',
    '0.0.0.0/0',
    '10.1.0.0/16',
    '10.1.2.0/24',
    '10.1.2.3/32',
    '10.2.0.0/16',
    '::/0',
    'fd00:0:0:0:0:0:0:0/8',
    'nothing',
  ];
  const around = networksAround(networks);
  expect(around('10.1.2.0/24')).toEqual(['0.0.0.0/0', '10.0.0.0/8', '10.1.0.0/16', '10.1.2.0/24']);
  for (const one of [...networks, '10.1.2.3/31', '11.0.0.0/8', '::ffff:10.1.2.3/128', 'fd00::1/128', 'fe00::1/128', '::/1'])
    expect([one, [...around(one)].sort()]).toEqual([one, networks.filter((network) => isWithinNetwork(one, network)).sort()]);
});
