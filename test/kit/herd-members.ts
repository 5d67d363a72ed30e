/**
 * Many proxies in one process, for as many as a machine holds: `node herd-members.js <file>`. `envoy`: each an agent with a real Envoy. `stream`: each the agent's own
 * way to the control plane, and in place of Envoy a client that takes all it is given and says so, as the agent would. Prints `ready` once all have certificates,
 * and joins when a line comes.
 */
import * as fs from 'node:fs/promises';
import { create, fromBinary, toJson, type JsonValue } from '@bufbuild/protobuf';
import { anyUnpack, type Any } from '@bufbuild/protobuf/wkt';
import { Metadata, type Client } from '@grpc/grpc-js';
import { ClusterLoadAssignmentSchema } from '../../core/wire/gen/envoy/config/endpoint/v3/endpoint_pb';
import { ListenerSchema } from '../../core/wire/gen/envoy/config/listener/v3/listener_pb';
import { AggregatedDiscoveryService } from '../../core/wire/gen/envoy/service/discovery/v3/ads_pb';
import {
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
} from '../../core/wire/gen/envoy/service/discovery/v3/discovery_pb';
import { wireRegistry } from '../../core/wire/registry';
import { typeUrl } from '../../core/wire/type-url';
import { systemClock } from '../../platform/clock';
import { silentLog } from '../../platform/log';
import { runAgent, type AgentConfig } from '../../runtime-proxy/agent/main';
import { noActivity, vouchedHeader, type AgentReport } from '../../runtime-proxy/agent/protocol';
import { report } from '../../runtime-proxy/agent/reporter';
import { holdIdentity } from '../../runtime-proxy/ca/client';
import { controlPlanePrincipal } from '../../runtime-proxy/ca/spiffe';
import { protobufMethod } from '../../runtime-proxy/rpc/protobuf-method';

/** What the file holds: agents' configurations, and which of them have a real Envoy. */
export interface HerdMembers {
  readonly kind: 'envoy' | 'stream';
  readonly agents: readonly AgentConfig[];
}

/** Names of the routes that a listener asks for; listeners of one version are the same. */
const routesByListener = new Map<string, readonly string[]>();
function routesOf(listener: Any, version: string): readonly string[] {
  const known = routesByListener.get(version);
  if (known) return known;
  const found = new Set<string>();
  const look = (value: JsonValue | undefined): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, one] of Object.entries(value)) {
      if (key === 'routeConfigName' && typeof one === 'string') found.add(one);
      else look(one);
    }
  };
  const message = anyUnpack(listener, ListenerSchema);
  look(message && toJson(ListenerSchema, message, { registry: wireRegistry }));
  const names = [...found];
  routesByListener.set(version, names);
  return names;
}
const hostsIn = (assignment: Any): number =>
  fromBinary(ClusterLoadAssignmentSchema, assignment.value).endpoints.reduce((sum, { lbEndpoints }) => sum + lbEndpoints.length, 0);

type OwnType = 'clusters' | 'endpoints' | 'listeners' | 'routes';
const types: { readonly [url: string]: OwnType } = {
  [typeUrl.cluster]: 'clusters',
  [typeUrl.endpoints]: 'endpoints',
  [typeUrl.listener]: 'listeners',
  [typeUrl.route]: 'routes',
};

