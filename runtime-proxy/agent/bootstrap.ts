/**
 * Envoy's bootstrap, in JSON: who it is, where its control plane and its certificates come from, and nothing of policy.
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/bootstrap/v3/bootstrap.proto
 */
import { isIP } from 'node:net';
import type { JsonObject } from '../../core/lib/json';
import type { Principal } from '../../core/mesh/ids';

export interface BootstrapInput {
  readonly instance: string;
  readonly workload: string;
  /** The host an IP address or a DNS name. */
  readonly controlPlane: { readonly host: string; readonly port: number };
  readonly controlPlanePrincipal: Principal;
  /** Unix sockets: the agent's SDS, and the admin interface that only this user reaches. */
  readonly secretsSocket: string;
  readonly adminSocket: string;
}

/** Names that the emitted configuration refers to. */
export const secretsCluster = 'agent';
export const controlPlaneCluster = 'control-plane';
export const workloadSecret = 'workload';
export const trustSecret = 'trust';

const any = (type: string, value: JsonObject): JsonObject => ({ '@type': `type.googleapis.com/${type}`, ...value });
const http2 = (options: JsonObject = {}): JsonObject => ({
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': any('envoy.extensions.upstreams.http.v3.HttpProtocolOptions', {
    explicitHttpConfig: { http2ProtocolOptions: options },
  }),
});
const hosts = (clusterName: string, address: JsonObject): JsonObject => ({
  clusterName,
  endpoints: [{ lbEndpoints: [{ endpoint: { address } }] }],
});
/** A lost control plane is found again quickly: the default waits up to 30 s. */
const patient = { retryBackOff: { baseInterval: '0.1s', maxInterval: '2s' } };
const grpc = (clusterName: string): JsonObject => ({ envoyGrpc: { clusterName, retryPolicy: patient } });

/** The SDS source that every TLS context of the mesh names. */
export const secretsSource: JsonObject = {
  apiConfigSource: { apiType: 'GRPC', transportApiVersion: 'V3', setNodeOnFirstMessageOnly: true, grpcServices: [grpc(secretsCluster)] },
  resourceApiVersion: 'V3',
};
const ads: JsonObject = { ads: {}, resourceApiVersion: 'V3' };

/** The bootstrap of one proxy. */
export function bootstrap(input: BootstrapInput): JsonObject {
  return {
    node: { id: input.instance, cluster: input.workload },
    admin: { address: { pipe: { path: input.adminSocket, mode: 0o600 } } },
    dynamicResources: {
      ldsConfig: ads,
      cdsConfig: ads,
      adsConfig: {
        apiType: 'DELTA_GRPC',
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
          name: controlPlaneCluster,
          type: isIP(input.controlPlane.host) === 0 ? 'STRICT_DNS' : 'STATIC',
          connectTimeout: '2s',
          // A control plane that is gone without a word is noticed within seconds.
          typedExtensionProtocolOptions: http2({ connectionKeepalive: { interval: '10s', timeout: '5s' } }),
          loadAssignment: hosts(controlPlaneCluster, {
            socketAddress: { address: input.controlPlane.host, portValue: input.controlPlane.port },
          }),
          transportSocket: {
            name: 'envoy.transport_sockets.tls',
            typedConfig: any('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', {
              commonTlsContext: {
                tlsParams: { tlsMinimumProtocolVersion: 'TLSv1_2' },
                alpnProtocols: ['h2'],
                tlsCertificateSdsSecretConfigs: [{ name: workloadSecret, sdsConfig: secretsSource }],
                combinedValidationContext: {
                  defaultValidationContext: {
                    matchTypedSubjectAltNames: [{ sanType: 'URI', matcher: { exact: input.controlPlanePrincipal } }],
                  },
                  validationContextSdsSecretConfig: { name: trustSecret, sdsConfig: secretsSource },
                },
              },
            }),
          },
        },
      ],
    },
  };
}
