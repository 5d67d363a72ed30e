/**
 * Envoy's bootstrap, in JSON: who it is, where its control plane and its certificates come from, and nothing of policy.
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/bootstrap/v3/bootstrap.proto
 */
import type { JsonObject } from '../../core/lib/json';
import { type EnvoyLimits, overloadManager, resets } from './limits';
import { nameResolver } from './names';

/** How Envoy asks for its configuration: changes only, or each type as a whole. */
export type XdsProtocol = 'delta' | 'state-of-the-world';
export const isXdsProtocol = (text: string): text is XdsProtocol => text === 'delta' || text === 'state-of-the-world';

export interface BootstrapInput {
  readonly instance: string;
  readonly workload: string;
  /** Unix sockets: the agent's way to the control plane, its SDS, and the admin interface that only this user reaches. */
  readonly controlPlaneSocket: string;
  readonly secretsSocket: string;
  readonly adminSocket: string;
  /** Where the agent has the keys of issuers. */
  readonly keysSocket: string;
  readonly xds: XdsProtocol;
  readonly limits: EnvoyLimits;
  /** So many the machine has. */
  readonly nameServers: number;
}

/** The emitted configuration gets its certificates from the cluster of this name. */
const secretsCluster = 'agent';
/** And keys of issuers from this one. */
const keysCluster = 'keys';
const controlPlaneCluster = 'control-plane';

const any = (type: string, value: JsonObject): JsonObject => ({ '@type': `type.googleapis.com/${type}`, ...value });
const http2 = (): JsonObject => ({
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': any('envoy.extensions.upstreams.http.v3.HttpProtocolOptions', {
    explicitHttpConfig: { http2ProtocolOptions: {} },
  }),
});
const hosts = (clusterName: string, address: JsonObject): JsonObject => ({
  clusterName,
  endpoints: [{ lbEndpoints: [{ endpoint: { address } }] }],
});
/** A lost control plane is found again quickly: the default waits up to 30 s. */
const patient = { retryBackOff: { baseInterval: '0.1s', maxInterval: '2s' } };
const grpc = (clusterName: string): JsonObject => ({ envoyGrpc: { clusterName, retryPolicy: patient } });

const ads: JsonObject = { ads: {}, resourceApiVersion: 'V3' };

/** The bootstrap of one proxy. */
export function bootstrap(input: BootstrapInput): JsonObject {
  return {
    node: { id: input.instance, cluster: input.workload },
    admin: { address: { pipe: { path: input.adminSocket, mode: 0o600 } } },
    overloadManager: overloadManager(input.limits),
    typedDnsResolverConfig: nameResolver(input.nameServers),
    // the agent changes it where a gateway's listener comes up
    layeredRuntime: {
      layers: [
        { name: 'inside', staticLayer: resets.inside },
        { name: 'agent', adminLayer: {} },
      ],
    },
    dynamicResources: {
      ldsConfig: ads,
      cdsConfig: ads,
      adsConfig: {
        apiType: input.xds === 'delta' ? 'DELTA_GRPC' : 'GRPC',
        transportApiVersion: 'V3',
        setNodeOnFirstMessageOnly: true,
        grpcServices: [grpc(controlPlaneCluster)],
      },
    },
    staticResources: {
      clusters: [
        {
          name: secretsCluster,
          type: 'STATIC',
          connectTimeout: '1s',
          typedExtensionProtocolOptions: http2(),
          loadAssignment: hosts(secretsCluster, { pipe: { path: input.secretsSocket } }),
        },
        {
          name: keysCluster,
          type: 'STATIC',
          connectTimeout: '1s',
          loadAssignment: hosts(keysCluster, { pipe: { path: input.keysSocket } }),
        },
        {
          name: controlPlaneCluster,
          type: 'STATIC',
          connectTimeout: '1s',
          typedExtensionProtocolOptions: http2(),
          loadAssignment: hosts(controlPlaneCluster, { pipe: { path: input.controlPlaneSocket } }),
        },
      ],
    },
  };
}
