/** Bound resources as one bootstrap that needs no control plane: for `envoy --mode validate`, and for tests with a real Envoy. Pure. */
import type { Json, JsonObject } from '../../core/lib/json';
import { isList, isRecord } from '../bind/addresses';
import type { BoundProxy, BoundResource } from '../bind/bind';

export interface StaticParts {
  readonly proxies: readonly BoundProxy[];
  /** Port of the admin listener on loopback; null for none. */
  readonly adminPort: number | null;
  /** envoy.extensions.transport_sockets.tls.v3.Secret by name. null: left to the agent, which validation never asks. */
  readonly secrets: readonly JsonObject[] | null;
  /** Cluster name -> its ClusterLoadAssignment. null: left to ADS. */
  readonly assignments: ReadonlyMap<string, JsonObject> | null;
}

/** envoy.config.bootstrap.v3.Bootstrap, in protobuf's JSON form. With several proxies, what would collide (listeners, application clusters) carries the proxy's number. */
export function staticBootstrap(parts: StaticParts): JsonObject {
  const listeners: JsonObject[] = [];
  const clusters = new Map<string, JsonObject>();
  parts.proxies.forEach((proxy, number) => {
    const own = parts.proxies.length > 1 ? ownNames(proxy, number) : (json: JsonObject): JsonObject => json;
    const routes = new Map(proxy.routes.map((route) => [route.name, route.json]));
    for (const listener of proxy.listeners) listeners.push(own(selfContained(listener, routes, parts.secrets !== null)));
    for (const cluster of proxy.clusters) {
      const json = own(withEndpoints(cluster, parts));
      clusters.set(String(json['name']), json);
    }
  });
  const needsAds = parts.assignments === null;
  return {
    node: { id: 'static', cluster: 'static' },
    ...(parts.adminPort === null ? {} : { admin: { address: loopback(parts.adminPort) } }),
    staticResources: {
      listeners,
      clusters: [
        ...clusters.values(),
        serverCluster('keys'),
        ...(needsAds ? [serverCluster('control-plane')] : []),
        ...(parts.secrets === null ? [serverCluster('agent')] : []),
      ],
      ...(parts.secrets === null ? {} : { secrets: parts.secrets }),
    },
    ...(needsAds
      ? {
          dynamicResources: {
            adsConfig: {
              apiType: 'DELTA_GRPC',
              transportApiVersion: 'V3',
              grpcServices: [{ envoyGrpc: { clusterName: 'control-plane' } }],
            },
          },
        }
      : {}),
  };
}

/** A listener with its route configurations inside, so that Envoy reads them too, and with secrets of the bootstrap where there are some. */
function selfContained(listener: BoundResource, routes: ReadonlyMap<string, JsonObject>, staticSecrets: boolean): JsonObject {
  const walk = (value: Json): Json => {
    if (isList(value)) return value.map(walk);
    if (!isRecord(value)) return value;
    const entries = Object.entries(value).flatMap(([key, inner]): [string, Json][] => {
      if (key === 'rds' && isRecord(inner)) {
        const config = routes.get(String(inner['routeConfigName']));
        if (!config)
          throw new Error(
            `internal: listener ${listener.name} names route configuration ${String(inner['routeConfigName'])}, which is not there`,
          );
        return [['routeConfig', config]];
      }
      if (key === 'sdsConfig' && staticSecrets) return [];
      return [[key, walk(inner)]];
    });
    return Object.fromEntries(entries);
  };
  return record(walk(listener.json));
}

function withEndpoints(cluster: BoundResource, parts: StaticParts): JsonObject {
  const json = parts.secrets === null ? cluster.json : selfContained(cluster, new Map(), true);
  if (parts.assignments === null || json['type'] !== 'EDS') return json;
  const { edsClusterConfig: _eds, ...rest } = json;
  return { ...rest, type: 'STATIC', loadAssignment: parts.assignments.get(cluster.name) ?? { clusterName: cluster.name } };
}

/** Names of one proxy's own things, made its own: `outbound` and `app/web` are in every proxy. */
function ownNames(proxy: BoundProxy, number: number): (json: JsonObject) => JsonObject {
  const own = new Set([
    ...proxy.listeners.map((listener) => listener.name),
    ...proxy.clusters.map((cluster) => cluster.name).filter((name) => name.startsWith('app/')),
  ]);
  const rename = (value: Json): Json => {
    if (isList(value)) return value.map(rename);
    if (!isRecord(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [
        key,
        typeof inner === 'string' && own.has(inner) && (key === 'name' || key === 'cluster' || key === 'clusterName')
          ? `${number}:${inner}`
          : rename(inner),
      ]),
    );
  };
  return (json) => record(rename(json));
}

function record(value: Json): JsonObject {
  if (!isRecord(value)) throw new Error('internal: a resource is an object');
  return value;
}
const loopback = (port: number): JsonObject => ({ socketAddress: { address: '127.0.0.1', portValue: port } });
const serverCluster = (name: string): JsonObject => ({
  name,
  type: 'STATIC',
  loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [{ endpoint: { address: loopback(1) } }] }] },
  typedExtensionProtocolOptions: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicitHttpConfig: { http2ProtocolOptions: {} },
    },
  },
});
