import { createHash } from 'node:crypto';
import type { Brand } from './brand';
import { canonicalJson } from './json';

/** `sha256:` and 64 lower-case hexadecimal digits. */
export type Digest = Brand<string, 'Digest'>;

/** The digest of text (as UTF-8) or bytes. */
export function digestOf(bytes: string | Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
}

/** The digest of a JSON value's canonical bytes. */
export function digestOfJson(value: unknown): Digest {
  return digestOf(canonicalJson(value));
}

/** The 12 digits that names carry: `reviews.web.3f2a90b1c4de`. */
export function shortDigest(digest: Digest): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + 12);
}

/** Whether a text is a well-formed digest; nothing is said about what it is the digest of. */
export function isDigest(text: string): text is Digest {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}
