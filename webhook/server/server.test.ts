/** The webhook as it is served: real TLS and HTTP, its state from a stand-in for the API server. */
import * as fs from 'node:fs/promises';
import * as https from 'node:https';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { formatTrust, type TrustRoot } from '../../core/bundle/trust';
import { systemClock, type Clock } from '../../platform/clock';
import { silentLog } from '../../platform/log';
import { resources } from '../../platform/kube';
import { kubeStub, type KubeStub } from '../../test/kit/kube-stub';
import { localAuthority, type LocalAuthority } from '../../test/kit/serving-certificate';
import { newTestSigner } from '../../test/kit/signing';
import { until } from '../../test/kit/until';
import { patience, untilReady, webhookFiles } from '../../test/kit/webhook';
import { serveWebhook, type RunningWebhook, type WebhookConfig } from '../main';
import { createApp, type Endpoint } from './app';
import { bodyBudget } from './body';
import { webhookMetrics } from './metrics';

let dir: string;
let trust: TrustRoot;
let authority: LocalAuthority;
let config: WebhookConfig;
let kube: KubeStub;
let webhook: RunningWebhook;
beforeEach(async () => {
  dir = await fs.mkdtemp(join(tmpdir(), 'mw-server-'));
  trust = { environments: { prod: { keys: [(await newTestSigner()).jwk], generationFloor: 0 } } };
  ({ authority, config } = await webhookFiles(dir, trust, ''));
  kube = kubeStub();
});
afterEach(async () => {
  await webhook?.close();
  await fs.rm(dir, { recursive: true, force: true });
});
const start = async (over: Partial<WebhookConfig> = {}): Promise<void> => {
  webhook = await serveWebhook({ ...config, ...over }, { log: silentLog, kube, lookEveryMs: 20 });
  await untilReady(webhook);
};

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: {
    readonly response?: {
      readonly uid: string;
      readonly allowed: boolean;
      readonly status?: { readonly code: number; readonly message: string };
    };
  };
}
interface Sending {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly agent?: https.Agent;
  readonly client?: { readonly cert: string; readonly key: string };
  /** Writes the body itself. */
  readonly write?: (request: http.ClientRequest) => void;
}
const send = (
  body: string | Uint8Array,
  { path = '/validate?timeout=5s', method = 'POST', headers, agent, client, write }: Sending = {},
): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const request = https.request(
      `${webhook.url}${path}`,
      {
        method,
        ca: authority.ca,
        ...client,
        headers: { 'content-type': 'application/json', ...headers },
        ...(agent ? { agent } : { agent: false }),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text === '' ? {} : JSON.parse(text) });
        });
      },
    );
    request.once('error', reject);
    if (write) write(request);
    else request.end(body);
  });
const review = (over: Record<string, unknown> = {}): string =>
  JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'u-1',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      name: 'p',
      namespace: 'shop',
      operation: 'CREATE',
      userInfo: { username: 'ann', groups: [] },
      object: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'shop' }, spec: { containers: [] } },
      oldObject: null,
      ...over,
    },
  });
const unsigned = (padding = ''): string =>
  review({
    kind: { group: 'meshwright.dev', version: 'v1alpha1', kind: 'ServiceConfig' },
    resource: { group: 'meshwright.dev', version: 'v1alpha1', resource: 'serviceconfigs' },
    object: { apiVersion: 'meshwright.dev/v1alpha1', kind: 'ServiceConfig', metadata: { name: 'x', namespace: 'shop' }, spec: { padding } },
    oldObject: padding === '' ? null : { spec: { padding } },
  });

