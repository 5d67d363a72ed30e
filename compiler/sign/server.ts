/**
 * The signer as a process of its own: HTTP on a unix socket in a folder that only its user may enter. It is the only one that reads private
 * keys, and what evaluates policies never runs in it.
 */
import * as fs from 'node:fs/promises';
import * as http from 'node:http';
import * as net from 'node:net';
import * as path from 'node:path';
import type { Outcome } from '../../core/diagnostics/diagnostic';
import { sign } from '../../core/diagnostics/sign';
import { readJsonIfThere, writeFileAtomic } from '../../platform/files';
import type { Log } from '../../platform/log';
import { createMetrics, metricsHandler } from '../../platform/metrics';
import { publicHalf, readKeyRing, signingKey, type KeyRing } from './keys';
import { maxBody, type SignerRefusal, type SignerState } from './protocol';
import { createSigner, SignerRefused, type FloorStore } from './signer';

/** The signer's configuration file, JSON. */
export interface SignerConfig {
  /** JWK Set of private keys, mode 0600. Read at the start; a rotation needs a restart. */
  readonly keyFile: string;
  /** The folder is made with mode 0700 when it is not there, and must be the user's own and closed to others when it is. */
  readonly socketPath: string;
  /** Floors by environment; written before each signature of a release. */
  readonly stateFile: string;
}
export interface RunningSigner {
  readonly socketPath: string;
  close(): Promise<void>;
}

/** Starts the signer. Resolves when it accepts requests; errors in the configuration come back as diagnostics. */
export async function serveSigner(config: SignerConfig & { readonly log?: Log }): Promise<Outcome<RunningSigner>> {
  const ring = await readKeyRing(config.keyFile);
  if (!ring.value) return { diagnostics: ring.diagnostics };
  const refuse = (reason: string): Outcome<RunningSigner> => ({
    diagnostics: [sign.signerUnreachable({ socket: config.socketPath, reason })],
  });
  const floors = await openFloors(config.stateFile);
  if (typeof floors === 'string') return refuse(floors);
  const trouble = await prepareSocket(config.socketPath);
  if (trouble) return refuse(trouble);
  const server = createServer(ring.value, floors, config.log);
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(config.socketPath, resolve));
  } catch (error) {
    return refuse(error instanceof Error ? error.message : 'it cannot listen');
  }
  await fs.chmod(config.socketPath, 0o600);
  config.log?.info({ socket: config.socketPath, keys: ring.value.keys.map((key) => key.kid) }, 'signer is ready');
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { value: { socketPath: config.socketPath, close }, diagnostics: [] };
}

interface Floors extends FloorStore {
  all(): { readonly [environment: string]: number };
}

async function openFloors(stateFile: string): Promise<Floors | string> {
  let stored: unknown;
  try {
    stored = await readJsonIfThere(stateFile);
  } catch {
    return `its state file \`${stateFile}\` is not JSON; floors are not guessed`;
  }
  const floors = new Map<string, number>();
  const entries =
    stored === null ? [] : Object.entries(typeof stored === 'object' && 'floors' in stored && stored.floors ? stored.floors : { '': null });
  for (const [environment, floor] of entries) {
    if (typeof floor !== 'number' || !Number.isSafeInteger(floor))
      return `its state file \`${stateFile}\` is damaged; floors are not guessed`;
    floors.set(environment, floor);
  }
  let last: Promise<void> = Promise.resolve();
  const all = (): { [environment: string]: number } => Object.fromEntries([...floors].sort(([a], [b]) => (a < b ? -1 : 1)));
  return {
    all,
    floorOf: (environment) => floors.get(environment) ?? 0,
    raise(environment, floor) {
      // One write after the other; the map moves at once, so that two requests at the same time see each other.
      if (floor > (floors.get(environment) ?? 0)) floors.set(environment, floor);
      const text = `${JSON.stringify({ floors: all() }, null, 2)}\n`;
      last = last
        .catch(() => undefined)
        .then(async () => {
          await fs.mkdir(path.dirname(stateFile), { recursive: true, mode: 0o700 });
          await writeFileAtomic(stateFile, text, { mode: 0o600 });
        });
      return last;
    },
  };
}

