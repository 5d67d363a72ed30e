import { spawn } from 'node:child_process';
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { reasonOf } from '../core/lib/reason';
import { gitEnvironment, runGit } from './git';

export interface PushHook {
  readonly url: string;
  /** Signs the body: `X-Hub-Signature-256`. */
  readonly secret: string;
}
export interface GitServerOptions {
  /** Folder that holds (or will hold) the bare repository. */
  readonly dir: string;
  /** Default `policies`: served as `/policies.git`. */
  readonly name?: string;
  /** Default `main`. */
  readonly branch?: string;
  readonly host?: string;
  /** Default 0: a free one. */
  readonly port?: number;
  /** With it every request must carry one of them. */
  readonly auth?: { readonly user?: string; readonly password?: string; readonly bearer?: string };
  readonly hook?: PushHook;
  /** Told of each delivery of the push webhook, failed ones too. */
  readonly onDelivery?: (delivery: { readonly status: number | null; readonly after: string }) => void;
}
export interface GitServer {
  /** Address of the repository, as `git clone` takes it. */
  readonly url: string;
  /** The bare repository's folder. */
  readonly bare: string;
  /** Where pushes are told to from now on; null for nowhere. */
  setHook(hook: PushHook | null): void;
  close(): Promise<void>;
}

/**
 * Serves one bare repository by git's own `http-backend` (a CGI program) and tells of pushes as the large hosts do: after the push, one POST
 * `{ ref, before, after, repository }` for each ref that moved, signed with HMAC-SHA256.
 * @see https://git-scm.com/docs/git-http-backend
 * @see https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
 */
export async function startGitServer(options: GitServerOptions): Promise<GitServer> {
  const name = `${options.name ?? 'policies'}.git`;
  const bare = join(options.dir, name);
  const branch = options.branch ?? 'main';
  if (!existsSync(join(bare, 'HEAD'))) {
    await mkdir(bare, { recursive: true });
    await runGit(['init', '--quiet', '--bare', `--initial-branch=${branch}`, bare]);
  }
  await runGit(['config', 'http.receivepack', 'true'], { cwd: bare });
  await runGit(['config', 'gc.auto', '0'], { cwd: bare });

  let hook = options.hook ?? null;
  const running = new Set<ReturnType<typeof spawn>>();
  const server = createServer((request, response) => {
    void serve(request, response).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500);
      response.end(`git server: ${reasonOf(error)}\n`);
    });
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = new URL(request.url ?? '/', 'http://git');
    if (!target.pathname.startsWith(`/${name}/`) && target.pathname !== `/${name}`) {
      response.writeHead(404).end('no such repository\n');
      return;
    }
    const user = authenticate(request, options.auth);
    if (user === null) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end('credentials needed\n');
      return;
    }
    const isPush = request.method === 'POST' && target.pathname.endsWith('/git-receive-pack');
    const before = isPush ? await readRefs(bare) : null;
    await cgi(request, response, target, user);
    if (before) await tell(before, await readRefs(bare));
  }

  async function cgi(request: IncomingMessage, response: ServerResponse, target: URL, user: string): Promise<void> {
    const text = (header: string): string => String(request.headers[header] ?? '');
    const child = spawn('git', ['http-backend'], {
      env: gitEnvironment({
        GIT_PROJECT_ROOT: options.dir,
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: decodeURIComponent(target.pathname),
        QUERY_STRING: target.search.slice(1),
        REQUEST_METHOD: request.method ?? 'GET',
        CONTENT_TYPE: text('content-type'),
        HTTP_CONTENT_ENCODING: text('content-encoding'),
        GIT_PROTOCOL: text('git-protocol'),
        REMOTE_ADDR: request.socket.remoteAddress ?? '',
        REMOTE_USER: user,
        ...(request.headers['content-length'] ? { CONTENT_LENGTH: request.headers['content-length'] } : {}),
      }),
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    running.add(child);
    response.on('close', () => child.kill());
    child.stdin.on('error', () => undefined);
    request.pipe(child.stdin);
    let head = Buffer.alloc(0);
    let headers = false;
    child.stdout.on('data', (chunk: Buffer) => {
      if (headers) {
        if (!response.write(chunk)) {
          child.stdout.pause();
          response.once('drain', () => child.stdout.resume());
        }
        return;
      }
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      headers = true;
      let status = 200;
      for (const line of head.subarray(0, end).toString('latin1').split('\r\n')) {
        const colon = line.indexOf(':');
        const field = line.slice(0, colon).toLowerCase();
        const value = line.slice(colon + 1).trim();
        if (field === 'status') status = Number.parseInt(value, 10);
        else if (colon > 0) response.setHeader(field, value);
      }
      response.writeHead(status);
      response.write(head.subarray(end + 4));
    });
    await new Promise<void>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', () => resolve());
    }).finally(() => running.delete(child));
    if (!headers) response.writeHead(500);
    response.end();
  }

  async function tell(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): Promise<void> {
    const to = hook;
    if (!to) return;
    const none = '0'.repeat(40);
    for (const ref of new Set([...before.keys(), ...after.keys()])) {
      const [from, now] = [before.get(ref) ?? none, after.get(ref) ?? none];
      if (from === now) continue;
      const body = JSON.stringify({ ref, before: from, after: now, repository: { name: name.slice(0, -4), clone_url: url() } });
      let status: number | null = null;
      try {
        const answer = await fetch(to.url, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            'x-github-event': 'push',
            'x-github-delivery': randomUUID(),
            'x-hub-signature-256': `sha256=${createHmac('sha256', to.secret).update(body).digest('hex')}`,
          },
          body,
          signal: AbortSignal.timeout(10_000),
        });
        status = answer.status;
        await answer.arrayBuffer();
      } catch {
        // A hook that nobody hears is no failure of the push: polling finds the commit.
      }
      options.onDelivery?.({ status, after: now });
    }
  }

  const host = options.host ?? '127.0.0.1';
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, host, resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const url = (): string => `http://${host}:${port}/${name}`;
  return {
    url: url(),
    bare,
    setHook: (next) => {
      hook = next;
    },
    close: async () => {
      for (const child of running) child.kill();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function readRefs(bare: string): Promise<ReadonlyMap<string, string>> {
  const text = await runGit(['for-each-ref', '--format=%(objectname) %(refname)'], { cwd: bare });
  return new Map(
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => [line.slice(41), line.slice(0, 40)] as const),
  );
}

/** The user's name, '' where no credentials are asked for (push is allowed there by http.receivepack), or null. */
function authenticate(request: IncomingMessage, auth: GitServerOptions['auth']): string | null {
  if (!auth) return '';
  const given = request.headers.authorization ?? '';
  if (auth.bearer && same(given, `Bearer ${auth.bearer}`)) return 'token';
  if (auth.password) {
    const user = auth.user ?? 'git';
    if (same(given, `Basic ${Buffer.from(`${user}:${auth.password}`).toString('base64')}`)) return user;
  }
  return null;
}

function same(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}
