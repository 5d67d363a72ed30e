/**
 * Keys on disk. The key file is a JWK Set (RFC 7517) of private Ed25519 keys, mode 0600, each with the environment and the purpose it is for;
 * only the signer reads it. The trust root holds the public halves and is what everybody else reads.
 */
import { exportJWK, generateKeyPair } from 'jose';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { formatTrust, parseTrust, thumbprint, type PublicJwk, type TrustedEnvironment, type TrustRoot } from '../../core/bundle/trust';
import { hasErrors, type Diagnostic, type Outcome } from '../../core/diagnostics/diagnostic';
import { sign } from '../../core/diagnostics/sign';
import { isNotFound, readTextIfThere, writeFileAtomic } from '../../platform/files';

/** `live` signatures may be put in force; `preview` ones are good for dry runs only. */
export type KeyPurpose = 'live' | 'preview';

/** A private key of the key file. `d` is the secret. */
export interface PrivateJwk extends PublicJwk {
  readonly d: string;
  readonly environment: string;
  readonly purpose: KeyPurpose;
}
/** In order of making: of an environment and purpose, the last signs. */
export interface KeyRing {
  readonly keys: readonly PrivateJwk[];
}
export interface KeyFiles {
  readonly keyFile: string;
  readonly trustFile: string;
}

/** The public half, and nothing else. */
export const publicHalf = ({ kty, crv, x, kid }: PublicJwk): PublicJwk => ({ kty, crv, x, kid });

/** The key that signs for an environment and purpose now. */
export const signingKey = (ring: KeyRing, environment: string, purpose: KeyPurpose): PrivateJwk | undefined =>
  ring.keys.findLast((key) => key.environment === environment && key.purpose === purpose);

/** Makes a live and a preview key for each environment that has none, and the trust root that goes with them. Keys that are there stay. */
export async function generateKeys(files: KeyFiles, environments: readonly string[]): Promise<Outcome<TrustRoot>> {
  return change(files, async (ring) => {
    const keys = [...ring.keys];
    for (const environment of environments) {
      for (const purpose of ['live', 'preview'] as const) {
        if (!signingKey({ keys }, environment, purpose)) keys.push(await newKey(environment, purpose));
      }
    }
    return { keys };
  });
}

/**
 * Adds a new key that signs from now on; the trust root has both until `retireKey` ends the overlap. Retire the old one once a release
 * signed with the new one is live (a release signs all its objects anew).
 */
export async function rotateKey(files: KeyFiles, environment: string, purpose: KeyPurpose = 'live'): Promise<Outcome<TrustRoot>> {
  return change(files, async (ring) => {
    if (!signingKey(ring, environment, purpose)) {
      return sign.keyFile({ path: files.keyFile, reason: `there is no ${purpose} key for environment \`${environment}\` to follow` });
    }
    return { keys: [...ring.keys, await newKey(environment, purpose)] };
  });
}

/** Ends the overlap of a rotation: the key signs no more and is believed no more. The key that signs now cannot be retired. */
export async function retireKey(files: KeyFiles, kid: string): Promise<Outcome<TrustRoot>> {
  return change(files, async (ring) => {
    const key = ring.keys.find((candidate) => candidate.kid === kid);
    if (!key) return sign.keyFile({ path: files.keyFile, reason: `there is no key \`${kid}\` in it` });
    if (signingKey(ring, key.environment, key.purpose) === key) {
      return sign.keyFile({ path: files.keyFile, reason: `key \`${kid}\` is the one that signs for \`${key.environment}\`; rotate first` });
    }
    return { keys: ring.keys.filter((other) => other !== key) };
  });
}

