/** Encryption and identity: TLS 1.3 only, certificates by SDS from the agent, peers named exactly. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ListenerProtocol } from '../../../core/ir/ir';
import { ApiConfigSource_ApiType, ApiVersion } from '../../../core/wire/gen/envoy/config/core/v3/config_source_pb';
import type { TransportSocketSchema } from '../../../core/wire/gen/envoy/config/core/v3/base_pb';
import {
  type SubjectAltNameMatcherSchema,
  SubjectAltNameMatcher_SanType,
  TlsParameters_TlsProtocol,
} from '../../../core/wire/gen/envoy/extensions/transport_sockets/tls/v3/common_pb';
import type { SdsSecretConfigSchema } from '../../../core/wire/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb';
import {
  type CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '../../../core/wire/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb';
import { ProxyProtocolConfig_Version } from '../../../core/wire/gen/envoy/config/core/v3/proxy_protocol_pb';
import { ProxyProtocolUpstreamTransportSchema } from '../../../core/wire/gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb';
import { RawBufferSchema } from '../../../core/wire/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb';
import { ms, pack, seconds } from './any';
import { agentCluster, sdsAuthorities, sdsCertificate, sdsTrust, sdsWorkload } from './names';

type TransportSocket = MessageInitShape<typeof TransportSocketSchema>;
type CommonTls = MessageInitShape<typeof CommonTlsContextSchema>;
type SanMatcher = MessageInitShape<typeof SubjectAltNameMatcherSchema>;

/** The inbound side of a mesh connection: the peer must prove an identity of the mesh, one of `callers` unless that is null; what it may ask, the access rules judge. */
export function meshServer(alpn: readonly string[], callers: readonly string[] | null): TransportSocket {
  return {
    name: 'envoy.transport_sockets.tls',
    configType: {
      case: 'typedConfig',
      value: pack(DownstreamTlsContextSchema, {
        requireClientCertificate: true,
        sessionTicketKeysType: { case: 'disableStatelessSessionResumption', value: true },
        disableStatefulSessionResumption: true,
        commonTlsContext: meshTls(alpn, callers === null ? [] : (callers.length > 0 ? callers : ['meshwright:nobody']).map(exactly)),
      }),
    },
  };
}

/** The outbound side: the server must prove that it is `principal`, exactly. */
export function meshClient(principal: string, alpn: readonly string[], sni: string): TransportSocket {
  return {
    name: 'envoy.transport_sockets.tls',
    configType: {
      case: 'typedConfig',
      value: pack(UpstreamTlsContextSchema, { sni, maxSessionKeys: 0, commonTlsContext: meshTls(alpn, [exactly(principal)]) }),
    },
  };
}

/**
 * To a host outside the mesh: it must prove that it is the host, to authorities that its owner here trusts. No setting turns that off. `host` null: the
 * one that a request is for, which the cluster asks for and has verified (its `autoSni` and `autoSanValidation`).
 */
export function outsideClient(host: string | null, trust: string | null, alpn: readonly string[]): TransportSocket {
  return {
    name: 'envoy.transport_sockets.tls',
    configType: {
      case: 'typedConfig',
      value: pack(UpstreamTlsContextSchema, {
        ...(host === null ? {} : { sni: host }),
        maxSessionKeys: 0,
        commonTlsContext: {
          tlsParams: {
            tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_2,
            tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
          },
          validationContextType: {
            case: 'combinedValidationContext',
            value: {
              defaultValidationContext: {
                matchTypedSubjectAltNames:
                  host === null
                    ? []
                    : [{ sanType: SubjectAltNameMatcher_SanType.DNS, matcher: { matchPattern: { case: 'exact', value: host } } }],
              },
              validationContextSdsSecretConfig: secret(sdsAuthorities(trust)),
            },
          },
          alpnProtocols: [...alpn],
        },
      }),
    },
  };
}

/**
 * A gateway's door to the outside: its own certificate; of the client one of the authorities that the listener names, or none is asked. A session that is
 * resumed shows no certificate again, so there is none where certificates count.
 */
export function edgeServer({ certificate, clients, minTls }: Extract<ListenerProtocol, { kind: 'https' }>): TransportSocket {
  return {
    name: 'envoy.transport_sockets.tls',
    configType: {
      case: 'typedConfig',
      value: pack(DownstreamTlsContextSchema, {
        ...(clients
          ? {
              requireClientCertificate: clients.required,
              sessionTicketKeysType: { case: 'disableStatelessSessionResumption', value: true },
              disableStatefulSessionResumption: true,
            }
          : {}),
        commonTlsContext: {
          tlsParams: {
            tlsMinimumProtocolVersion: minTls === '1.3' ? TlsParameters_TlsProtocol.TLSv1_3 : TlsParameters_TlsProtocol.TLSv1_2,
            tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
          },
          tlsCertificateSdsSecretConfigs: [edgeSecret(sdsCertificate(certificate))],
          ...(clients
            ? { validationContextType: { case: 'validationContextSdsSecretConfig', value: edgeSecret(sdsAuthorities(clients.trust)) } }
            : {}),
          alpnProtocols: ['h2', 'http/1.1'],
        },
      }),
    },
  };
}

const exactly = (principal: string): SanMatcher => ({
  sanType: SubjectAltNameMatcher_SanType.URI,
  matcher: { matchPattern: { case: 'exact', value: principal } },
});

function meshTls(alpn: readonly string[], sans: readonly SanMatcher[]): CommonTls {
  return {
    tlsParams: {
      tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
      tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
    },
    tlsCertificateSdsSecretConfigs: [secret(sdsWorkload)],
    validationContextType: {
      case: 'combinedValidationContext',
      value: { defaultValidationContext: { matchTypedSubjectAltNames: [...sans] }, validationContextSdsSecretConfig: secret(sdsTrust) },
    },
    alpnProtocols: [...alpn],
  };
}

/** Waits: a listener without a certificate answers nobody. */
const secret = (name: string): Secret => secretWithin(name, 0);
/** Does not wait: an Envoy that starts opens no listener while one waits, and one certificate that is not there would close all. Until it is, connections are closed. */
const edgeSecret = (name: string): Secret => secretWithin(name, 2);
type Secret = MessageInitShape<typeof SdsSecretConfigSchema>;
const secretWithin = (name: string, waits: number): Secret => ({
  name,
  sdsConfig: {
    resourceApiVersion: ApiVersion.V3,
    initialFetchTimeout: seconds(waits),
    configSourceSpecifier: {
      case: 'apiConfigSource',
      value: {
        apiType: ApiConfigSource_ApiType.GRPC,
        transportApiVersion: ApiVersion.V3,
        grpcServices: [
          {
            targetSpecifier: {
              case: 'envoyGrpc',
              value: { clusterName: agentCluster, retryPolicy: { retryBackOff: { baseInterval: ms(100), maxInterval: seconds(2) } } },
            },
          },
        ],
      },
    },
  },
});

/** To an application that reads from where its proxy was dialled before anything else (HAProxy: "The PROXY protocol"). */
export const behindProxyHeader = (version: 'v1' | 'v2'): TransportSocket => ({
  name: 'envoy.transport_sockets.upstream_proxy_protocol',
  configType: {
    case: 'typedConfig',
    value: pack(ProxyProtocolUpstreamTransportSchema, {
      config: { version: version === 'v1' ? ProxyProtocolConfig_Version.V1 : ProxyProtocolConfig_Version.V2 },
      transportSocket: {
        name: 'envoy.transport_sockets.raw_buffer',
        configType: { case: 'typedConfig', value: pack(RawBufferSchema, {}) },
      },
    }),
  },
});
