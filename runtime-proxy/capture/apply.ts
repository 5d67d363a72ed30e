/** Puts the rules of capture into the network namespace that this process is in, or takes them away: by `nft`, in one transaction. */
import { runCommand } from '../../platform/process';
import { faultIn, removal, rulesetOf, type CaptureRules } from './rules';

/** Why capture cannot be set up, and the repair; one line. */
export class CaptureRefused extends Error {
  override readonly name = 'CaptureRefused';
}

/** Where distributions keep it; not every PATH has `sbin`. */
const places: readonly string[] = ['nft', '/usr/sbin/nft', '/sbin/nft'];

/** Applies rules; an earlier capture gives way to them. Throws CaptureRefused. `nft` names the program, else it is found. */
export async function applyCapture(rules: CaptureRules, nft?: string): Promise<void> {
  const fault = faultIn(rules);
  if (fault !== null) throw new CaptureRefused(fault);
  await load(rulesetOf(rules), nft);
}

/** Takes capture away: from then on every connection goes as the application dials it. Throws CaptureRefused. */
export async function removeCapture(nft?: string): Promise<void> {
  await load(removal, nft);
}

async function load(ruleset: string, named: string | undefined): Promise<void> {
  for (const program of named === undefined ? places : [named]) {
    let result: Awaited<ReturnType<typeof runCommand>>;
    try {
      result = await runCommand(program, ['-f', '-'], { input: ruleset, timeoutMs: 20_000 });
    } catch {
      continue; // not at this place
    }
    if (result.code === 0) return;
    const words = result.stderr.split('\n').find((line) => line !== '') ?? (result.timedOut ? 'it did not end' : 'it said nothing');
    if (/not permitted|permission/i.test(words))
      throw new CaptureRefused(
        'nft may not change the rules of this network namespace: run this as root with the capability NET_ADMIN (in a pod: the init container that the webhook puts in)',
      );
    throw new CaptureRefused(
      `nft refused the rules: ${words}; the kernel needs nf_tables with NAT in the inet family (Linux 5.2 or later, CONFIG_NFT_REDIR, CONFIG_NFT_FIB_INET)`,
    );
  }
  throw new CaptureRefused(
    named === undefined
      ? 'there is no `nft` on PATH or in /usr/sbin: install the package `nftables` (it is in the image of the mesh already)'
      : `\`${named}\` cannot be run: install the package \`nftables\`, or name another program with \`--nft\``,
  );
}