/** Reads the key file. Refuses one that others may read, and any key whose parts do not fit. */
export async function readKeyRing(keyFile: string): Promise<Outcome<KeyRing>> {
  const refuse = (reason: string): Outcome<KeyRing> => ({ diagnostics: [sign.keyFile({ path: keyFile, reason })] });
  let text: string;
  try {
    // Mode and content are taken from one open file: what is judged is what is read.
    const handle = await fs.open(keyFile, 'r');
    try {
      const { mode, uid } = await handle.stat();
      if ((mode & 0o077) !== 0) return refuse(`its mode is 0${(mode & 0o777).toString(8)}, others can use it; it must be 0600`);
      if (process.getuid && uid !== process.getuid() && process.getuid() !== 0) return refuse('it belongs to another user');
      text = await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    return refuse(isNotFound(error) ? 'there is none' : `it cannot be read: ${error instanceof Error ? error.message : 'unknown'}`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return refuse('it is not JSON'); // without the parser's words: they quote the text
  }
  if (typeof parsed !== 'object' || parsed === null || !('keys' in parsed) || !Array.isArray(parsed.keys))
    return refuse('it is not a JWK Set');
  const keys: PrivateJwk[] = [];
  for (const [index, value] of parsed.keys.entries()) {
    const key = privateJwk(value);
    if (!key) return refuse(`key ${index} is not a private Ed25519 key with \`kid\`, \`environment\` and \`purpose\``);
    keys.push(key);
  }
  return { value: { keys }, diagnostics: [] };
}

async function change(files: KeyFiles, edit: (ring: KeyRing) => Promise<KeyRing | Diagnostic>): Promise<Outcome<TrustRoot>> {
  const there = (await readTextIfThere(files.keyFile)) !== null;
  const before: Outcome<KeyRing> = there ? await readKeyRing(files.keyFile) : { value: { keys: [] }, diagnostics: [] };
  if (!before.value) return { diagnostics: before.diagnostics };
  const trustText = await readTextIfThere(files.trustFile);
  const trustBefore: Outcome<TrustRoot> = trustText === null ? { value: { environments: {} }, diagnostics: [] } : parseTrust(trustText);
  if (hasErrors(trustBefore.diagnostics) || !trustBefore.value) return { diagnostics: trustBefore.diagnostics };
  const after = await edit(before.value);
  if ('code' in after) return { diagnostics: [after] };
  const trust = trustOf(after, before.value, trustBefore.value);
  for (const file of [files.keyFile, files.trustFile]) await fs.mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  // Trust before keys when a key is added, so that nothing is ever signed by a key nobody knows.
  await writeFileAtomic(files.trustFile, formatTrust(trust));
  await writeFileAtomic(files.keyFile, `${JSON.stringify({ keys: after.keys }, null, 2)}\n`, { mode: 0o600 });
  return { value: trust, diagnostics: [] };
}

/** The trust root after a change: keys of the ring come and go, keys from elsewhere and floors stay. */
function trustOf(after: KeyRing, before: KeyRing, trust: TrustRoot): TrustRoot {
  const dropped = new Set(before.keys.filter((key) => !after.keys.some((other) => other.kid === key.kid)).map((key) => key.kid));
  const environments: Record<string, TrustedEnvironment> = {};
  for (const name of new Set([...Object.keys(trust.environments), ...after.keys.map((key) => key.environment)])) {
    const old = Object.hasOwn(trust.environments, name) ? trust.environments[name] : undefined;
    const merge = (stated: readonly PublicJwk[], purpose: KeyPurpose): PublicJwk[] => {
      const own = after.keys.filter((key) => key.environment === name && key.purpose === purpose).map(publicHalf);
      return [...stated.filter((key) => !dropped.has(key.kid) && !own.some((other) => other.kid === key.kid)), ...own];
    };
    environments[name] = {
      keys: merge(old?.keys ?? [], 'live'),
      previewKeys: merge(old?.previewKeys ?? [], 'preview'),
      generationFloor: old?.generationFloor ?? 0,
    };
  }
  return { environments };
}

async function newKey(environment: string, purpose: KeyPurpose): Promise<PrivateJwk> {
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const { x, d } = await exportJWK(privateKey);
  if (x === undefined || d === undefined) throw new Error('internal: a new key without its parts');
  const half = { kty: 'OKP', crv: 'Ed25519', x } as const;
  return { ...half, kid: thumbprint(half), d, environment, purpose };
}

function privateJwk(value: unknown): PrivateJwk | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { kty, crv, x, d, kid, environment, purpose } = Object.fromEntries(Object.entries(value));
  const isKeyText = (text: unknown): text is string => typeof text === 'string' && /^[A-Za-z0-9_-]{43}$/.test(text);
  if (kty !== 'OKP' || crv !== 'Ed25519' || !isKeyText(x) || !isKeyText(d) || typeof environment !== 'string') return undefined;
  if (purpose !== 'live' && purpose !== 'preview') return undefined;
  if (kid !== thumbprint({ kty, crv, x })) return undefined;
  return { kty, crv, x, d, kid, environment, purpose };
}