describe('bodies', () => {
  test('1, 3: a review is answered with its uid; what is none with 400, and never allowed', async () => {
    await start();
    expect(await send(review())).toMatchObject({
      status: 200,
      body: { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid: 'u-1', allowed: true } },
    });
    expect((await send(unsigned())).body.response).toMatchObject({ uid: 'u-1', allowed: false, status: { code: 422 } });
    for (const body of [
      '',
      'null',
      '[]',
      '{}',
      '{"request":{}}',
      review().replace('/v1"', '/v1beta1"'),
      review().replace('"uid"', '"uid":"x","uid"'),
      'x',
    ])
      expect(await send(body)).toMatchObject({ status: 400, body: expect.not.objectContaining({ response: expect.anything() }) });
  });
  test('3: only a POST of plain JSON to a path that is there is read', async () => {
    await start();
    expect((await send('', { method: 'GET' })).status).toBe(405);
    expect((await send(review(), { path: '/other' })).status).toBe(404);
    for (const type of ['text/plain', 'application/yaml', 'multipart/form-data', 'application/json-patch+json'])
      expect((await send(review(), { headers: { 'content-type': type } })).status).toBe(415);
    expect((await send(review(), { headers: { 'content-type': 'application/json; charset=utf-8' } })).status).toBe(200);
  });
  test('4: an object and its old form, of 3 MiB and more each, are decided about', async () => {
    await start();
    const body = unsigned('x'.repeat(Math.floor(3.4 * 2 ** 20)));
    expect(body.length).toBeGreaterThan(6.7 * 2 ** 20);
    expect((await send(body)).body.response).toMatchObject({ allowed: false, status: { code: 422 } });
  });
  test('5: what is over the limit is refused, announced or not, compressed or not', async () => {
    await start();
    const over = Buffer.alloc((7 << 20) + 1, 0x20);
    const settled = (sending: Promise<Reply>): Promise<number> =>
      sending.then(
        ({ status }) => status,
        () => 0,
      );
    // A server that stops reading may break the connection under what is still being written.
    expect([0, 413]).toContain(await settled(send(over)));
    expect(await settled(send('', { headers: { 'content-length': String(1 << 30) }, write: (request) => request.flushHeaders() }))).toBe(
      413,
    );
    const chunked = send('', { headers: { 'transfer-encoding': 'chunked' }, write: (request) => void request.end(over) });
    expect([0, 413]).toContain(await settled(chunked));
    expect((await send(gzipSync(Buffer.alloc(50 << 20)), { headers: { 'content-encoding': 'gzip' } })).status).toBe(415);
    await untilCounted('meshwright_webhook_refused_requests_total{path="/validate",status="413"}');
    expect(await metrics()).not.toMatch(/decisions_total\{[^}]*verdict="allowed"/);
    expect((await send(review())).status).toBe(200);
  });
  test('5: many big bodies at once are held within bounds', async () => {
    await start({ limits: { ...patience, heldBytes: 1 << 20 } });
    const held = https.request(`${webhook.url}/validate`, {
      method: 'POST',
      ca: authority.ca,
      agent: false,
      headers: { 'content-type': 'application/json' },
    });
    const outcome = new Promise<string>((resolve) => {
      held.on('response', ({ statusCode, headers }) => resolve(`${statusCode}, ask again after ${headers['retry-after']}`));
      held.on('error', () => resolve('broken'));
    });
    held.write(Buffer.alloc(900_000, 0x20));
    await untilCounted('meshwright_webhook_in_flight 1');
    // What has been arriving for longest gives way to what comes at once, when there is enough of it.
    let ended = '';
    void outcome.then((how) => (ended = how));
    await until('it gives way', async () => {
      expect((await send(Buffer.alloc(500_000, 0x20))).status).toBe(400);
      return ended !== '';
    });
    expect(['broken', '503, ask again after 1']).toContain(ended);
    held.destroy();
    expect([413, 503, 'broken']).toContain(
      await send(Buffer.alloc(1_500_000, 0x20)).then(
        ({ status }) => status,
        () => 'broken',
      ),
    );
    await until('others are answered', async () => (await send(review()).catch(() => null))?.status === 200);
  });
});

const metrics = async (): Promise<string> => (await fetch(`${webhook.adminUrl}/metrics`)).text();
/** Who is answered hears of it before it is counted. */
const untilCounted = (...lines: readonly string[]): Promise<void> =>
  until(
    'all is counted',
    async () => {
      const text = await metrics();
      return lines.every((line) => text.includes(line));
    },
    metrics,
  );

