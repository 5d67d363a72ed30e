/**
 * A caller and the endpoints of one port, with real Envoys and applications that a test holds in its hands: the callers' sides in one Envoy, the
 * endpoints' in another, and before each endpoint a relay that can be shut, which is what a dead endpoint looks like. The clusters' endpoints are
 * what the control plane would send (runtime-proxy/bind).
 */
import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { emitEnvoy } from '../../compiler/emit/envoy';
import type { MeshIr, Need, RouteAction } from '../../core/ir/ir';
import type { Resilience } from '../../core/ir/resilience';
import { freePorts } from '../../platform/ports';
import { bindInbound, bindOutbound, type BoundProxy } from '../../runtime-proxy/bind/bind';
import { loadAssignment } from '../../runtime-proxy/bind/endpoints';
import type { Instance, Inventory } from '../../runtime-proxy/inventory';
import { staticBootstrap } from '../../runtime-proxy/validate/static-bootstrap';
import { certificateSecret, testAuthority, trustSecret } from './certificates';
import { startEnvoy, type RunningEnvoy } from './envoy';
import { present } from './present';
import { page, pagePrincipal, reviews, reviewsPrincipal, reviewsWeb, smallMesh } from './small-mesh';

type Forward = Extract<RouteAction, { kind: 'forward' }>;
export interface Setting {
  /** `grpc`: applications speak HTTP/2 and the gRPC health protocol. */
  readonly protocol?: 'http' | 'grpc';
  readonly resilience?: Partial<Resilience>;
  readonly action?: Partial<Omit<Forward, 'kind' | 'to'>>;
  readonly need?: Pick<Need, 'timeoutMs' | 'idleMs' | 'retry' | 'connections'>;
  /** Id -> where it is; one if not said. */
  readonly endpoints?: { readonly [id: string]: Where };
  readonly callers?: { readonly [id: string]: Where };
}
export type Where = Pick<Instance, 'region' | 'zone' | 'subZone' | 'weight' | 'priority' | 'health'>;
export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: http.IncomingHttpHeaders;
}
export interface Endpoint {
  /** Requests that came to its application, health checks too. */
  readonly seen: { readonly method: string; readonly path: string; readonly headers: http.IncomingHttpHeaders }[];
  /** What it does with a request; at first it says its id. */
  answers: http.RequestListener;
  /** What it says of itself by gRPC. */
  isServing: boolean;
  /** Shut, nobody can connect to it and whoever was is cut off. */
  shut(): Promise<void>;
  open(): Promise<void>;
}
export interface ResilienceMesh {
  readonly ir: MeshIr;
  readonly inventory: Inventory;
  readonly client: RunningEnvoy;
  /** In front of all endpoints. */
  readonly server: RunningEnvoy;
  endpoint(id: string): Endpoint;
  call(
    path: string,
    options?: { readonly method?: string; readonly headers?: http.OutgoingHttpHeaders; readonly from?: string },
  ): Promise<Answer>;
  /** A counter or gauge of the caller's proxy for the port's cluster, `upstream_rq_retry`. */
  stat(name: string, caller?: string): Promise<number>;
  /** The flags of the caller's access log, in order. */
  flags(): readonly string[];
  until(what: string, holds: () => Promise<boolean> | boolean): Promise<void>;
  stop(): Promise<void>;
}

export const says: (id: string) => http.RequestListener = (id) => (_request, response) => void response.end(id);
export const fails: (status: number) => http.RequestListener = (status) => (_request, response) => void response.writeHead(status).end();

/** The mesh of a setting as IR. */
export function resilienceIr({ protocol = 'http', resilience, action, need }: Setting): MeshIr {
  const base = smallMesh();
  return {
    ...base,
    services: base.services.map((service) => ({
      ...service,
      ports: service.ports.map((port) => ({
        ...port,
        protocol,
        layer: protocol,
        resilience: { ...port.resilience, ...resilience },
      })),
    })),
    routes: base.routes.map((table) => ({
      ...table,
      rules: table.rules.map((rule) => (rule.action.kind === 'forward' ? { ...rule, action: { ...rule.action, ...action } } : rule)),
    })),
    needs: need ? [{ id: present(base.access[0]).id, caller: page, targets: [reviewsWeb], ...need }] : [],
  };
}

