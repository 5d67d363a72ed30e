import * as net from 'node:net';
import type * as os from 'node:os';
import { listenHost, reachableHost } from './listen-host';

const at = (address: string, internal = false): os.NetworkInterfaceInfo =>
  net.isIP(address) === 6
    ? { address, internal, family: 'IPv6', netmask: '', mac: '', cidr: null, scopeid: 0 }
    : { address, internal, family: 'IPv4', netmask: '', mac: '', cidr: null };
const loopback = [at('127.0.0.1', true), at('::1', true)];

test('everywhere is both families where there are two, and the one there is otherwise', () => {
  expect([listenHost('::', loopback), listenHost('::', [at('127.0.0.1', true)])]).toEqual(['::', '0.0.0.0']);
  expect([listenHost('0.0.0.0', loopback), listenHost('127.0.0.1', loopback), listenHost('::1', [])]).toEqual([
    '0.0.0.0',
    '127.0.0.1',
    '::1',
  ]);
});
test.each<[readonly os.NetworkInterfaceInfo[], string]>([
  [[...loopback, at('fe80::1'), at('fd00::7')], 'fd00::7'],
  [[...loopback, at('10.0.0.7'), at('fd00::7')], '10.0.0.7'],
  [[...loopback, at('fe80::1')], '::1'],
  [[at('127.0.0.1', true)], '127.0.0.1'],
])('of %j the others reach %s', (addresses, host) => {
  expect(reachableHost('::', addresses)).toBe(host);
});
test('an address is itself; everywhere in IPv4 has none of IPv6', () => {
  expect([reachableHost('10.1.1.1', loopback), reachableHost('0.0.0.0', [...loopback, at('fd00::7')])]).toEqual(['10.1.1.1', '127.0.0.1']);
});
