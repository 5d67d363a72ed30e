/** A minimal delta ADS server for tests that swap configurations under one running Envoy. It knows nothing of releases, identities or order across proxies. */
import { create, type DescMessage, fromBinary, fromJson, type JsonObject as ProtoJson, toBinary } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { digestOfJson } from '../../core/lib/digest';
import type { JsonObject } from '../../core/lib/json';
import { ClusterSchema } from '../../core/wire/gen/envoy/config/cluster/v3/cluster_pb';
import { ClusterLoadAssignmentSchema } from '../../core/wire/gen/envoy/config/endpoint/v3/endpoint_pb';
import { ListenerSchema } from '../../core/wire/gen/envoy/config/listener/v3/listener_pb';
import { RouteConfigurationSchema } from '../../core/wire/gen/envoy/config/route/v3/route_pb';
import { SecretSchema } from '../../core/wire/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb';
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
} from '../../core/wire/gen/envoy/service/discovery/v3/discovery_pb';
import { wireRegistry } from '../../core/wire/registry';
import { typeUrl } from '../../core/wire/type-url';

/** Resources by name, in protobuf's JSON form. */
export interface Snapshot {
  readonly listeners: ReadonlyMap<string, JsonObject>;
  readonly routes: ReadonlyMap<string, JsonObject>;
  readonly clusters: ReadonlyMap<string, JsonObject>;
  readonly endpoints: ReadonlyMap<string, JsonObject>;
  readonly secrets: ReadonlyMap<string, JsonObject>;
}
type Kind = keyof Snapshot;
/** Made before broken: destinations, then what leads to them. */
const order: readonly Kind[] = ['secrets', 'clusters', 'endpoints', 'listeners', 'routes'];
const schemas: { readonly [kind in Kind]: { readonly schema: DescMessage; readonly url: string } } = {
  listeners: { schema: ListenerSchema, url: typeUrl.listener },
  routes: { schema: RouteConfigurationSchema, url: typeUrl.route },
  clusters: { schema: ClusterSchema, url: typeUrl.cluster },
  endpoints: { schema: ClusterLoadAssignmentSchema, url: typeUrl.endpoints },
  secrets: { schema: SecretSchema, url: typeUrl.secret },
};
const wildcards: ReadonlySet<Kind> = new Set(['listeners', 'clusters']);

export interface AdsServer {
  readonly port: number;
  /** Puts a snapshot in force for every Envoy of that node id, now and when it connects. */
  set(nodeId: string, snapshot: Snapshot): void;
  /** What Envoy refused, in its own words. */
  readonly refusals: readonly string[];
  close(): void;
}

type Stream = ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

export async function startAdsServer(): Promise<AdsServer> {
  const snapshots = new Map<string, Snapshot>();
  const refusals: string[] = [];
  const sessions = new Set<Session>();
  const server = new Server();
  const handler = (stream: Stream): void => {
    const session = new Session(stream, (nodeId) => snapshots.get(nodeId), refusals);
    sessions.add(session);
    stream.on('error', () => sessions.delete(session));
    stream.on('end', () => {
      sessions.delete(session);
      stream.end();
    });
  };
  server.addService(
    {
      DeltaAggregatedResources: {
        path: '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources',
        requestStream: true,
        responseStream: true,
        requestSerialize: (message: DeltaDiscoveryRequest) => Buffer.from(toBinary(DeltaDiscoveryRequestSchema, message)),
        requestDeserialize: (bytes: Buffer) => fromBinary(DeltaDiscoveryRequestSchema, bytes),
        responseSerialize: (message: DeltaDiscoveryResponse) => Buffer.from(toBinary(DeltaDiscoveryResponseSchema, message)),
        responseDeserialize: (bytes: Buffer) => fromBinary(DeltaDiscoveryResponseSchema, bytes),
      },
    },
    { DeltaAggregatedResources: handler },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  return {
    port,
    refusals,
    set: (nodeId, snapshot) => {
      snapshots.set(nodeId, snapshot);
      for (const session of sessions) session.update(nodeId);
    },
    close: () => server.forceShutdown(),
  };
}

class Session {
  private nodeId = '';
  private nonce = 0;
  private readonly wanted = new Map<Kind, Set<string>>();
  /** Name -> version, as the Envoy has it. */
  private readonly sent = new Map<Kind, Map<string, string>>();

  constructor(
    private readonly stream: Stream,
    private readonly snapshotOf: (nodeId: string) => Snapshot | undefined,
    private readonly refusals: string[],
  ) {
    stream.on('data', (request: DeltaDiscoveryRequest) => this.take(request));
  }

  private take(request: DeltaDiscoveryRequest): void {
    if (request.node) this.nodeId = request.node.id;
    const kind = order.find((candidate) => schemas[candidate].url === request.typeUrl);
    if (!kind) return;
    if (request.errorDetail) this.refusals.push(`${kind}: ${request.errorDetail.message}`);
    const wanted = this.wanted.get(kind) ?? new Set();
    const isFirst = !this.wanted.has(kind);
    this.wanted.set(kind, wanted);
    for (const name of request.resourceNamesSubscribe) wanted.add(name);
    for (const name of request.resourceNamesUnsubscribe) {
      wanted.delete(name);
      this.sent.get(kind)?.delete(name);
    }
    if (isFirst || request.resourceNamesSubscribe.length > 0) this.push(kind, request.resourceNamesSubscribe);
  }

  update(nodeId: string): void {
    if (nodeId !== this.nodeId) return;
    for (const kind of order) if (this.wanted.has(kind)) this.push(kind, []);
  }

  private push(kind: Kind, asked: readonly string[]): void {
    const all = this.snapshotOf(this.nodeId)?.[kind] ?? new Map<string, JsonObject>();
    const sent = this.sent.get(kind) ?? new Map<string, string>();
    this.sent.set(kind, sent);
    const wanted = this.wanted.get(kind) ?? new Set<string>();
    const names = wildcards.has(kind) ? [...all.keys()] : [...wanted].filter((name) => all.has(name));
    const { schema, url } = schemas[kind];
    const resources = names.flatMap((name) => {
      const json = all.get(name) ?? {};
      const version = digestOfJson(json);
      if (sent.get(name) === version && !asked.includes(name)) return [];
      sent.set(name, version);
      // the cast drops readonly only
      return [{ name, version, resource: anyPack(schema, fromJson(schema, json as ProtoJson, { registry: wireRegistry })) }];
    });
    const removedResources = [...sent.keys()].filter((name) => !all.has(name));
    for (const name of removedResources) sent.delete(name);
    if (resources.length === 0 && removedResources.length === 0 && asked.length === 0 && !wildcards.has(kind)) return;
    this.nonce += 1;
    this.stream.write(create(DeltaDiscoveryResponseSchema, { typeUrl: url, nonce: String(this.nonce), resources, removedResources }));
  }
}
