/**
 * The sample applications: small real HTTP services shaped like Istio's Bookinfo. They know nothing of the mesh but one address, the outbound
 * listener of the proxy beside them, and call each other by the usual host names (`reviews:9080`) through it.
 * Run as a process of its own: `node applications.js <config.json>`; prints one JSON line when every application listens.
 */
import { readFileSync } from 'node:fs';
import { createServer, request as httpRequest, Agent, type IncomingMessage, type ServerResponse } from 'node:http';

export interface ApplicationConfig {
  readonly instance: string;
  readonly name: 'productpage' | 'details' | 'reviews' | 'ratings';
  readonly version: string;
  readonly host: string;
  readonly port: number;
  /** Where this instance's proxy takes calls to others. */
  readonly outbound: { readonly host: string; readonly port: number } | null;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** What one application asks of another, through the proxy beside it. A failure is data for the page, not an exception. */
type Call = (host: string, path: string) => Promise<Answer>;

const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const answerLimit = 64 * 1024;
const callTimeoutMs = 5_000;

function callThrough(outbound: ApplicationConfig['outbound']): Call {
  return (host, path) =>
    new Promise((resolve) => {
      if (!outbound) return resolve({ status: 0, body: 'no outbound listener' });
      const sent = httpRequest(
        { agent, host: outbound.host, port: outbound.port, path, headers: { host }, timeout: callTimeoutMs },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (part: string) => {
            text += part;
            if (text.length > answerLimit) response.destroy();
          });
          response.on('error', () => resolve({ status: 0, body: 'the answer was cut off' }));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: parsed(text) }));
        },
      );
      sent.on('timeout', () => sent.destroy(new Error(`no answer within ${callTimeoutMs} ms`)));
      sent.on('error', (error) => resolve({ status: 0, body: error.message }));
      sent.end();
    });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const stars = [
  { reviewer: 'Reviewer1', stars: 5 },
  { reviewer: 'Reviewer2', stars: 4 },
];

/** What each application answers on its one kind of path; null: not found. */
async function answer(config: ApplicationConfig, path: string, call: Call): Promise<Answer | null> {
  if (path === '/health') return { status: 200, body: { status: 'healthy', instance: config.instance } };
  const [, first, id, ...rest] = path.split('/');
  if (rest.length > 0) return null;
  switch (config.name) {
    case 'productpage': {
      if (first !== 'productpage' || id !== undefined) return null;
      const [details, reviews] = await Promise.all([call('details:9080', '/details/0'), call('reviews:9080', '/reviews/0')]);
      return { status: 200, body: { instance: config.instance, details, reviews } };
    }
    case 'details':
      return first === 'details' && id
        ? { status: 200, body: { instance: config.instance, id, author: 'William Shakespeare', pages: 200 } }
        : null;
    case 'ratings':
      return first === 'ratings' && id ? { status: 200, body: { instance: config.instance, id, ratings: stars } } : null;
    case 'reviews': {
      if (first !== 'reviews' || !id) return null;
      const ratings = config.version === 'v1' ? null : await call('ratings:9080', `/ratings/${id}`);
      return { status: 200, body: { instance: config.instance, version: config.version, id, ratings } };
    }
  }
}

function serve(config: ApplicationConfig): Promise<void> {
  const call = callThrough(config.outbound);
  const server = createServer((incoming: IncomingMessage, outgoing: ServerResponse) => {
    incoming.resume();
    const path = (incoming.url ?? '/').split('?', 1)[0] ?? '/';
    answer(config, path, call).then(
      (found) => send(outgoing, found ?? { status: 404, body: { error: `${config.name} has nothing at ${path}` } }),
      (error: unknown) => send(outgoing, { status: 500, body: { error: String(error) } }),
    );
  });
  server.keepAliveTimeout = 0; // the proxy decides when a connection is idle
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.port, config.host, resolve);
  });
}

function send(outgoing: ServerResponse, found: Answer): void {
  outgoing.writeHead(found.status, { 'content-type': 'application/json' });
  outgoing.end(JSON.stringify(found.body));
}

async function main(): Promise<void> {
  const file = process.argv[2];
  if (!file) throw new Error('usage: applications.js <config.json>');
  const configs = JSON.parse(readFileSync(file, 'utf8')) as readonly ApplicationConfig[];
  await Promise.all(configs.map(serve));
  process.stdout.write(`${JSON.stringify({ listening: configs.map((config) => config.instance) })}\n`);
}

if (require.main === module) {
  main().catch((error: unknown) => {
    process.stderr.write(`applications: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  });
}
