/** The control plane's admin API, from the command line: loopback HTTP with a bearer token from a 0600 file. */
import type { RolloutStatus } from '../core/bundle/status';
import type { Diagnostic } from '../core/diagnostics/diagnostic';
import { readTextIfThere } from '../platform/files';
import { UsageError, type CommandContext } from './command';
import { formatText, toJson } from './findings';
import type { Values } from './values';

export interface Admin {
  get(path: string): Promise<unknown>;
  post(path: string, body: unknown): Promise<unknown>;
  /** Server-sent events of one path, as parsed data, until the caller stops or the server ends. */
  watch(path: string): AsyncIterable<unknown>;
}

/** What the control plane refused; exit code 1. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly diagnostics: readonly Diagnostic[],
    message: string,
  ) {
    super(message);
  }
}

/** Where the control plane is, by `--admin` and `--token-file`, else the environment. */
export async function adminOf(context: CommandContext, values: Values): Promise<Admin> {
  const url = values.text('admin') ?? context.env['MESHWRIGHT_ADMIN'];
  if (url === undefined) throw new UsageError("`--admin` is missing: give the control plane's admin address, or set MESHWRIGHT_ADMIN");
  const file = values.text('tokenFile') ?? context.env['MESHWRIGHT_TOKEN_FILE'];
  if (file === undefined)
    throw new UsageError("`--token-file` is missing: give the file with the control plane's token, or set MESHWRIGHT_TOKEN_FILE");
  const token = (await readTextIfThere(file))?.trim();
  if (token === undefined) throw new UsageError(`there is no token file \`${file}\``);
  const call = async (method: string, path: string, body?: unknown): Promise<Response> => {
    const response = await fetch(new URL(path, url), {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw new UsageError(`the control plane at ${url} does not answer: ${causeOf(error)}`);
    });
    if (response.ok) return response;
    const text = await response.text();
    const diagnostics = diagnosticsIn(text);
    if (response.status === 401 || response.status === 403) throw new UsageError(`the control plane at ${url} does not take this token`);
    throw new Refusal(
      response.status,
      diagnostics,
      diagnostics[0]?.message ?? reasonIn(text) ?? `${method} ${path} answered ${response.status}: ${text.slice(0, 200)}`,
    );
  };
  return {
    get: async (path) => (await call('GET', path)).json(),
    post: async (path, body) => {
      const text = await (await call('POST', path, body)).text();
      return text === '' ? null : JSON.parse(text);
    },
    watch: async function* (path) {
      const { body } = await call('GET', path);
      if (!body) return;
      let rest = '';
      for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
        rest += chunk;
        for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
          const data = rest
            .slice(0, end)
            .split('\n')
            .filter((line) => line.startsWith('data:'))
            .map((line) => line.slice(5).trim())
            .join('\n');
          rest = rest.slice(end + 2);
          if (data !== '') yield JSON.parse(data);
        }
      }
    },
  };
}

/** Runs a verb over the admin API; a refusal is printed as findings, exit code 1. */
export async function refusalAsFindings(context: CommandContext, body: () => Promise<0 | 1>): Promise<0 | 1> {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    context.out.document({
      ok: false,
      status: error.status,
      message: error.message,
      diagnostics: toJson(error.diagnostics, (file) => file),
    });
    context.out.line(
      error.diagnostics.length > 0 ? formatText(error.diagnostics, { show: (file) => file, style: context.out.style }) : error.message,
    );
    return 1;
  }
}

/** Whether a parsed answer has the shape of a status. */
export function isRolloutStatus(value: unknown): value is RolloutStatus {
  return (
    typeof value === 'object' &&
    value !== null &&
    'generation' in value &&
    'state' in value &&
    'proxies' in value &&
    Array.isArray(value.proxies)
  );
}

function diagnosticsIn(text: string): readonly Diagnostic[] {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== 'object' || parsed === null || !('diagnostics' in parsed) || !Array.isArray(parsed.diagnostics)) return [];
    return parsed.diagnostics.filter(
      (one): one is Diagnostic => typeof one === 'object' && one !== null && 'code' in one && 'message' in one && 'severity' in one,
    );
  } catch {
    return [];
  }
}

/** The one line of `{"error": "..."}`. */
function reasonIn(text: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && 'error' in parsed && typeof parsed.error === 'string'
      ? parsed.error
      : undefined;
  } catch {
    return undefined; // not JSON: the caller shows the text itself
  }
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error ? ('code' in cause && typeof cause.code === 'string' ? cause.code : cause.message) : error.message;
}