/** Makes the folder, checks that it is private, and removes a socket that nobody listens on. */
async function prepareSocket(socketPath: string): Promise<string | undefined> {
  if (Buffer.byteLength(socketPath) > 100)
    return 'its path is longer than the 100 bytes that a unix socket may have; choose a shorter folder';
  const folder = path.dirname(socketPath);
  await fs.mkdir(folder, { recursive: true, mode: 0o700 });
  const { mode, uid } = await fs.stat(folder);
  if ((mode & 0o077) !== 0) return `others can enter its folder \`${folder}\`; \`chmod 700\` it`;
  if (process.getuid && uid !== process.getuid()) return `its folder \`${folder}\` belongs to another user`;
  const there = await fs.lstat(socketPath).catch(() => null);
  if (there === null) return undefined;
  if (!there.isSocket()) return 'something that is not a socket is in its place';
  const taken = await new Promise<boolean>((resolve) => {
    const probe = net.connect(socketPath, () => resolve(true)).once('error', () => resolve(false));
    probe.once('connect', () => probe.destroy());
  });
  if (taken) return 'another signer listens on it';
  await fs.rm(socketPath, { force: true });
  return undefined;
}

function createServer(ring: KeyRing, floors: Floors, log: Log | undefined): http.Server {
  const signer = createSigner(ring, floors);
  const metrics = createMetrics();
  const signed = metrics.counter({
    name: 'meshwright_signer_requests_total',
    help: 'Requests by what was asked and how it ended.',
    labels: ['what', 'outcome'],
  });
  const showMetrics = metricsHandler(metrics);
  const state = (): SignerState => ({
    keys: ring.keys
      .filter((key) => signingKey(ring, key.environment, key.purpose) === key)
      .map((key) => ({ ...publicHalf(key), environment: key.environment, purpose: key.purpose })),
    floors: floors.all(),
  });
  const answer = (response: http.ServerResponse, status: number, body: object): void =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  const handle = async (what: 'objects' | 'release', request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    try {
      const body = await readBody(request);
      const result = what === 'objects' ? await signer.signObjects(body) : await signer.signRelease(body);
      signed.inc({ what, outcome: 'signed' });
      answer(response, 200, result);
    } catch (error) {
      signed.inc({ what, outcome: 'refused' });
      const known = error instanceof SignerRefused;
      if (!known) log?.error({ error }, 'signing failed');
      else log?.warn({ code: error.diagnostic.code }, error.diagnostic.message);
      const refusal: SignerRefusal = {
        diagnostics: [known ? error.diagnostic : sign.signerRefused({ reason: 'it failed; its log says why' })],
      };
      answer(response, known ? 422 : 500, refusal);
    }
  };
  const server = http.createServer(
    { requestTimeout: 30_000, headersTimeout: 5_000, connectionsCheckingInterval: 1_000 },
    (request, response) => {
      const route = `${request.method} ${request.url}`;
      if (route === 'POST /v1/sign/objects') void handle('objects', request, response);
      else if (route === 'POST /v1/sign/release') void handle('release', request, response);
      else if (route === 'GET /v1/keys') answer(response, 200, state());
      else if (route === 'GET /healthz' || route === 'GET /readyz') answer(response, 200, { ok: true });
      else if (route === 'GET /metrics') showMetrics(request, response);
      else answer(response, 404, { diagnostics: [sign.signerRefused({ reason: 'there is no such request' })] } satisfies SignerRefusal);
    },
  );
  server.maxConnections = 64;
  server.keepAliveTimeout = 1_000;
  return server;
}

async function readBody(request: http.IncomingMessage): Promise<unknown> {
  const refuse = (reason: string): SignerRefused => new SignerRefused(sign.signerRefused({ reason }));
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > maxBody) throw refuse(`the request is larger than ${maxBody} bytes`);
    chunks.push(bytes);
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)));
  } catch {
    throw refuse('the request is not JSON');
  }
}
