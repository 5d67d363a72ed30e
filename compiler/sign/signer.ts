/** The signing itself, away from sockets and files: keys and floors in, signatures out. */
import { CompactSign, importJWK } from 'jose';
import { maxParts } from '../../core/bundle/packing';
import { assertReleaseForm, FormError, members } from '../../core/bundle/release-form';
import {
  objectType,
  releaseStatement,
  releaseType,
  statementBytes,
  type Byproducts,
  type ObjectStatement,
} from '../../core/bundle/statement';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { sign } from '../../core/diagnostics/sign';
import { isDigest } from '../../core/lib/digest';
import { signingKey, type KeyPurpose, type KeyRing, type PrivateJwk } from './keys';
import { maxStatements, type SignObjectsAnswer, type SignReleaseAnswer } from './protocol';

/** Why the signer will not sign; told to the client. */
export class SignerRefused extends Error {
  constructor(readonly diagnostic: Diagnostic) {
    super(diagnostic.message);
  }
}

/** Where floors are kept: environment -> the highest generation below which nothing is signed any more. */
export interface FloorStore {
  floorOf(environment: string): number;
  /** Durable when it resolves. */
  raise(environment: string, floor: number): Promise<void>;
}

export interface Signer {
  signObjects(request: unknown): Promise<SignObjectsAnswer>;
  signRelease(request: unknown): Promise<SignReleaseAnswer>;
}

/**
 * Signs with a ring of keys. Only statements that the signer itself writes from checked parts are signed, never bytes that a client gives.
 * The floor is the generation below the last one signed: the same generation may be signed again (a crash between signing and deploying must
 * not lock anybody out, and the control plane takes one release per generation), an older one never.
 */
export function createSigner(ring: KeyRing, floors: FloorStore): Signer {
  const keyFor = (environment: string, purpose: KeyPurpose): PrivateJwk => {
    const key = signingKey(ring, environment, purpose);
    if (!key) throw new SignerRefused(sign.signerRefused({ reason: `it has no ${purpose} key for environment \`${environment}\`` }));
    return key;
  };
  return {
    async signObjects(request) {
      const { environment, purpose, statements } = checked(() => objectsRequest(request));
      const key = keyFor(environment, purpose);
      const signatures: string[] = [];
      for (const statement of statements) signatures.push(await jws(key, objectType, statementBytes(statement)));
      return { signatures };
    },
    async signRelease(request) {
      const { release, purpose, byproducts } = checked(() => releaseRequest(request));
      const { environment, generation } = release;
      const key = keyFor(environment, purpose);
      if (purpose === 'live') {
        const floor = floors.floorOf(environment);
        if (generation <= floor) throw new SignerRefused(sign.floor({ environment, generation, floor }));
        await floors.raise(environment, generation - 1);
      }
      return { jws: await jws(key, releaseType, statementBytes(releaseStatement(release, byproducts))) };
    },
  };
}

async function jws(key: PrivateJwk, typ: string, payload: Uint8Array): Promise<string> {
  const { kty, crv, x, d, kid } = key;
  const imported = await importJWK({ kty, crv, x, d, alg: 'EdDSA' });
  return new CompactSign(payload).setProtectedHeader({ alg: 'EdDSA', kid, typ }).sign(imported);
}

function checked<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new SignerRefused(sign.signerRefused({ reason: error instanceof FormError ? error.message : 'the request cannot be read' }));
  }
}

function objectsRequest(value: unknown): { environment: string; purpose: KeyPurpose; statements: ObjectStatement[] } {
  const { environment, purpose, statements } = members(value, 'the request', ['environment', 'purpose', 'statements']);
  if (typeof environment !== 'string') throw new FormError('`environment` is not a text');
  if (!Array.isArray(statements) || statements.length > maxStatements)
    throw new FormError(`\`statements\` is not a list of at most ${maxStatements}`);
  return { environment, purpose: purposeOf(purpose), statements: statements.map((item) => statement(item, environment)) };
}

function statement(value: unknown, environment: string): ObjectStatement {
  const isPacked = typeof value === 'object' && value !== null && Object.hasOwn(value, 'parts');
  const given = members(value, 'a statement', ['environment', 'kind', 'namespace', 'name', 'sha256', ...(isPacked ? ['parts'] : [])]);
  const text = (name: string): string => {
    const member = given[name];
    if (typeof member !== 'string' || member === '' || member.length > 512)
      throw new FormError(`\`${name}\` of a statement is not a short text`);
    return member;
  };
  if (text('environment') !== environment) throw new FormError('a statement is for another environment than the request');
  if (!isDigest(`sha256:${text('sha256')}`)) throw new FormError('`sha256` of a statement is not 64 hexadecimal digits');
  const about = { environment, kind: text('kind'), namespace: text('namespace'), name: text('name'), sha256: text('sha256') };
  return isPacked ? { ...about, parts: partsOf(given['parts']) } : about;
}

function partsOf(value: unknown): readonly string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > maxParts)
    throw new FormError(`\`parts\` of a statement is not a list of 1 to ${maxParts}`);
  return value.map((digest: unknown): string => {
    if (typeof digest !== 'string' || !isDigest(`sha256:${digest}`))
      throw new FormError('`parts` of a statement holds something that is not 64 hexadecimal digits');
    return digest;
  });
}

function releaseRequest(value: unknown): { release: Parameters<typeof releaseStatement>[0]; purpose: KeyPurpose; byproducts: Byproducts } {
  const { release, purpose, byproducts } = members(value, 'the request', ['release', 'purpose', 'byproducts']);
  assertReleaseForm(release);
  if (typeof byproducts !== 'object' || byproducts === null || Array.isArray(byproducts))
    throw new FormError('`byproducts` is not an object');
  const digests: [string, Byproducts[string]][] = [];
  for (const [path, digest] of Object.entries(byproducts)) {
    if (typeof digest !== 'string' || !isDigest(digest))
      throw new FormError(`\`byproducts\` gives \`${path.slice(0, 80)}\` something that is not a digest`);
    digests.push([path, digest]);
  }
  return { release, purpose: purposeOf(purpose), byproducts: Object.fromEntries(digests) };
}

function purposeOf(value: unknown): KeyPurpose {
  if (value !== 'live' && value !== 'preview') throw new FormError('`purpose` is neither `live` nor `preview`');
  return value;
}
