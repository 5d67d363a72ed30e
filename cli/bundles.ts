/** Bundles on disk, read for a verb. */
import * as path from 'node:path';
import type { Bundle } from '../core/bundle/bundle';
import { parseTrust, type TrustRoot } from '../core/bundle/trust';
import type { Diagnostic, Outcome } from '../core/diagnostics/diagnostic';
import { readBundleFolder } from '../platform/bundle-folder';
import { readTextIfThere } from '../platform/files';
import { UsageError, type CommandContext } from './command';
import { formatText, toJson } from './findings';

/** Reads and parses a bundle folder; signatures are not looked at. */
export async function bundleAt(context: CommandContext, folder: string): Promise<Outcome<Bundle>> {
  const base = path.resolve(context.cwd, folder);
  if ((await readTextIfThere(path.join(base, 'release.json'))) === null)
    throw new UsageError(`\`${folder}\` holds no bundle: there is no release.json in it`);
  return readBundleFolder(base);
}

/** The trust root of a file. */
export async function trustAt(context: CommandContext, file: string): Promise<Outcome<TrustRoot>> {
  const text = await readTextIfThere(path.resolve(context.cwd, file));
  if (text === null) throw new UsageError(`there is no trust root \`${file}\`; \`meshwright keys generate\` makes one`);
  return parseTrust(text);
}

/** Prints diagnostics that have no place in a source; exit code 1. */
export function printFindings({ out }: CommandContext, diagnostics: readonly Diagnostic[]): 1 {
  out.document({ ok: false, diagnostics: toJson(diagnostics, (file) => file) });
  out.line(formatText(diagnostics, { show: (file) => file, style: out.style }));
  return 1;
}
