/** The trust root on disk: without a good one the webhook does not start, and a broken one never replaces a good one. */
import * as fs from 'node:fs/promises';
import { parseTrust, type TrustRoot } from '../../core/bundle/trust';
import { isNotFound } from '../../platform/files';
import type { Log } from '../../platform/log';
import { followFile, type Followed } from './followed-file';

const maxBytes = 4 << 20;

/** Follows the trust root of an environment. Rejects with one line that names the file and the repair. */
export function followTrust(file: string, environment: string, log: Log, everyMs?: number): Promise<Followed<TrustRoot>> {
  return followFile({
    what: `the trust root ${file}`,
    read: () => readGuarded(file),
    parse: (text) => trustFor(text, environment),
    log,
    ...(everyMs === undefined ? {} : { everyMs }),
  });
}

/** A file that others may not write, of a sane size. */
export async function readGuarded(file: string): Promise<string> {
  try {
    const { mode, size } = await fs.stat(file);
    if ((mode & 0o002) !== 0) throw new Error('everybody may write it: `chmod o-w`, and find out who did');
    if (size > maxBytes) throw new Error(`it has more than ${maxBytes} bytes`);
    return await fs.readFile(file, 'utf8');
  } catch (error) {
    throw isNotFound(error) ? new Error('there is no such file: make it with `meshwright keys generate`') : error;
  }
}

function trustFor(text: string, environment: string): TrustRoot {
  if (text.trim() === '') throw new Error('it is empty: write it with `meshwright keys generate`');
  const { value, diagnostics } = parseTrust(text);
  if (value === undefined) throw new Error([diagnostics[0]?.message ?? 'it cannot be read', diagnostics[0]?.help].join('; '));
  const trusted = Object.hasOwn(value.environments, environment) ? value.environments[environment] : undefined;
  if (trusted === undefined)
    throw new Error(`it has no environment \`${environment}\`: add it with \`meshwright keys generate --env ${environment}\``);
  if (trusted.keys.length === 0)
    throw new Error(`it trusts no key for \`${environment}\`: add one with \`meshwright keys rotate --env ${environment}\``);
  return value;
}
