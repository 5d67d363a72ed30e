/**
 * Sets of public keys (RFC 7517) by which tokens of end users are verified: what of them is trusted, in one order, and nothing that is secret or that lets
 * somebody else than the mesh choose the algorithm.
 */
import { canonicalJson } from '../lib/json';
import { sortedBy } from '../lib/order';

/** Canonical JSON of a set of at least one key, or why there is none to trust: the rest of a sentence. */
export type KeySet = { readonly jwks: string } | { readonly why: string };

/** Characters. */
export const longestKeySet = 65_536;
const mostKeys = 32;

/** Keys that somebody committed: each must be one to trust, and say its `alg`. */
export function pinnedKeys(text: string): KeySet {
  const keys = listOf(text);
  if (typeof keys === 'string') return { why: keys };
  const kept: Key[] = [];
  for (const [index, key] of keys.entries()) {
    const read = publicKey(key);
    if (typeof read === 'string') return { why: `key ${index} ${read}` };
    if (read['kid'] === undefined && keys.length > 1) return { why: `key ${index} has no \`kid\`, and there are several` };
    kept.push(read);
  }
  return setOf(kept);
}

/**
 * Keys as an issuer publishes them: those that are for something else are left out, and an algorithm that is not said is the one that keys of the kind have in
 * OpenID Connect. A secret in it makes the whole set none to trust.
 */
export function fetchedKeys(text: string): KeySet {
  const keys = listOf(text);
  if (typeof keys === 'string') return { why: keys };
  const secret = keys.findIndex((key) => isRecord(key) && privateMembers.some((name) => Object.hasOwn(key, name)));
  if (secret >= 0) return { why: `key ${secret} holds a secret` };
  const read = keys.flatMap((key) => {
    const one = publicKey(isRecord(key) && !Object.hasOwn(key, 'alg') ? { ...key, alg: usualAlgorithm(key) } : key);
    return typeof one === 'string' ? [] : [one];
  });
  const kept = read.length > 1 ? read.filter((key) => key['kid'] !== undefined) : read;
  return kept.length === 0 ? { why: 'it has no key for RS256, PS256, ES256 or EdDSA' } : setOf(kept);
}

/** Why keys cannot be had at an address; null: they can. By name, since a certificate is for one. */
export function whyNoKeysAddress(url: string): string | null {
  const parts = /^https:\/\/([^/:]*)(?::([0-9]+))?(\/[!-~]*)?$/.exec(url);
  const [, host = '', port = '443', path = '/'] = parts ?? [];
  if (!parts || url.length > 512) return 'it is no `https` address of at most 512 characters';
  if (!/^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(host))
    return 'its host is no name in lower case';
  // `0x7f.1` is 127.0.0.1 to whoever reads addresses as the web does (URL standard: "ends in a number")
  if (/(^|\.)([0-9]+|0x[0-9a-f]*)$/.test(host)) return 'its host is an address, not a name';
  if (Number(port) < 1 || Number(port) > 65_535) return 'its port is no number from 1 to 65535';
  return path.includes('#') ? 'it has a fragment, which never goes on the wire' : null;
}

type Key = { readonly [member: string]: string };
const isRecord = (value: unknown): value is { readonly [member: string]: unknown } => typeof value === 'object' && value !== null;

function listOf(text: string): readonly unknown[] | string {
  if (text.length > longestKeySet) return `it is longer than ${longestKeySet} characters`;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return 'it is not JSON';
  }
  const keys = isRecord(parsed) ? parsed['keys'] : undefined;
  if (!Array.isArray(keys) || keys.length === 0) return 'it is no JWK set (RFC 7517 section 5)';
  return keys.length > mostKeys ? `it has more than ${mostKeys} keys` : keys;
}
function setOf(keys: readonly Key[]): KeySet {
  const ids = keys.flatMap((key) => key['kid'] ?? []);
  const twice = ids.findIndex((id, index) => ids.indexOf(id) !== index);
  if (twice >= 0) return { why: `key ${twice} has the \`kid\` of another` };
  return { jwks: canonicalJson({ keys: sortedBy(keys, canonicalJson) }) };
}

const kinds: { readonly [alg: string]: { readonly kty: string; readonly crv?: string; readonly members: readonly string[] } } = {
  RS256: { kty: 'RSA', members: ['n', 'e'] },
  PS256: { kty: 'RSA', members: ['n', 'e'] },
  ES256: { kty: 'EC', crv: 'P-256', members: ['x', 'y'] },
  EdDSA: { kty: 'OKP', crv: 'Ed25519', members: ['x'] },
};
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** What Envoy reads of a key and nothing more; or why it is none to trust. */
function publicKey(key: unknown): Key | string {
  if (!isRecord(key)) return 'is no record';
  const members = new Map<string, unknown>(Object.entries(key));
  const secret = privateMembers.find((name) => members.has(name));
  if (secret !== undefined) return `holds a secret (\`${secret}\`): take it out of the repository, and do not use that key any more`;
  const alg = members.get('alg');
  const kind = typeof alg === 'string' && Object.hasOwn(kinds, alg) ? kinds[alg] : undefined;
  if (typeof alg !== 'string' || !kind) return 'has no `alg` that is RS256, PS256, ES256 or EdDSA';
  if (members.get('kty') !== kind.kty || members.get('crv') !== kind.crv) return `is of another kind than its \`alg\` ${alg}`;
  if (members.has('use') && members.get('use') !== 'sig') return 'is not for signatures (`use`)';
  const made: { [member: string]: string } = { alg, kty: kind.kty, ...(kind.crv === undefined ? {} : { crv: kind.crv }) };
  for (const name of kind.members) {
    const text = members.get(name);
    if (typeof text !== 'string' || !/^[A-Za-z0-9_-]{1,1400}$/.test(text)) return `has no \`${name}\` in base64url`;
    made[name] = text;
  }
  const bytes = (name: string): number => Math.floor(((made[name] ?? '').length * 3) / 4);
  if (kind.kty === 'RSA' && bytes('n') < 256) return 'is an RSA key of less than 2048 bits';
  if (kind.kty !== 'RSA' && kind.members.some((name) => bytes(name) !== 32)) return 'is not of the length of its curve';
  const kid = members.get('kid');
  if (kid !== undefined && (typeof kid !== 'string' || !/^[ -~]{1,256}$/.test(kid)))
    return 'has a `kid` that is not 1 to 256 characters of ASCII';
  return typeof kid === 'string' ? { ...made, kid } : made;
}

/** OpenID Connect Core section 10.1; RFC 8037, RFC 7518 section 3.1. */
const usualAlgorithm = (key: { readonly [member: string]: unknown }): string =>
  key['kty'] === 'RSA' ? 'RS256' : key['kty'] === 'EC' ? 'ES256' : 'EdDSA';
