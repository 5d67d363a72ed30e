import { readTextIfThere } from './files';

/** The name servers of a resolv.conf, in its order; none where there is no such file. */
export async function nameServersOf(file = '/etc/resolv.conf'): Promise<readonly string[]> {
  const text = (await readTextIfThere(file)) ?? '';
  return text.split('\n').flatMap((line) => /^\s*nameserver\s+([0-9a-fA-F.:]+)\s*$/.exec(line)?.[1] ?? []);
}
