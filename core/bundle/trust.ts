/** Who may sign for which environment. Public keys only; written by `meshwright keys`, read by everything that verifies. */
import { createHash } from 'node:crypto';
import { sign } from '../diagnostics/sign';
import type { Outcome } from '../diagnostics/diagnostic';
import { canonicalJson } from '../lib/json';
import { suggest } from '../lib/suggest';

/** A public Ed25519 key (RFC 8037). `kid` is the key's RFC 7638 thumbprint with SHA-256, base64url. */
export interface PublicJwk {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
  readonly kid: string;
}
export interface TrustedEnvironment {
  /** Keys whose signatures may be put in force. During a rotation the old and the new one. */
  readonly keys: readonly PublicJwk[];
  /** Keys good for dry runs only. */
  readonly previewKeys?: readonly PublicJwk[];
  /** A first release (nothing live) must have a higher generation; 0 admits any. */
  readonly generationFloor: number;
}
export interface TrustRoot {
  readonly environments: { readonly [environment: string]: TrustedEnvironment };
}

/** RFC 7638: SHA-256 over the required members in lexicographic order, base64url. */
export const thumbprint = (key: Pick<PublicJwk, 'crv' | 'kty' | 'x'>): string =>
  createHash('sha256')
    .update(canonicalJson({ crv: key.crv, kty: key.kty, x: key.x }))
    .digest('base64url');

/**
 * Reads a trust root from its text. Fails closed: any unknown member, any key whose `kid` is not its thumbprint, any key listed as both live
 * and preview refuses the whole file.
 */
export function parseTrust(text: string): Outcome<TrustRoot> {
  try {
    const root = record(JSON.parse(text), 'the file', ['environments']);
    const environments: Record<string, TrustedEnvironment> = {};
    for (const [name, value] of Object.entries(record(root['environments'], '`environments`'))) {
      const at = `environment \`${name}\``;
      const entry = record(value, at, ['keys', 'previewKeys', 'generationFloor']);
      const keys = keyList(entry['keys'], `${at}, \`keys\``);
      const previewKeys = keyList(entry['previewKeys'] ?? [], `${at}, \`previewKeys\``);
      const shared = keys.find((key) => previewKeys.some((other) => other.kid === key.kid));
      if (shared) throw new Malformed(`${at}: key \`${shared.kid}\` is both live and preview`);
      const generationFloor = entry['generationFloor'];
      if (typeof generationFloor !== 'number' || !Number.isSafeInteger(generationFloor) || generationFloor < 0) {
        throw new Malformed(`${at}: \`generationFloor\` is not a whole number from 0`);
      }
      Object.defineProperty(environments, name, { value: { keys, previewKeys, generationFloor }, enumerable: true });
    }
    return { value: { environments }, diagnostics: [] };
  } catch (error) {
    const reason = error instanceof Malformed || error instanceof SyntaxError ? error.message : 'it cannot be read';
    return { diagnostics: [sign.trust({ reason })] };
  }
}

/** The text of a trust root, in a fixed form. */
export const formatTrust = (trust: TrustRoot): string => `${JSON.stringify(JSON.parse(canonicalJson(trust)), null, 2)}\n`;

class Malformed extends Error {}

function record(value: unknown, what: string, allowed?: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Malformed(`${what} is not an object`);
  const extra = allowed && Object.keys(value).find((key) => !allowed.includes(key));
  if (extra !== undefined) {
    const near = suggest(extra, allowed ?? []);
    throw new Malformed(`${what} has an unknown member \`${extra}\`${near === undefined ? '' : `: did you mean \`${near}\`?`}`);
  }
  return { ...value };
}

function keyList(value: unknown, what: string): PublicJwk[] {
  if (!Array.isArray(value)) throw new Malformed(`${what} is not a list`);
  return value.map((item, index) => {
    const key = record(item, `${what}[${index}]`);
    if ('d' in key) throw new Malformed(`${what}[${index}] is a private key`);
    const { kty, crv, x, kid } = record(item, `${what}[${index}]`, ['kty', 'crv', 'x', 'kid']);
    if (kty !== 'OKP' || crv !== 'Ed25519' || typeof x !== 'string' || !/^[A-Za-z0-9_-]{43}$/.test(x)) {
      throw new Malformed(`${what}[${index}] is not an Ed25519 public key`);
    }
    if (kid !== thumbprint({ kty, crv, x })) throw new Malformed(`${what}[${index}]: \`kid\` is not the key's thumbprint`);
    return { kty, crv, x, kid };
  });
}
