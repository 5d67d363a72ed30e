/**
 * A small control plane's admin API in memory, for suites of those who talk to it: it keeps objects and a release, verifies nothing but the order of
 * releases, and rolls out in as many looks as `script` says.
 */
import * as fs from 'node:fs/promises';
import * as http from 'node:http';
import * as path from 'node:path';
import type { SignedObject, SignedRelease } from '../../core/bundle/objects';
import type { ProxyStatus, RolloutState, RolloutStatus } from '../../core/bundle/status';

export interface AdminApi {
  readonly url: string;
  readonly tokenFile: string;
  readonly objects: Map<string, SignedObject>;
  release: SignedRelease | null;
  /** States that the next release goes through, one a look; the last stays. */
  script: readonly {
    readonly state: RolloutState;
    readonly message: string;
    readonly proxies?: readonly ProxyStatus[];
    readonly inForce?: 'stable' | 'candidate';
  }[];
  /** What was asked, `PUT /v1/release`. */
  readonly requests: string[];
  /** Answer for the next PUT of a release instead of taking it. */
  refuseWith: { readonly code: string; readonly message: string } | null;
  close(): Promise<void>;
}

export const proxyStatus = (
  instance: string,
  set: 'stable' | 'candidate',
  phase: ProxyStatus['parts']['inbound']['phase'],
  lastError: string | null = null,
): ProxyStatus => ({
  instance,
  workload: `books/${instance}`,
  principal: `spiffe://mesh/ns/books/sa/${instance}`,
  connected: true,
  envoyVersion: '1.40.0',
  parts: { inbound: { set, phase }, outbound: { set, phase } },
  concerned: true,
  responses: 1,
  lastError,
});

export async function startAdminApi(folder: string, environment = 'prod'): Promise<AdminApi> {
  const token = 'mwa_test-token-of-the-admin-api';
  const tokenFile = path.join(folder, 'admin.token');
  await fs.writeFile(tokenFile, `${token}\n`, { mode: 0o600 });
  const objects = new Map<string, SignedObject>();
  let looks = 0;
  const api: AdminApi = {
    url: '',
    tokenFile,
    objects,
    release: null,
    script: [{ state: 'converged', message: '' }],
    requests: [],
    refuseWith: null,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  const statusNow = (): RolloutStatus => {
    const at: AdminApi['script'][number] = api.script[Math.min(looks++, api.script.length - 1)] ?? { state: 'idle', message: '' };
    return {
      environment,
      generation: api.release?.release.generation ?? 0,
      release: api.release?.digest ?? null,
      commit: api.release?.release.commit ?? null,
      state: api.release ? at.state : 'idle',
      step: at.state === 'rolling' ? 0 : null,
      steps: 1,
      wave: at.state === 'rolling' ? 0 : null,
      message: at.message,
      proxies: at.proxies ?? [],
      updatedAt: 0,
      startedAt: 0,
      convergedAt: null,
      ...(at.inForce ? { inForce: at.inForce } : {}),
    };
  };
  const inForce = (digest: string): boolean =>
    api.release !== null &&
    [...Object.values(api.release.release.stable), ...Object.values(api.release.release.candidate)].some((other) => other === digest);
  const server = http.createServer((request, response) => {
    const answer = (status: number, body: unknown): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    const refuse = (code: string, message: string): void => answer(422, { diagnostics: [{ code, slug: 'x', severity: 'error', message }] });
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(Buffer.from(chunk));
      const body: unknown = chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString('utf8'));
      const route = `${request.method} ${request.url}`;
      api.requests.push(route);
      if (request.headers.authorization !== `Bearer ${token}`) return answer(401, {});
      const digest = /^\/v1\/objects\/(.*)$/.exec(request.url ?? '')?.[1];
      if (digest !== undefined) {
        if (request.method === 'PUT') objects.set(digest, body as SignedObject);
        else if (!objects.has(digest)) return answer(404, {});
        else if (request.method === 'DELETE') {
          if (inForce(digest)) return answer(409, {});
          objects.delete(digest);
        }
        return answer(200, objects.get(digest) ?? {});
      }
      if (route === 'PUT /v1/release') {
        const next = body as SignedRelease;
        if (api.refuseWith) return refuse(api.refuseWith.code, api.refuseWith.message);
        const expected = (api.release?.release.generation ?? 0) + 1;
        if (next.digest !== api.release?.digest && next.release.generation !== expected)
          return refuse('MW6009', `release generation ${next.release.generation} is refused: expected ${expected}`);
        const missing = Object.entries(next.release.candidate).find(([, object]) => !objects.has(object));
        if (missing) return refuse('MW9001', `there is no object for \`${missing[0]}\``);
        api.release = next;
        looks = 0;
        return answer(202, {});
      }
      if (route === 'GET /v1/release') return api.release ? answer(200, api.release) : answer(404, {});
      if (route === 'GET /v1/status') return answer(200, statusNow());
      if (route === 'GET /v1/status?watch=1') {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        const timer = setInterval(() => response.write(`data: ${JSON.stringify(statusNow())}\n\n`), 20);
        request.socket.once('close', () => clearInterval(timer));
        return undefined;
      }
      return answer(404, {});
    })().catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return Object.assign(api, { url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}` });
}
