import { faultOfAddress, isIpAddress } from './ip-address';

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
test.each(['127.0.0.1', '127.9.9.9', '::1', '0.0.0.0', '::', '224.0.0.1', '255.255.255.255', 'ff02::1'])('%s is no one machine', (text) => {
  expect(isIpAddress(text)).toBe(true);
  expect(faultOfAddress(text)).not.toBeNull();
});
test.each(['::ffff:7f00:1', '::7f00:1'])('%s is an IPv4 address, and written as one', (text) =>
  expect(faultOfAddress(text)).not.toBeNull(),
);
test.each(['10.0.0.5', '169.254.169.254', '2001:db8::ff'])('%s is', (text) => expect(faultOfAddress(text)).toBeNull());
