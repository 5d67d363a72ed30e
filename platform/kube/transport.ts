/**
 * HTTP to a Kubernetes API server. The vendor's client reads the kubeconfig and makes the credentials (files that rotate, exec plugins, proxies); requests and
 * watches are made here: its own watch ends after 30 s in all and drops lines that it cannot parse (ADR 0114).
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as https from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { KubeConfig } from '@kubernetes/client-node';
import { load } from 'js-yaml';

/** An answer that is not a success; `status` 0 when there was none. */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  constructor(
    readonly status: number,
    /** CamelCase, as the server says it: `NotFound`, `Conflict`, `Forbidden`, `Invalid`; `Unreachable` when there was no answer. */
    readonly reason: string,
    message: string,
    /** The whole Status document, if there was one. */
    readonly details: unknown = null,
  ) {
    super(message);
  }
}

export interface KubeRequest {
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  /** For the whole answer; default 15,000 ms. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}
export interface Transport {
  readonly server: string;
  /** The parsed answer. Throws KubeError. */
  send(request: KubeRequest): Promise<unknown>;
  /** Each line of an answer that goes on, parsed, until it ends. `idleMs` without a byte end it with an error. */
  lines(request: KubeRequest & { readonly idleMs: number }): AsyncGenerator<unknown>;
}

export interface Patience {
  /** No request is given up earlier, in milliseconds. Default 0: each by its own time. */
  readonly leastMs?: number;
}

const longestAnswer = 256 << 20;
const longestLine = 32 << 20;

/** By the current context of a kubeconfig file. Rejects, in one line with its name, when it cannot be used. */
export async function transportFromFile(file: string, patience: Patience = {}): Promise<Transport> {
  const text = await fs.readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new Error(
      error.code === 'ENOENT' ? `there is no kubeconfig \`${file}\`` : `the kubeconfig \`${file}\` cannot be read (${error.code})`,
    );
  });
  const { KubeConfig: Config } = await import('@kubernetes/client-node');
  const config = new Config();
  try {
    config.loadFromFile(file); // not from the text: files that it names are relative to it
    return transport(config, groupsIn(load(text), config.getCurrentUser()?.name), patience);
  } catch (error) {
    throw new Error(
      `the kubeconfig \`${file}\` cannot be used: ${(error instanceof Error ? error.message : String(error)).split('\n')[0]}`,
    );
  }
}

/** As the service account of the pod that this process runs in. */
export async function transportInCluster(): Promise<Transport> {
  const { KubeConfig: Config } = await import('@kubernetes/client-node');
  const config = new Config();
  config.loadFromCluster();
  return transport(config, [], {});
}

