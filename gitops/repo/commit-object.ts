/**
 * A commit object, read strictly from its raw bytes. isomorphic-git's own parser takes the last of two equal headers and finds signatures by searching
 * the text, so that what is signed and what is read could differ; here there is one accepted form and everything else is refused.
 * @see https://git-scm.com/docs/gitformat-signature
 */
import { createHash } from 'node:crypto';

export interface SignedCommit {
  readonly tree: string;
  readonly parents: readonly string[];
  /** Seconds since the epoch, as the committer claims. */
  readonly committedAt: number;
  readonly committerEmail: string;
  /** The armoured signature, or null. */
  readonly signature: string | null;
  /** The bytes it is over: the object without the signature's header. */
  readonly payload: Uint8Array;
}
export class MalformedCommit extends Error {}

const headerOrder = ['tree', 'parent', 'author', 'committer', 'encoding', 'gpgsig'] as const;
const oidPattern = /^[0-9a-f]{40}$/;
const newline = 10;
const space = 32;

/** Parses a commit; `oid` must be the id of these very bytes. Throws `MalformedCommit`. */
export function parseCommit(bytes: Uint8Array, oid: string): SignedCommit {
  const actual = createHash('sha1').update(`commit ${bytes.length}\0`).update(bytes).digest('hex');
  if (actual !== oid) throw new MalformedCommit('its bytes do not hash to its id');
  const seen: { readonly name: string; readonly value: string }[] = [];
  let at = 0;
  let signatureStart = -1;
  let signatureEnd = -1;
  while (at < bytes.length && bytes[at] !== newline) {
    const start = at;
    let lines = '';
    do {
      const end = bytes.indexOf(newline, at);
      if (end < 0) throw new MalformedCommit('its headers do not end');
      // A line that goes on begins with one blank, which is not part of it.
      lines += (lines === '' ? '' : '\n') + Buffer.from(bytes.subarray(at === start ? at : at + 1, end)).toString('latin1');
      at = end + 1;
    } while (bytes[at] === space);
    const blank = lines.indexOf(' ');
    const name = blank < 0 ? lines : lines.slice(0, blank);
    seen.push({ name, value: lines.slice(blank + 1) });
    if (name === 'gpgsig') [signatureStart, signatureEnd] = [start, at];
  }
  if (at >= bytes.length) throw new MalformedCommit('it has no message');

  let last = 0;
  for (const { name, value } of seen) {
    const place = headerOrder.findIndex((known) => known === name);
    if (place < 0) throw new MalformedCommit(`it has a header \`${printable(name)}\` that is not known`);
    if (place < last || (place === last && name !== 'parent' && seen.filter((other) => other.name === name).length > 1))
      throw new MalformedCommit(`header \`${name}\` is there twice or out of order`);
    if ((name === 'tree' || name === 'parent') && !oidPattern.test(value))
      throw new MalformedCommit(`header \`${name}\` is not an object id`);
    if (name !== 'gpgsig' && value.includes('\n')) throw new MalformedCommit(`header \`${name}\` has more than one line`);
    last = place;
  }
  const one = (name: string): string => {
    const value = seen.find((header) => header.name === name)?.value;
    if (value === undefined) throw new MalformedCommit(`it has no header \`${name}\``);
    return value;
  };
  one('author');
  const committer = /^[^<>\n]*<([^<>\n]*)> (\d{1,12}) [+-]\d{4}$/.exec(one('committer'));
  if (!committer) throw new MalformedCommit('its committer is not of the known form');
  return {
    tree: one('tree'),
    parents: seen.filter((header) => header.name === 'parent').map((header) => header.value),
    committerEmail: committer[1] ?? '',
    committedAt: Number(committer[2]),
    signature: seen.find((header) => header.name === 'gpgsig')?.value ?? null,
    payload: signatureStart < 0 ? bytes : Buffer.concat([bytes.subarray(0, signatureStart), bytes.subarray(signatureEnd)]),
  };
}

const printable = (text: string): string => text.replace(/[^\x21-\x7e]/g, '?').slice(0, 40);
