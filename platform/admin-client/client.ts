/**
 * The admin API of the control plane and of the GitOps loop, as every caller speaks it: the token is read for each request, each has a time limit and a size
 * limit, nothing is followed elsewhere, and what comes back is checked before anybody believes it. `deploy` and `gitops` each have a thin face over it.
 */
import type { SignedObject, SignedRelease } from '../../core/bundle/objects';
import type { RolloutStatus } from '../../core/bundle/status';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { gitops } from '../../core/diagnostics/gitops';
import { digestOfJson } from '../../core/lib/digest';
import { reasonOf } from '../../core/lib/reason';
import { readSecret } from '../secret-file';

export interface AdminTarget {
  /** `http://127.0.0.1:9901`. */
  readonly adminUrl: string;
  /** 0600, the bearer token; read for each request, so that it may be renewed. */
  readonly tokenFile: string;
}
/** `refused`: it was understood, and no. `unreachable`: no answer that can be used; `diagnostics` only where the token file is why. */
export type AdminAnswer<T> =
  | { readonly kind: 'ok'; readonly status: number; readonly value: T }
  | { readonly kind: 'refused'; readonly status: number; readonly reason: string; readonly diagnostics: readonly Diagnostic[] }
  | AdminSilence;
export interface AdminSilence {
  readonly kind: 'unreachable';
  readonly reason: string;
  readonly diagnostics: readonly Diagnostic[];
}
export interface AdminLimits {
  /** For one request; default 15,000. A watch has none but its signal. */
  readonly timeoutMs?: number;
  /** Of one answer, and of one event of a watch; default 64 MiB. */
  readonly maxBytes?: number;
}
export interface AdminApi {
  /** One request. `value` is the parsed answer, null for an empty one. */
  ask(method: string, path: string, body?: unknown): Promise<AdminAnswer<unknown>>;
  /** Server-sent events, parsed, until the signal or the other side ends them; ends with what went wrong. */
  events(path: string, signal?: AbortSignal): AsyncGenerator<unknown, Exclude<AdminAnswer<unknown>, { kind: 'ok' }> | null>;
  status(): Promise<AdminAnswer<RolloutStatus>>;
  /** What is live, its digest made anew so that `parent` is right; null when nothing is. The control plane verified its signature when it took it. */
  release(): Promise<AdminAnswer<SignedRelease | null>>;
  hasObject(digest: string): Promise<AdminAnswer<boolean>>;
  putObject(object: SignedObject): Promise<AdminAnswer<unknown>>;
  /** `kept`: it is in force, so it stays. `absent`: it was not there. */
  deleteObject(digest: string): Promise<AdminAnswer<'deleted' | 'kept' | 'absent'>>;
  putRelease(release: SignedRelease): Promise<AdminAnswer<unknown>>;
}