function transport(config: KubeConfig, impersonatedGroups: readonly string[], { leastMs = 0 }: Patience): Transport {
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new Error('it has no current cluster: choose a context with `kubectl config use-context`');
  const server = new URL(cluster.server);
  if (server.protocol !== 'https:') throw new Error(`it names ${cluster.server}, and only https is spoken`);
  const agents = new Map<string, https.Agent>();

  const open = async (request: KubeRequest, signal: AbortSignal): Promise<IncomingMessage> => {
    const options: https.RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    const { ca, cert, key, servername, rejectUnauthorized } = options;
    const tls = { ca, cert, key, ...(servername === undefined ? {} : { servername }), rejectUnauthorized };
    const headers: Record<string, string | string[]> = { accept: 'application/json', ...(options.headers as Record<string, string>) };
    if (impersonatedGroups.length > 0) headers['Impersonate-Group'] = [...impersonatedGroups];
    const payload = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
    if (payload) {
      headers['content-type'] = request.contentType ?? 'application/json';
      headers['content-length'] = String(payload.length);
    }
    const url = new URL(server.pathname.replace(/\/$/, '') + request.path, server);
    for (const [name, value] of Object.entries(request.query ?? {})) if (value !== undefined) url.searchParams.set(name, value);
    return new Promise((resolve, reject) => {
      const agent = cluster.proxyUrl ? options.agent : agentOf(agents, tls);
      const sent = https.request(url, { method: request.method, headers, agent, signal, ...tls }, resolve);
      sent.once('error', reject);
      sent.end(payload);
    });
  };
  const unreachable = (error: unknown): KubeError =>
    error instanceof KubeError
      ? error
      : new KubeError(0, 'Unreachable', `the Kubernetes API at ${server.origin} does not answer: ${reasonOf(error)}`);

  return {
    server: server.origin,
    async send(request) {
      const limit = AbortSignal.timeout(Math.max(request.timeoutMs ?? 15_000, leastMs));
      const signal = request.signal ? AbortSignal.any([limit, request.signal]) : limit;
      try {
        const response = await open(request, signal);
        const text = await textOf(response, longestAnswer);
        const status = response.statusCode ?? 0;
        const value = parsed(text);
        if (status >= 200 && status < 300) {
          if (value === undefined)
            throw new KubeError(status, 'NotJson', `the Kubernetes API answered ${request.method} ${request.path} without JSON`);
          return value;
        }
        throw refusal(status, value, request);
      } catch (error) {
        throw unreachable(error);
      }
    },
    async *lines(request) {
      const stop = new AbortController();
      const signal = request.signal ? AbortSignal.any([stop.signal, request.signal]) : stop.signal;
      let timer = setTimeout(() => stop.abort(new Error('nothing came for too long')), request.idleMs);
      try {
        const response = await open(request, signal);
        if (response.statusCode !== 200) throw refusal(response.statusCode ?? 0, parsed(await textOf(response, longestAnswer)), request);
        const chunks: Buffer[] = []; // of the line that has not ended
        let length = 0;
        for await (const chunk of response) {
          timer = again(timer, stop, request.idleMs);
          let rest = chunk as Buffer; // a response without an encoding gives Buffers
          for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
            const line = Buffer.concat([...chunks.splice(0), rest.subarray(0, end)]).toString('utf8');
            rest = rest.subarray(end + 1);
            length = 0;
            if (line.trim() !== '') yield JSON.parse(line) as unknown;
          }
          chunks.push(rest);
          length += rest.length;
          if (length > longestLine) throw new Error('a line is too long');
        }
      } catch (error) {
        throw unreachable(error);
      } finally {
        clearTimeout(timer);
        stop.abort();
      }
    },
  };
}

function again(timer: NodeJS.Timeout, stop: AbortController, idleMs: number): NodeJS.Timeout {
  clearTimeout(timer);
  return setTimeout(() => stop.abort(new Error('nothing came for too long')), idleMs);
}

/** One keep-alive agent for each set of TLS material: a rotated client certificate opens connections of its own. */
function agentOf(agents: Map<string, https.Agent>, tls: https.AgentOptions): https.Agent {
  const hash = createHash('sha256');
  for (const part of [tls.ca, tls.cert, tls.key]) hash.update(String(part ?? '')).update('\0');
  const key = hash.digest('base64');
  const known = agents.get(key);
  if (known) return known;
  for (const old of agents.values()) setTimeout(() => old.destroy(), 60_000).unref();
  agents.clear();
  const agent = new https.Agent({ ...tls, keepAlive: true, maxSockets: 64 });
  agents.set(key, agent);
  return agent;
}

async function textOf(response: IncomingMessage, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    chunks.push(chunk as Buffer); // a response without an encoding gives Buffers
    length += (chunk as Buffer).length;
    if (length > limit) throw new Error('the answer is too large');
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refusal(status: number, value: unknown, request: KubeRequest): KubeError {
  const said = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  const text = (key: string): string | undefined => (typeof said[key] === 'string' ? said[key] : undefined);
  return new KubeError(
    status,
    text('reason') ?? 'Unknown',
    text('message') ?? `${request.method} ${request.path} answered ${status}`,
    value ?? null,
  );
}

/** `as-groups` of a kubeconfig's user, which the vendor's client does not read. */
function groupsIn(file: unknown, user: string | undefined): readonly string[] {
  const users: unknown = typeof file === 'object' && file !== null && 'users' in file ? file.users : [];
  if (!Array.isArray(users)) return [];
  const found: unknown = users.find((one: unknown) => typeof one === 'object' && one !== null && 'name' in one && one.name === user);
  const of: unknown = typeof found === 'object' && found !== null && 'user' in found ? found.user : null;
  const groups: unknown = typeof of === 'object' && of !== null && 'as-groups' in of ? of['as-groups'] : [];
  return Array.isArray(groups) ? groups.filter((group): group is string => typeof group === 'string') : [];
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'it took too long';
  return error.cause instanceof Error ? error.cause.message : error.message;
}