test('8: an answer leaves before the time that the API server gives is over, whatever it waits for', async () => {
  await start();
  const never: Endpoint = {
    path: '/validate',
    decide: () => new Promise(() => undefined),
    failed: ({ uid }, why) => ({ body: { uid, allowed: false, why }, sent: () => undefined }),
  };
  const broken: Endpoint = { ...never, decide: () => Promise.reject(new Error('a bug')) };
  const asked = async (endpoint: Endpoint, query: string, deadlineMs: number): Promise<unknown> => {
    const app = createApp({
      endpoints: [endpoint],
      bodyBytes: 1_000_000,
      budget: bodyBudget(1_000_000),
      deadlineMs,
      clientNames: null,
      metrics: webhookMetrics(() => {
        throw new Error('not asked for');
      }),
      clock: systemClock,
      log: silentLog,
      closing: () => false,
    });
    const server = http.createServer(app);
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo; // a TCP server that listens has one
    const url = `http://127.0.0.1:${port}/validate${query}`;
    const answer = await (await fetch(url, { method: 'POST', body: review(), headers: { 'content-type': 'application/json' } })).json();
    await new Promise((resolve) => server.close(resolve));
    return answer;
  };
  const longest = 180_000;
  const early = Promise.race([asked(never, '?timeout=400ms', longest), sleep(120_000, 'nothing', { ref: false })]);
  expect(await early).toEqual({ uid: 'u-1', allowed: false, why: 'late' });
  expect(await asked(never, '', 300)).toEqual({ uid: 'u-1', allowed: false, why: 'late' });
  expect(await asked(broken, '', longest)).toEqual({ uid: 'u-1', allowed: false, why: 'internal' });
});

test('not ready before everything was listed, and every review refused until then', async () => {
  kube = kubeStub({ holding: true });
  webhook = await serveWebhook(config, { log: silentLog, kube });
  expect((await fetch(`${webhook.adminUrl}/readyz`)).status).toBe(503);
  expect((await fetch(`${webhook.adminUrl}/healthz`)).status).toBe(200);
  expect((await send(review())).body.response).toMatchObject({ allowed: false, status: { code: 503 } });
  for (const resource of [resources.releases, resources.admissionRules, resources.namespaces]) kube.set(resource, []);
  await untilReady(webhook);
  expect((await send(review())).body.response?.allowed).toBe(true);
  kube.away(true);
  const told = await fetch(`${webhook.adminUrl}/readyz`);
  expect([told.status, await told.text()]).toEqual([200, expect.stringContaining('[-] watch: ')]);
});

describe('TLS', () => {
  const handshake = (options: object): Promise<TLSSocket> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(webhook.url);
      const socket = connect({ host: hostname, port: Number(port), ca: authority.ca, ...options }, () => resolve(socket));
      socket.once('error', reject);
    });
  test('1.2 and above; a new certificate is served without a restart; a broken one leaves the old', async () => {
    await start();
    await expect(handshake({ maxVersion: 'TLSv1.1', minVersion: 'TLSv1' })).rejects.toThrow();
    const serial = async (): Promise<string> => {
      const socket = await handshake({});
      const { serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      return serialNumber;
    };
    const before = await serial();
    const next = await authority.serving();
    await fs.writeFile(join(dir, 'tls.crt'), next.cert);
    await until('it is told', async () => (await (await fetch(`${webhook.adminUrl}/readyz`)).text()).includes('[-] certificate'));
    expect(await serial()).toBe(before); // the key of the new certificate is not there yet
    await fs.writeFile(join(dir, 'tls.key'), next.key);
    await until('the new one is served', async () => (await serial()) !== before);
    expect(await metrics()).toMatch(/meshwright_webhook_certificate_expiry_timestamp_seconds 1\d{9}/);
  });
  test('a connection on which nobody ever asked does not hold up the end', async () => {
    await start();
    const socket = await handshake({});
    const ended = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    await webhook.close();
    await ended;
    await start();
  });
  test('nobody without a certificate of the API server is answered, where one is wanted', async () => {
    await fs.writeFile(join(dir, 'client-ca.crt'), authority.ca);
    await start({ clientCaFile: join(dir, 'client-ca.crt'), clientNames: ['kube-apiserver'] });
    expect((await send(review(), { client: await authority.client('kube-apiserver') })).status).toBe(200);
    expect((await send(review(), { client: await authority.client('somebody') })).status).toBe(403);
    await expect(send(review())).rejects.toThrow();
    await expect(send(review(), { client: await (await localAuthority('CN=other')).client('kube-apiserver') })).rejects.toThrow();
  });
});

