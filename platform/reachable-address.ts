/**
 * Which addresses a server may dial on behalf of somebody who named a host: those of the internet, and those that its operator says. What is private to a
 * machine or a network (loopback, link-local with a cloud's metadata, private ranges) is what a request that was made to be sent is after.
 */
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';
import { notPublic } from '../core/mesh/public-addresses';

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
  const [refused, allowed] = [networks(notPublic), networks(also)];
  return (address) => isIP(address) !== 0 && (allowed(address) || !refused(address));
}
