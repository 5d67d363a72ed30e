/** The signer's other end: what the compiler and the loop hold instead of keys. */
import * as http from 'node:http';
import { byproductsOf, type Bundle } from '../../core/bundle/bundle';
import { objectName, type MeshObject, type Release, type SignedObject, type SourceMap } from '../../core/bundle/objects';
import { packObject } from '../../core/bundle/packing';
import { FormError } from '../../core/bundle/release-form';
import { objectStatement } from '../../core/bundle/statement';
import type { Diagnostic, Outcome } from '../../core/diagnostics/diagnostic';
import { sign } from '../../core/diagnostics/sign';
import { digestOfJson } from '../../core/lib/digest';
import { isNotFound } from '../../platform/files';
import type { KeyPurpose } from './keys';
import type { SignerState, SignObjectsAnswer, SignObjectsRequest, SignReleaseAnswer, SignReleaseRequest } from './protocol';

export interface SignerClient {
  signObjects(request: SignObjectsRequest): Promise<Outcome<SignObjectsAnswer>>;
  signRelease(request: SignReleaseRequest): Promise<Outcome<SignReleaseAnswer>>;
  /** The keys that sign now (public halves) and the floors. */
  state(): Promise<Outcome<SignerState>>;
}

/** A client of the signer on a unix socket. Requests end after `timeoutMs` (30 s). Connects anew for each; holds nothing open. */
export function signerClient(socketPath: string, options: { readonly timeoutMs?: number } = {}): SignerClient {
  const ask = async <T>(method: string, path: string, body: unknown, read: (value: unknown) => T | undefined): Promise<Outcome<T>> => {
    let answer: { status: number; text: string };
    try {
      answer = await exchange(socketPath, method, path, body, options.timeoutMs ?? 30_000);
    } catch (error) {
      return { diagnostics: [sign.signerUnreachable({ socket: socketPath, reason: unreachable(error) })] };
    }
    let value: unknown;
    try {
      value = JSON.parse(answer.text);
    } catch {
      return { diagnostics: [sign.signerUnreachable({ socket: socketPath, reason: `it answered ${answer.status} without JSON` })] };
    }
    if (answer.status !== 200) return { diagnostics: refusalIn(value) };
    const result = read(value);
    if (result === undefined)
      return { diagnostics: [sign.signerUnreachable({ socket: socketPath, reason: 'its answer is not of the documented form' })] };
    return { value: result, diagnostics: [] };
  };
  return {
    signObjects: (request) =>
      ask('POST', '/v1/sign/objects', request, (value) => (isSignatures(value, request.statements.length) ? value : undefined)),
    signRelease: (request) => ask('POST', '/v1/sign/release', request, (value) => (isJws(value) ? value : undefined)),
    state: () => ask('GET', '/v1/keys', undefined, (value) => (isState(value) ? value : undefined)),
  };
}

export interface Unsigned {
  readonly release: Release;
  readonly objects: readonly MeshObject[];
  readonly sources: SourceMap;
  /** Files of other targets, to be covered by the release's signature. */
  readonly files?: ReadonlyMap<string, string>;
}

/** Signs a release and all its objects. With `preview` keys the bundle is good for dry runs only. */
export async function signBundle(client: SignerClient, unsigned: Unsigned, purpose: KeyPurpose = 'live'): Promise<Outcome<Bundle>> {
  const { release, sources, files } = unsigned;
  const { environment } = release;
  const objects = unsigned.objects.toSorted((a, b) => (objectName(a) < objectName(b) ? -1 : 1));
  const packing = packAll(objects);
  if (!packing.value) return { diagnostics: packing.diagnostics };
  const packed = packing.value;
  const signatures = await client.signObjects({
    environment,
    purpose,
    statements: objects.map((object, index) => objectStatement(object, environment, packed[index])),
  });
  if (!signatures.value) return { diagnostics: signatures.diagnostics };
  const jwsOf = signatures.value.signatures;
  const signed = objects.map((object, index): SignedObject => {
    const parts = packed[index];
    return { object, digest: digestOfJson(object), jws: jwsOf[index] ?? '', ...(parts === undefined ? {} : { packed: parts }) };
  });
  const byproducts = byproductsOf(files === undefined ? { sources } : { sources, files });
  const signature = await client.signRelease({ release, purpose, byproducts });
  if (!signature.value) return { diagnostics: signature.diagnostics };
  const bundle: Bundle = {
    release: { release, digest: digestOfJson(release), jws: signature.value.jws },
    objects: signed,
    sources,
    ...(files === undefined ? {} : { files }),
  };
  return { value: bundle, diagnostics: [] };
}

/** The parts of each object that is too big for one resource. */
function packAll(objects: readonly MeshObject[]): Outcome<readonly (readonly string[] | undefined)[]> {
  const diagnostics: Diagnostic[] = [];
  const value = objects.map((object) => {
    try {
      return packObject(object);
    } catch (error) {
      if (!(error instanceof FormError)) throw error;
      diagnostics.push(sign.objectTooLarge({ what: objectName(object), reason: error.message }));
      return undefined;
    }
  });
  return diagnostics.length > 0 ? { diagnostics } : { value, diagnostics };
}

/** A bundle as it is before signing: it can be written, read and compared, and nothing accepts it. */
export function unsignedBundle({ release, objects, sources, files }: Unsigned): Bundle {
  return {
    release: { release, digest: digestOfJson(release), jws: '' },
    objects: objects
      .toSorted((a, b) => (objectName(a) < objectName(b) ? -1 : 1))
      .map((object) => ({ object, digest: digestOfJson(object), jws: '' })),
    sources,
    ...(files === undefined ? {} : { files }),
  };
}

function exchange(
  socketPath: string,
  method: string,
  path: string,
  body: unknown,
  timeoutMs: number,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const headers = payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': payload.length };
    const request = http.request(
      { socketPath, method, path, headers, agent: false, signal: AbortSignal.timeout(timeoutMs) },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }));
      },
    );
    request.once('error', reject);
    request.end(payload);
  });
}

function unreachable(error: unknown): string {
  if (isNotFound(error)) return 'there is no such socket';
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  if (code === 'ECONNREFUSED') return 'nothing listens on it';
  if (code === 'EACCES') return 'this user may not use it';
  if (error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError')) return 'it took too long';
  return error instanceof Error ? error.message : 'unknown';
}

function refusalIn(value: unknown): readonly Diagnostic[] {
  const list: unknown = typeof value === 'object' && value !== null && 'diagnostics' in value ? value.diagnostics : undefined;
  return isDiagnostics(list) ? list : [sign.signerRefused({ reason: 'it gave no reason' })];
}
const isDiagnostics = (value: unknown): value is readonly Diagnostic[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((item) => typeof item === 'object' && item !== null && 'code' in item && 'message' in item && 'severity' in item);
const isSignatures = (value: unknown, count: number): value is SignObjectsAnswer =>
  typeof value === 'object' &&
  value !== null &&
  'signatures' in value &&
  Array.isArray(value.signatures) &&
  value.signatures.length === count &&
  value.signatures.every((jws) => typeof jws === 'string' && jws !== '');
const isJws = (value: unknown): value is SignReleaseAnswer =>
  typeof value === 'object' && value !== null && 'jws' in value && typeof value.jws === 'string' && value.jws !== '';
const isState = (value: unknown): value is SignerState =>
  typeof value === 'object' && value !== null && 'keys' in value && Array.isArray(value.keys) && 'floors' in value;