/** In the place of Envoy: what it was given it has, across connections. */
class Taker {
  readonly #has = {
    clusters: new Map<string, string>(),
    endpoints: new Map<string, string>(),
    listeners: new Map<string, string>(),
    routes: new Map<string, string>(),
  };
  readonly #hosts = new Map<string, number>();
  readonly #routesOf = new Map<string, readonly string[]>();

  /** Asks for everything by this connection, and says what it has. */
  join(client: Client): void {
    const { path, requestSerialize, responseDeserialize } = protobufMethod(AggregatedDiscoveryService.method.deltaAggregatedResources);
    const metadata = new Metadata();
    metadata.set(vouchedHeader, '1');
    const stream = client.makeBidiStreamRequest<DeltaDiscoveryRequest, DeltaDiscoveryResponse>(
      path,
      requestSerialize,
      responseDeserialize,
      metadata,
    );
    const opened = new Set<string>();
    const ask = (url: string, more: { responseNonce?: string; resourceNamesSubscribe?: string[] } = {}): void => {
      const type = types[url];
      const initialResourceVersions = type === undefined || opened.has(url) ? {} : Object.fromEntries(this.#has[type]);
      opened.add(url);
      stream.write(create(DeltaDiscoveryRequestSchema, { typeUrl: url, initialResourceVersions, ...more }));
    };
    const subscribed = new Set<string>();
    /** As Envoy does: endpoints of each cluster, routes of each listener. */
    const follow = (url: string, names: Iterable<string>): void => {
      const fresh = [...names].filter((name) => !subscribed.has(`${url} ${name}`));
      for (const name of fresh) subscribed.add(`${url} ${name}`);
      if (fresh.length > 0) ask(url, { resourceNamesSubscribe: fresh });
    };
    stream.on('error', () => undefined);
    stream.on('data', (response: DeltaDiscoveryResponse) => {
      this.#take(response);
      ask(response.typeUrl, { responseNonce: response.nonce });
      if (response.typeUrl === typeUrl.cluster) follow(typeUrl.endpoints, this.#has.clusters.keys());
      if (response.typeUrl === typeUrl.listener) follow(typeUrl.route, [...this.#routesOf.values()].flat());
    });
    ask(typeUrl.cluster);
    ask(typeUrl.listener);
    follow(typeUrl.endpoints, this.#has.clusters.keys());
    follow(typeUrl.route, [...this.#routesOf.values()].flat());
  }
  #take({ typeUrl: url, resources, removedResources }: DeltaDiscoveryResponse): void {
    const type = types[url];
    if (type === undefined) return;
    for (const { name, version, resource } of resources) {
      this.#has[type].set(name, version);
      if (type === 'endpoints' && resource) this.#hosts.set(name, hostsIn(resource));
      if (type === 'listeners' && resource) this.#routesOf.set(name, routesOf(resource, version));
    }
    for (const name of removedResources) {
      this.#has[type].delete(name);
      if (type === 'listeners') this.#routesOf.delete(name);
    }
  }
  activity(): AgentReport['activity'] {
    const { clusters, listeners, routes } = this.#has;
    const hosts = Object.fromEntries([...clusters.keys()].map((name) => [name, this.#hosts.get(name) ?? 0]));
    return {
      ...noActivity,
      clusters: Object.fromEntries(clusters),
      listeners: Object.fromEntries(listeners),
      routes: Object.fromEntries(routes),
      hosts,
    };
  }
}

/** Enrols; answers how to join. */
async function enrolled(config: AgentConfig): Promise<() => void> {
  const token = (await fs.readFile(config.joinTokenFile ?? '', 'utf8')).trim();
  const { trustDomain, ca } = config;
  const holder = await holdIdentity(
    { trustDomain, address: ca.address, trust: await fs.readFile(ca.trustFile, 'utf8'), token: () => Promise.resolve(token) },
    { clock: systemClock, log: silentLog },
  );
  const taker = new Taker();
  const about = { envoyVersion: '1.40.0', live: true, draining: false, starts: 1, secrets: [] };
  return () =>
    void report(
      {
        ...{ controlPlane: config.controlPlane, server: controlPlanePrincipal(trustDomain), holder },
        look: () => Promise.resolve({ ...about, notAfter: holder.current().notAfter, activity: taker.activity() }),
        onConnection: (client) => void (client && taker.join(client)),
        onKeys: () => undefined,
      },
      { clock: systemClock, log: silentLog },
    );
}

async function main(file: string): Promise<void> {
  const { kind, agents }: HerdMembers = JSON.parse(await fs.readFile(file, 'utf8'));
  const joins: (() => unknown)[] = kind === 'envoy' ? agents.map((config) => () => runAgent(config, { log: silentLog })) : [];
  if (kind === 'stream') for (const config of agents) joins.push(await enrolled(config));
  process.stdin.once('data', () => joins.forEach((join) => join()));
  process.stdout.write('ready\n');
}
if (require.main === module) void main(process.argv[2] ?? '');
