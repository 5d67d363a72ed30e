import { isIP } from 'node:net';
import { readTextIfThere } from './files';

/** The name servers of a resolv.conf, in its order, without what is no address, as a resolver passes over it; none where there is no such file. */
export async function nameServersOf(file = '/etc/resolv.conf'): Promise<readonly string[]> {
  const text = (await readTextIfThere(file)) ?? '';
  return text.split('\n').flatMap((line) => {
    const address = /^\s*nameserver\s+([0-9a-fA-F.:]+)\s*$/.exec(line)?.[1] ?? '';
    return isIP(address) === 0 ? [] : [address];
  });
}