test('29: told to end under load, it is not ready first, finishes what is under way, and fails nobody', async () => {
  let drained: () => void = () => undefined;
  const draining = new Promise<void>((resolve) => (drained = resolve));
  const drainMs = 12_345;
  const clock: Clock = { ...systemClock, sleep: (ms, options) => (ms === drainMs ? draining : systemClock.sleep(ms, options)) };
  webhook = await serveWebhook({ ...config, drainMs }, { log: silentLog, kube, clock });
  await untilReady(webhook);
  const agent = new https.Agent({ keepAlive: true, maxSockets: 8, ca: authority.ca });
  let stopping = false;
  let ended: Promise<void> | null = null;
  const statuses: number[] = [];
  const ask = async (): Promise<void> => {
    // A client of a Service goes elsewhere once the endpoint is gone: here, when readiness is.
    while (
      !stopping ||
      (await fetch(`${webhook.adminUrl}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      ))
    )
      statuses.push((await send(review(), { agent })).status);
  };
  const load = Array.from({ length: 8 }, ask);
  await until('it is busy', () => statuses.length > 50);
  stopping = true;
  ended = webhook.close();
  expect((await fetch(`${webhook.adminUrl}/readyz`)).status).toBe(503);
  expect((await send(review())).status).toBe(200);
  await Promise.all(load);
  // Nobody came for a while, and somebody does: the time for it is not over.
  await sleep(1_000);
  expect((await send(review())).status).toBe(200);
  drained();
  await ended;
  expect(new Set(statuses)).toEqual(new Set([200]));
  await expect(send(review())).rejects.toThrow();
  agent.destroy();
  await start();
});

describe('32: the trust root', () => {
  const refusal = async (text: string | null, mode = 0o644): Promise<string> => {
    const file = join(dir, 'trust.json');
    await fs.rm(file, { force: true });
    if (text !== null) await fs.writeFile(file, text);
    if (text !== null) await fs.chmod(file, mode);
    return serveWebhook(config, { log: silentLog, kube }).then(
      async (running) => {
        await running.close();
        return 'started';
      },
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
  };
  test('missing, empty, open to everybody, with a private key or an unknown member: it does not start, and says why in one line', async () => {
    const good = formatTrust(trust);
    const [key] = trust.environments['prod']?.keys ?? [];
    const wrong: readonly (readonly [string | null, string, number?])[] = [
      [null, 'there is no such file'],
      ['', 'it is empty'],
      ['{}', '`environments` is not an object'],
      ['{"environments":{}}', 'it has no environment `prod`'],
      ['{"environments":{"prod":{"keys":[],"generationFloor":0}}}', 'it trusts no key for `prod`'],
      [good, 'everybody may write it', 0o666],
      [JSON.stringify({ environments: { prod: { keys: [{ ...key, d: 'x' }], generationFloor: 0 } } }), 'is a private key'],
      [JSON.stringify({ ...trust, more: 1 }), 'unknown member `more`'],
      [JSON.stringify({ ...trust, enviroments: {} }), 'unknown member `enviroments`: did you mean `environments`?'],
      [JSON.stringify({ environments: { prod: { keys: [{ ...key, use: 'sig' }], generationFloor: 0 } } }), 'unknown member `use`'],
    ];
    for (const [text, why, mode] of wrong) {
      const line = await refusal(text, mode);
      expect(line).toContain(why);
      expect(line).toContain('trust.json');
      expect(line).not.toContain('\n');
    }
    expect(await refusal(good)).toBe('started');
    await start();
  });
  test('is read again when it changes; a broken one leaves the last good one, and is told', async () => {
    await start();
    await fs.writeFile(join(dir, 'trust.json'), 'broken');
    await until('it is told', async () => (await (await fetch(`${webhook.adminUrl}/readyz`)).text()).includes('[-] trust root: '));
    await untilCounted('meshwright_webhook_trust_root_good 0');
    expect((await fetch(`${webhook.adminUrl}/readyz`)).status).toBe(200);
    expect((await send(review())).status).toBe(200);
    await fs.writeFile(join(dir, 'trust.json'), formatTrust(trust));
    await untilCounted('meshwright_webhook_trust_root_good 1');
  });
});

test('a configuration that could let nobody, or anybody, in is refused', async () => {
  const wrong: readonly (readonly [Partial<WebhookConfig>, string])[] = [
    [{ deployers: [] }, '`deployers` names nobody'],
    [{ deployers: [{ kind: 'github', repository: 'a/b', branch: 'main' }] }, 'no `issuers`'],
    [{ issuers: [{ issuer: 'https://x.example' }] }, 'needs `jwksFile` or `jwksUrl`'],
    [{ issuers: [{ issuer: 'https://x.example', jwksUrl: 'http://x.example/keys' }] }, 'does not begin with `https://`'],
    [{ issuers: [{ issuer: 'https://x.example', jwksFile: join(dir, 'none.json') }] }, 'there is no such file'],
  ];
  for (const [over, why] of wrong) await expect(serveWebhook({ ...config, ...over }, { log: silentLog, kube })).rejects.toThrow(why);
  await start();
});

test('metrics count decisions by closed labels, and say whether failures deny', async () => {
  kube.set(resources.validatingWebhooks, [
    { metadata: { name: 'meshwright' }, webhooks: [{ clientConfig: { url: 'https://x.example/validate' }, failurePolicy: 'Fail' }] },
  ]);
  kube.set(resources.mutatingWebhooks, [
    { metadata: { name: 'meshwright' }, webhooks: [{ clientConfig: { service: { path: '/inject' } }, failurePolicy: 'Ignore' }] },
  ]);
  await start();
  await send(review());
  await send(unsigned());
  await untilCounted(
    'meshwright_webhook_decisions_total{path="/validate",rule="workload",verdict="allowed",dry_run="false"} 1',
    'meshwright_webhook_decisions_total{path="/validate",rule="object",verdict="denied",dry_run="false"} 1',
    'meshwright_webhook_review_seconds_count{path="/validate"} 2',
    'meshwright_webhook_body_bytes_count 2',
    'meshwright_webhook_rules_generation 0',
    'meshwright_webhook_rules_known 1',
    'meshwright_webhook_state_synced 1',
    'meshwright_webhook_fails_closed{path="/validate"} 1',
    'meshwright_webhook_fails_closed{path="/inject"} 0',
  );
});

test('a pod that asks for a sidecar gets it as a patch, and is not let in without it', async () => {
  kube.set(resources.namespaces, [{ metadata: { name: 'shop' } }]);
  await start({
    injection: {
      image: `mesh.example/meshwright:0.1.0@sha256:${'ab'.repeat(32)}`,
      imagePullPolicy: 'IfNotPresent',
      trustDomain: 'mesh.test',
      controlPlane: { host: 'control-plane.meshwright.svc', port: 15010 },
      ca: { host: 'ca.meshwright.svc', port: 15011 },
    },
  });
  const pod = (labels: Record<string, string>): object => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'shop', labels: { app: 'cart', ...labels } },
    spec: { serviceAccountName: 'cart', containers: [{ name: 'app', image: 'cart:1' }] },
  });
  const asking = review({ object: pod({ 'meshwright.dev/inject': 'true' }) });
  expect((await send(asking, { path: '/inject' })).body.response).toMatchObject({
    uid: 'u-1',
    allowed: true,
    patchType: 'JSONPatch',
    patch: expect.any(String),
  });
  expect((await send(review({ object: pod({}) }), { path: '/inject' })).body.response).toEqual({ uid: 'u-1', allowed: true });
  expect((await send(asking)).body.response).toMatchObject({
    allowed: false,
    status: { code: 422, message: expect.stringMatching(/^MW81\d\d: Pod\/shop\/p: /) },
  });
  expect((await send(review({ object: pod({}) }))).body.response).toMatchObject({ allowed: true });
  const elsewhere = review({ namespace: 'nowhere', object: pod({ 'meshwright.dev/inject': 'true' }) });
  expect((await send('x', { path: '/inject' })).status).toBe(400);
  expect((await send(elsewhere, { path: '/validate' })).body.response?.allowed).toBe(false);
  await untilCounted('meshwright_webhook_decisions_total{path="/inject",rule="injection",verdict="patched",dry_run="false"} 1');
});

test('who holds connections and asks nothing keeps nobody out', async () => {
  await start({ limits: { connections: 10 } });
  const agents = Array.from({ length: 11 }, () => new https.Agent({ keepAlive: true, maxSockets: 1 }));
  try {
    // Each has its answer, and keeps its connection.
    for (const agent of agents.slice(1)) expect((await send(review(), { agent })).status).toBe(200);
    for (let turn = 0; turn < 3; turn++) expect((await send(review())).body.response?.uid).toBe('u-1');
    const { headers } = await send('', { path: '/nothing', ...(agents[0] === undefined ? {} : { agent: agents[0] }) });
    expect(headers['connection']).toBe('close');
  } finally {
    for (const agent of agents) agent.destroy();
  }
});
