/** Where a server listens that is to be reached by every address of its machine, of either family. */
import * as os from 'node:os';

/**
 * The host to give to `listen`. `::` takes connections of both families (those of IPv4 as `::ffff:a.b.c.d`, RFC 4291 section 2.5.5.2); where the machine has no
 * IPv6 there is no such socket, and `0.0.0.0` is every address it has. All else is as it was said.
 */
export function listenHost(host: string, addresses: readonly { readonly family: string }[] = ownAddresses()): string {
  return host === '::' && !addresses.some(({ family }) => family === 'IPv6') ? '0.0.0.0' : host;
}
const ownAddresses = (): readonly os.NetworkInterfaceInfo[] => Object.values(os.networkInterfaces()).flatMap((list) => list ?? []);

/** An address that others reach a server at which listens at `host`: of one that listens everywhere, the machine's first that is neither loopback nor of one link alone. */
export function reachableHost(host: string, addresses: readonly os.NetworkInterfaceInfo[] = ownAddresses()): string {
  if (host !== '0.0.0.0' && host !== '::') return host;
  const found = addresses.find(
    ({ internal, family, address }) => !internal && !/^fe[89ab]/i.test(address) && (host === '::' || family === 'IPv4'),
  );
  return found?.address ?? (host === '::' && addresses.some(({ family }) => family === 'IPv6') ? '::1' : '127.0.0.1');
}
