/** The control plane's admin API, from the command line: loopback HTTP with a bearer token from a 0600 file. */
import type { Diagnostic } from '../core/diagnostics/diagnostic';
import { adminApi, type AdminAnswer } from '../platform/admin-client/client';
import { UsageError, type CommandContext } from './command';
import { formatText, toJson } from './findings';
import { adminTargetOf } from './target';
import type { Values } from './values';

/** A rollback is answered when its roll-out is over. */
const rollOutMs = 20 * 60_000;

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
export function adminOf(context: CommandContext, values: Values): Admin {
  const target = adminTargetOf(context, values);
  const url = target.adminUrl;
  const failed = (answer: Exclude<AdminAnswer<unknown>, { kind: 'ok' }>): Error => {
    if (answer.kind === 'refused') return new Refusal(answer.status, answer.diagnostics, answer.diagnostics[0]?.message ?? answer.reason);
    const [first] = answer.diagnostics;
    return new UsageError(
      first ? `${first.message}; ${first.help ?? ''}` : `the control plane at ${url} does not answer: ${answer.reason}`,
    );
  };
  const ask = async (method: string, path: string, timeoutMs: number, body?: unknown): Promise<unknown> => {
    const answer = await adminApi(target, { timeoutMs }).ask(method, path, body);
    if (answer.kind !== 'ok') throw failed(answer);
    return answer.value;
  };
  return {
    get: (path) => ask('GET', path, 15_000),
    post: (path, body) => ask('POST', path, rollOutMs, body),
    watch: async function* (path) {
      const failure = yield* adminApi(target).events(path);
      if (failure) throw failed(failure);
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
