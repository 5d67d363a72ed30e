/** The control plane's admin API, as far as a deployment needs it. */
import * as fs from 'node:fs/promises';
import type { SignedObject, SignedRelease } from '../../core/bundle/objects';
import type { RolloutStatus } from '../../core/bundle/status';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { deploy } from '../../core/diagnostics/deploy';
import { isDigest } from '../../core/lib/digest';

export interface AdminTarget {
  /** `http://127.0.0.1:9901`. */
  readonly adminUrl: string;
  /** 0600, the bearer token. Read for each request, so that it may be renewed. */
  readonly tokenFile: string;
}

/** What went wrong, as diagnostics; `refused` when the control plane understood and said no. */
export class AdminError extends Error {
  override readonly name = 'AdminError';
  constructor(
    readonly kind: 'refused' | 'unreachable',
    readonly diagnostics: readonly Diagnostic[],
  ) {
    super(diagnostics.map((d) => `${d.code}: ${d.message}`).join('; '));
  }
}

export interface AdminClient {
  putObject(object: SignedObject): Promise<void>;
  hasObject(digest: string): Promise<boolean>;
  /** `kept`: it is in force, so it stays. `absent`: it was not there. */
  deleteObject(digest: string): Promise<'deleted' | 'kept' | 'absent'>;
  putRelease(release: SignedRelease): Promise<void>;
  /** The live release; null when there is none yet. Its form is not checked beyond being an object. */
  release(): Promise<SignedRelease | null>;
  status(): Promise<RolloutStatus>;
  /** Each status as it comes, until the connection ends. */
  watch(signal: AbortSignal): AsyncGenerator<RolloutStatus>;
}

const requestMs = 15_000;

export function adminClient({ adminUrl, tokenFile }: AdminTarget): AdminClient {
  const unreachable = (reason: string): AdminError => new AdminError('unreachable', [deploy.unreachable({ url: adminUrl, reason })]);

  const send = async (method: string, path: string, body: unknown, signal: AbortSignal): Promise<Response> => {
    let token: string;
    try {
      token = (await fs.readFile(tokenFile, 'utf8')).trim();
    } catch {
      throw unreachable(`its token file \`${tokenFile}\` cannot be read`);
    }
    try {
      return await fetch(new URL(path, adminUrl), {
        method,
        redirect: 'error',
        signal,
        headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      throw unreachable(reasonOf(error));
    }
  };
  const ask = async (
    method: string,
    path: string,
    body?: unknown,
    fine: readonly number[] = [],
  ): Promise<{ status: number; value: unknown }> => {
    const response = await send(method, path, body, AbortSignal.timeout(requestMs));
    let value: unknown;
    try {
      const text = await response.text();
      value = text === '' ? null : JSON.parse(text);
    } catch (error) {
      if (response.ok) throw unreachable(reasonOf(error));
      value = null;
    }
    if (response.ok || fine.includes(response.status)) return { status: response.status, value };
    const said = diagnosticsIn(value);
    if (response.status === 401 || response.status === 403) throw unreachable('it refuses the token');
    if (said.length > 0) throw new AdminError('refused', said);
    if (response.status >= 400 && response.status < 500) {
      throw new AdminError('refused', [
        deploy.releaseRefused({ reason: `${method} ${path.split('?', 1)[0]} answered ${response.status}` }),
      ]);
    }
    throw unreachable(`it answered ${response.status}`);
  };

  return {
    putObject: async (object) => void (await ask('PUT', `/v1/objects/${object.digest}`, object)),
    hasObject: async (digest) => (await ask('GET', `/v1/objects/${digest}`, undefined, [404])).status !== 404,
    deleteObject: async (digest) => {
      const { status } = await ask('DELETE', `/v1/objects/${digest}`, undefined, [404, 409]);
      return status === 404 ? 'absent' : status === 409 ? 'kept' : 'deleted';
    },
    putRelease: async (release) => void (await ask('PUT', '/v1/release', release)),
    release: async () => {
      const { status, value } = await ask('GET', '/v1/release', undefined, [404]);
      if (status === 404 || value === null) return null;
      if (!isSignedRelease(value)) throw unreachable('its release is not of the documented form');
      return value;
    },
    status: async () => {
      const { value } = await ask('GET', '/v1/status');
      if (!isStatus(value)) throw unreachable('its status is not of the documented form');
      return value;
    },
    async *watch(signal) {
      const response = await send('GET', '/v1/status?watch=1', undefined, signal);
      if (!response.ok || response.body === null) throw unreachable(`it answered ${response.status}`);
      let buffer = '';
      try {
        for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
          buffer += chunk;
          const events = buffer.split(/\r?\n\r?\n/);
          buffer = events.pop() ?? '';
          for (const event of events) {
            const data = event.split(/\r?\n/).flatMap((line) => (line.startsWith('data:') ? [line.slice(5).trimStart()] : []));
            if (data.length === 0) continue;
            const value: unknown = JSON.parse(data.join('\n'));
            if (isStatus(value)) yield value;
          }
        }
      } catch (error) {
        throw unreachable(reasonOf(error));
      }
    },
  };
}

function diagnosticsIn(value: unknown): readonly Diagnostic[] {
  if (typeof value !== 'object' || value === null || !('diagnostics' in value) || !Array.isArray(value.diagnostics)) return [];
  return value.diagnostics.filter(isDiagnostic);
}
const isDiagnostic = (value: unknown): value is Diagnostic =>
  typeof value === 'object' && value !== null && 'code' in value && 'message' in value && typeof value.message === 'string';
const isStatus = (value: unknown): value is RolloutStatus =>
  typeof value === 'object' &&
  value !== null &&
  'state' in value &&
  typeof value.state === 'string' &&
  'generation' in value &&
  typeof value.generation === 'number' &&
  'proxies' in value &&
  Array.isArray(value.proxies);
const isSignedRelease = (value: unknown): value is SignedRelease =>
  typeof value === 'object' &&
  value !== null &&
  'digest' in value &&
  typeof value.digest === 'string' &&
  isDigest(value.digest) &&
  'release' in value &&
  typeof value.release === 'object' &&
  value.release !== null &&
  'generation' in value.release &&
  'candidate' in value.release;

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if (error.name === 'TimeoutError') return 'it took too long';
  if (error.name === 'AbortError') return 'it was cancelled';
  return error.cause instanceof Error ? error.cause.message : error.message;
}
