/**
 * What is too big for one resource of the Kubernetes API is compressed, and an object is cut into parts as well. Compressing is not the same on every
 * machine, so the parts are made once, when the object is signed: the one signature covers their digests, and the bundle carries them.
 */
import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { canonicalJson } from '../lib/json';
import { FormError } from './release-form';

/** Bytes of canonical JSON (UTF-8) above which an object is packed. */
export const packAbove = 1_000_000;
/** Bytes of a part before base64: with its proof and what the server adds it stays below 1 MB. */
export const partBytes = 660_000;
export const maxParts = 128;
/** No object is unpacked beyond this, whatever it claims to be. */
export const maxUnpacked = 64 * 1024 * 1024;
/** Nor a release beyond this: who judges one has to unpack it before the signature can be checked. Ten times what fits. */
export const maxReleaseUnpacked = 16 * 1024 * 1024;

/** The parts of an object in base64, in order; undefined for one that fits as it is. Throws FormError for one that is too big even so. */
export function packObject(object: object): readonly string[] | undefined {
  const bytes = Buffer.from(canonicalJson(object));
  if (bytes.length <= packAbove) return undefined;
  const file = gzipSync(bytes, { level: 9 });
  const count = Math.ceil(file.length / partBytes);
  if (bytes.length > maxUnpacked || count > maxParts)
    throw new FormError(`it has ${bytes.length} bytes, and ${maxUnpacked} can be packed into ${maxParts} parts at most`);
  return Array.from({ length: count }, (_, index) => file.subarray(index * partBytes, (index + 1) * partBytes).toString('base64'));
}

/** Of each part, in order: 64 hexadecimal digits of the SHA-256 of its bytes. What the statement lists. */
export const partDigests = (packed: readonly string[]): readonly string[] => packed.map(partDigest);
export const partDigest = (data: string): string => createHash('sha256').update(Buffer.from(data, 'base64')).digest('hex');

/** Whether a value is `packed` of a signed object. Says nothing about what is inside. */
export function assertPackedForm(value: unknown): asserts value is readonly string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > maxParts)
    throw new FormError(`\`packed\` is not a list of 1 to ${maxParts} parts`);
  for (const data of value) assertPartData(data);
}

/** Base64 has several spellings of the same bytes; one is accepted. */
export function assertPartData(data: unknown): asserts data is string {
  if (typeof data !== 'string' || data === '' || data.length > Math.ceil(partBytes / 3) * 4 || !isBase64(data))
    throw new FormError('a part is not base64 of at most one part');
}
const isBase64 = (text: string): boolean => Buffer.from(text, 'base64').toString('base64') === text;

/** What parts hold, as text. Throws FormError for what is no gzip file, or has more than `most` bytes unpacked. */
export function unpackText(parts: readonly string[], most = maxUnpacked): string {
  let bytes: Buffer;
  try {
    bytes = gunzipSync(Buffer.concat(parts.map((data) => Buffer.from(data, 'base64'))), { maxOutputLength: most });
  } catch (error) {
    const tooMuch = typeof error === 'object' && error !== null && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
    throw new FormError(tooMuch ? `what is packed has more than ${most} bytes` : 'what is packed cannot be unpacked');
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new FormError('what is packed is not UTF-8');
  }
}

/** Whether parts hold exactly the canonical bytes of an object. */
export function assertHolds(packed: readonly string[], object: object): void {
  if (unpackText(packed) !== canonicalJson(object)) throw new FormError('`packed` does not hold the object');
}

/** What of a release is packed, as one base64 text, and back (unverified). */
export const packJson = (value: unknown): string => gzipSync(canonicalJson(value), { level: 9 }).toString('base64');
export function unpackJson(data: string): unknown {
  if (!isBase64(data)) throw new FormError('what is packed is not base64');
  try {
    return JSON.parse(unpackText([data], maxReleaseUnpacked));
  } catch (error) {
    throw error instanceof FormError ? error : new FormError('what is packed is not JSON');
  }
}