export async function resilienceMesh(setting: Setting = {}): Promise<ResilienceMesh> {
  const ir = resilienceIr(setting);
  const emitted = emitEnvoy(ir);
  if (!emitted.value) throw new Error(emitted.diagnostics.map((d) => d.message).join('\n'));
  const { services, proxies } = emitted.value;
  const ids = Object.entries(setting.endpoints ?? { a: {} });
  const callers = Object.entries(setting.callers ?? { page: {} });
  const free = [...(await freePorts(ids.length * 3 + callers.length + 2))];
  const take = (): { readonly host: string; readonly port: number } => ({ host: '127.0.0.1', port: present(free.pop()) });
  const authority = await testAuthority(ir.trustDomain);
  const endpoints = new Map<string, Endpoint & { end(): Promise<void> }>();
  const called: Instance[] = [];
  const server: { readonly proxies: BoundProxy[]; readonly secrets: ReturnType<typeof trustSecret>[] } = { proxies: [], secrets: [] };
  const proxyOf = (workload: string) => present(proxies.find((proxy) => proxy.spec.workload === workload));
  for (const [id, where] of ids) {
    const [app, inbound, front] = [take(), take(), take()];
    const made = await endpointOf(id, setting.protocol ?? 'http', app.port, front.port, inbound.port);
    endpoints.set(id, made);
    const instance: Instance = { id, workload: reviews, ...where, app: { web: app }, inbound: { web: inbound } };
    server.proxies.push(bindInbound(proxyOf(reviews), instance, []));
    called.push({ ...instance, inbound: { web: front } });
  }
  server.secrets.push(trustSecret(authority.trust), certificateSecret('workload', await authority.svid(reviewsPrincipal, reviews)));
  const calling = callers.map(([id, where]): Instance => ({ id, workload: page, ...where, app: {}, inbound: {}, outbound: take() }));
  const inventory: Inventory = { instances: [...called, ...calling] };
  const [clientAdmin, serverAdmin] = [take().port, take().port];
  const outbound = calling.map((caller) => ({ caller, bound: bindOutbound(proxyOf(page), calledBy(services, proxyOf(page)), caller, []) }));
  const named = outbound.map(({ caller, bound }) => ownClusters(bound, caller.id));
  const assignments = new Map(
    outbound.flatMap(({ caller, bound }) =>
      bound.endpoints.map((selector) => [
        `${caller.id}:${selector.cluster}`,
        { ...loadAssignment(selector, inventory, () => true, caller), clusterName: `${caller.id}:${selector.cluster}` },
      ]),
    ),
  );
  const secrets = [trustSecret(authority.trust), certificateSecret('workload', await authority.svid(pagePrincipal, page))];
  const started = await Promise.allSettled([
    startEnvoy(
      staticBootstrap({ proxies: server.proxies, adminPort: serverAdmin, secrets: server.secrets, assignments: new Map() }),
      serverAdmin,
    ),
    startEnvoy(staticBootstrap({ proxies: named, adminPort: clientAdmin, secrets, assignments }), clientAdmin),
  ]);
  const envoys = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const stop = async (): Promise<void> => {
    await Promise.all(envoys.map((envoy) => envoy.stop()));
    await Promise.all([...endpoints.values()].map((endpoint) => endpoint.end()));
  };
  const failed = started.find((one) => one.status === 'rejected');
  if (failed?.status === 'rejected') {
    await stop();
    throw failed.reason;
  }
  const client = present(envoys[1]);
  const [first] = callers;
  return {
    ir,
    inventory,
    client,
    server: present(envoys[0]),
    endpoint: (id) => present(endpoints.get(id)),
    call: (path, { method = 'GET', headers = {}, from = present(first)[0] } = {}) =>
      ask(present(calling.find((one) => one.id === from)?.outbound).port, path, method, headers),
    stat: async (name, caller = present(first)[0]) => {
      const text = await client.admin(`/stats?filter=${encodeURIComponent(name)}`);
      const lines = text.split('\n').filter((line) => line.startsWith(`cluster.${caller}_`) || line.startsWith(`cluster.${caller}:`));
      return lines.filter((line) => new RegExp(`\\.${name}: `).test(line)).reduce((sum, line) => sum + Number(line.split(': ')[1]), 0);
    },
    flags: () => client.accessLog().map((line) => String(line['flags'] ?? '')),
    until: async (what, holds) => {
      for (const end = performance.now() + 60_000; performance.now() < end; await sleep(10)) if (await holds()) return;
      throw new Error(`not so after 60 s: ${what}`);
    },
    stop,
  };
}

const calledBy = (
  services: Parameters<typeof bindOutbound>[1],
  proxy: Parameters<typeof bindOutbound>[0],
): Parameters<typeof bindOutbound>[1] =>
  services.filter(({ metadata }) => proxy.spec.outbound.services.includes(`${metadata.namespace}/${metadata.name}`));

