import { isIpAddress, isMapped } from './ip-address';

test.each(['192.0.2.7', '0.0.0.0', '2001:db8::1', '::', '::1', 'fe80::1', '2001:db8:0:1:1:1:1:1', '1:0:0:2::3', '2001:db8:1:2:3:4:5:6'])(
  '%s is an address',
  (text) => expect(isIpAddress(text)).toBe(true),
);
test.each([
  '192.0.2',
  '192.0.2.07',
  '192.0.2.256',
  '1.2.3.4.5',
  'api.example',
  '2001:DB8::1',
  '2001:0db8::1',
  '2001:db8::1::2',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '2001:db8:0::1',
  '2001:db8::1:1:1:1:1',
  '1::2:0:0:0:3',
  '::ffff:192.0.2.1',
  '',
  ':',
  ':::',
])('%s is none, or another spelling', (text) => expect(isIpAddress(text)).toBe(false));
test.each(['::ffff:7f00:1', '::ffff:a00:5'])('%s is an IPv4 address, and written as one', (text) =>
  expect([isIpAddress(text), isMapped(text)]).toEqual([true, true]),
);
test.each(['10.0.0.5', '2001:db8::ff', '::ffff', '::ffff:0:a00:5', '64:ff9b::a00:5'])('%s is not', (text) =>
  expect([isIpAddress(text), isMapped(text)]).toEqual([true, false]),
);