/** A client; it holds nothing open. */
export function adminApi({ adminUrl, tokenFile }: AdminTarget, { timeoutMs = 15_000, maxBytes = 64 << 20 }: AdminLimits = {}): AdminApi {
  const silence = (reason: string, diagnostics: readonly Diagnostic[] = []): AdminSilence => ({ kind: 'unreachable', reason, diagnostics });

  const send = async (method: string, path: string, body: unknown, signal?: AbortSignal): Promise<Response | AdminSilence> => {
    const token = await readSecret(tokenFile);
    if (token.value === undefined) return silence(token.diagnostics[0]?.message ?? 'there is no token', token.diagnostics);
    // Not left to `fetch`, whose refusal quotes it: a key file that was given by mistake would be printed.
    if (!/^[\x21-\x7e]+$/.test(token.value)) {
      const wrong = gitops.secretFile({ file: tokenFile, reason: 'what it holds is no token' });
      return silence(wrong.message, [wrong]);
    }
    try {
      return await fetch(new URL(path, adminUrl), {
        method,
        redirect: 'error',
        headers: { authorization: `Bearer ${token.value}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal ? { signal } : {}),
      });
    } catch (error) {
      return silence(reasonOf(error));
    }
  };
  /** null: it is fine. */
  const trouble = async (response: Response, what: string): Promise<Exclude<AdminAnswer<unknown>, { kind: 'ok' }> | null> => {
    if (response.ok) return null;
    const { status } = response;
    if (status === 401 || status === 403) return silence('it refuses the token');
    const text = await textOf(response, maxBytes).catch(() => '');
    if (status >= 500) return silence(`it answered ${status}`);
    const value = parsed(text);
    return { kind: 'refused', status, reason: errorIn(value) ?? `${what} answered ${status}`, diagnostics: diagnosticsIn(value) };
  };
  const ask: AdminApi['ask'] = async (method, path, body) => {
    const response = await send(method, path, body, AbortSignal.timeout(timeoutMs));
    if ('kind' in response) return response;
    const problem = await trouble(response, `${method} ${path.split('?', 1)[0]}`);
    if (problem) return problem;
    try {
      const text = await textOf(response, maxBytes);
      const value = text === '' ? null : parsed(text);
      return value === undefined ? silence('its answer is not JSON') : { kind: 'ok', status: response.status, value };
    } catch (error) {
      return silence(reasonOf(error));
    }
  };

  return {
    ask,
    events: async function* (path, signal) {
      const response = await send('GET', path, undefined, signal);
      if ('kind' in response) return response;
      const problem = await trouble(response, `GET ${path.split('?', 1)[0]}`);
      if (problem || response.body === null) return problem;
      let buffer = '';
      try {
        for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
          buffer += chunk;
          const events = buffer.split(/\r?\n\r?\n/);
          buffer = events.pop() ?? '';
          if (buffer.length > maxBytes) return silence('one of its events is too large');
          for (const event of events) {
            const data = event.split(/\r?\n/).flatMap((line) => (line.startsWith('data:') ? [line.slice(5).trimStart()] : []));
            const value = data.length === 0 ? undefined : parsed(data.join('\n'));
            if (value !== undefined) yield value;
          }
        }
        return null;
      } catch (error) {
        return silence(reasonOf(error));
      }
    },
    status: async () => {
      const answer = await ask('GET', '/v1/status');
      if (answer.kind !== 'ok') return answer;
      return isStatus(answer.value) ? { ...answer, value: answer.value } : silence('its status is not of the documented form');
    },
    release: async () => {
      const answer = await ask('GET', '/v1/release');
      if (answer.kind === 'refused' && answer.status === 404) return { kind: 'ok', status: 404, value: null };
      if (answer.kind !== 'ok') return answer;
      if (answer.value === null) return { ...answer, value: null };
      return isSignedRelease(answer.value) ? { ...answer, value: answer.value } : silence('its release is not of the documented form');
    },
    hasObject: async (digest) => {
      const answer = await ask('GET', `/v1/objects/${digest}`);
      if (answer.kind === 'refused' && answer.status === 404) return { kind: 'ok', status: 404, value: false };
      return answer.kind === 'ok' ? { ...answer, value: true } : answer;
    },
    putObject: (object) => ask('PUT', `/v1/objects/${object.digest}`, object),
    deleteObject: async (digest) => {
      const answer = await ask('DELETE', `/v1/objects/${digest}`);
      if (answer.kind === 'refused' && answer.status === 404) return { kind: 'ok', status: 404, value: 'absent' };
      if (answer.kind === 'refused' && answer.status === 409) return { kind: 'ok', status: 409, value: 'kept' };
      return answer.kind === 'ok' ? { ...answer, value: 'deleted' } : answer;
    },
    putRelease: (release) => ask('PUT', '/v1/release', release),
  };
}

async function textOf(response: Response, maxBytes: number): Promise<string> {
  if (response.body === null) return '';
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body) {
    size += part.byteLength;
    if (size > maxBytes) throw new Error('its answer is too large');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** undefined: it is not JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};

/** The one line of `{"error": "..."}`. */
const errorIn = (value: unknown): string | undefined => {
  const { error } = record(value);
  return typeof error === 'string' ? error.slice(0, 500) : undefined;
};

function diagnosticsIn(value: unknown): readonly Diagnostic[] {
  const { diagnostics } = record(value);
  return Array.isArray(diagnostics) ? diagnostics.filter(isDiagnostic) : [];
}
const isDiagnostic = (value: unknown): value is Diagnostic => {
  const { code, message } = record(value);
  return typeof code === 'string' && typeof message === 'string';
};

/** Whether a parsed answer has the shape of a status. */
export function isStatus(value: unknown): value is RolloutStatus {
  const { state, generation, proxies } = record(value);
  return typeof state === 'string' && typeof generation === 'number' && Array.isArray(proxies);
}

function isSignedRelease(value: unknown): value is SignedRelease {
  const { digest, jws, release } = record(value);
  const { generation, candidate } = record(release);
  return (
    typeof jws === 'string' &&
    typeof generation === 'number' &&
    typeof candidate === 'object' &&
    candidate !== null &&
    digest === digestOfJson(release)
  );
}