/** Several callers in one Envoy: each has its own clusters, since each has its own endpoints. */
function ownClusters(bound: BoundProxy, id: string): BoundProxy {
  const names = bound.clusters.map(({ name }) => name);
  const rename = <T>(value: T): T => {
    let text = JSON.stringify(value);
    for (const name of [...names].sort((a, b) => b.length - a.length))
      text = text
        .replaceAll(`"cluster":"${name}"`, `"cluster":"${id}:${name}"`)
        .replaceAll(`"name":"${name}","weight"`, `"name":"${id}:${name}","weight"`);
    return JSON.parse(text);
  };
  return {
    ...bound,
    routes: bound.routes.map((route) => ({
      ...route,
      name: `${id}:${route.name}`,
      json: { ...rename(route.json), name: `${id}:${route.name}` },
    })),
    listeners: bound.listeners.map((listener) => ({
      ...listener,
      name: `${id}:${listener.name}`,
      json: {
        ...JSON.parse(JSON.stringify(listener.json).replaceAll('"routeConfigName":"outbound"', `"routeConfigName":"${id}:outbound"`)),
        name: `${id}:${listener.name}`,
      },
    })),
    clusters: bound.clusters.map((cluster) => ({
      ...cluster,
      name: `${id}:${cluster.name}`,
      json: { ...cluster.json, name: `${id}:${cluster.name}` },
    })),
  };
}

/** An application, and what a test may do to it. */
function application(
  protocol: 'http' | 'grpc',
  id: string,
  seen: Endpoint['seen'],
  endpoint: () => Endpoint,
): http.Server | http2.Http2Server {
  if (protocol === 'http') {
    const app = http.createServer((request, response) => {
      seen.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers });
      endpoint().answers(request, response);
    });
    app.keepAliveTimeout = 60_000;
    return app;
  }
  return http2.createServer((request, response) => {
    seen.push({ method: request.method, path: request.url, headers: request.headers });
    // one method is never answered, whatever deadline its caller has
    if (request.url === '/t.v1.Silent/Wait') return;
    if (request.url !== '/grpc.health.v1.Health/Check') return void response.end(id);
    // grpc.health.v1.HealthCheckResponse with `status`: 1 is SERVING, 2 is NOT_SERVING
    response.writeHead(200, { 'content-type': 'application/grpc' });
    response.addTrailers({ 'grpc-status': '0' });
    response.end(Buffer.from([0, 0, 0, 0, 2, 8, endpoint().isServing ? 1 : 2]));
  });
}

async function endpointOf(
  id: string,
  protocol: 'http' | 'grpc',
  appPort: number,
  frontPort: number,
  inboundPort: number,
): Promise<Endpoint & { end(): Promise<void> }> {
  const seen: Endpoint['seen'] = [];
  const app = application(protocol, id, seen, () => endpoint);
  const held = new Set<net.Socket>();
  app.on('connection', (socket: net.Socket) => void held.add(socket.on('close', () => held.delete(socket))));
  await new Promise<void>((resolve, reject) => app.once('error', reject).listen(appPort, '127.0.0.1', resolve));
  let relay: net.Server | null = null;
  const sockets = new Set<net.Socket>();
  const open = (): Promise<void> =>
    new Promise((resolve) => {
      relay = net.createServer((near) => {
        const far = net.connect(inboundPort, '127.0.0.1');
        for (const socket of [near, far]) {
          sockets.add(socket);
          socket
            .on('error', () => undefined)
            .on('close', () => {
              sockets.delete(socket);
              near.destroy();
              far.destroy();
            });
        }
        near.pipe(far).pipe(near);
      });
      relay.listen(frontPort, '127.0.0.1', resolve);
    });
  const shut = async (): Promise<void> => {
    const closing = relay;
    relay = null;
    for (const socket of sockets) socket.destroy();
    if (closing) await new Promise((resolve) => closing.close(resolve));
  };
  const endpoint: Endpoint & { end(): Promise<void> } = {
    seen,
    answers: says(id),
    isServing: true,
    open,
    shut,
    async end() {
      await shut();
      for (const socket of held) socket.destroy();
      await new Promise((resolve) => app.close(resolve));
    },
  };
  await open();
  return endpoint;
}

function ask(port: number, path: string, method: string, headers: http.OutgoingHttpHeaders): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, method, agent: false, headers: { host: 'reviews.shop:9080', ...headers } };
    const call = http.request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString(), headers: response.headers }),
      );
    });
    call.on('error', reject);
    call.end();
  });
}
