/**
 * Which addresses a server may dial on behalf of somebody who named a host: those of the internet, and those that its operator says. What is private to a
 * machine or a network (loopback, link-local with a cloud's metadata, private ranges) is what a request that was made to be sent is after.
 * IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890).
 */
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';

const special: readonly string[] = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  // addresses of the other family inside
  '::/96',
  '::ffff:0:0/96',
  '::ffff:0:0:0/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '2002::/16',
  '2001::/23',
  '2001:db8::/32',
  '3fff::/20',
  '5f00::/16',
  '100::/63',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
];

/** One list for each family: in one list Node takes an IPv4 address for a mapped IPv6 one. Throws with one line when something is no network. */
function networks(list: readonly string[]): (address: string) => boolean {
  const [four, six] = [new BlockList(), new BlockList()];
  for (const text of list) {
    const [address = '', bits = ''] = text.split('/');
    const most = isIPv4(address) ? 32 : isIPv6(address) ? 128 : -1;
    if (!/^[0-9]{1,3}$/.test(bits) || Number(bits) > most)
      throw new Error(`\`${text}\` is no network: write an address, \`/\` and a length`);
    if (most === 32) four.addSubnet(address, Number(bits), 'ipv4');
    else six.addSubnet(address, Number(bits), 'ipv6');
  }
  return (address) => (isIPv4(address) ? four.check(address, 'ipv4') : six.check(address, 'ipv6'));
}

/** `also`: networks that may be dialled whatever they are (`10.1.0.0/16`). Throws with one line when one of them is no network. */
export function reachableAddresses(also: readonly string[]): (address: string) => boolean {
  const [refused, allowed] = [networks(special), networks(also)];
  return (address) => isIP(address) !== 0 && (allowed(address) || !refused(address));
}
