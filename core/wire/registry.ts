import { createRegistry, type Registry } from '@bufbuild/protobuf';
import { StringValueSchema } from '@bufbuild/protobuf/wkt';
import { ExpressionFilterSchema } from './gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb';
import { StdoutAccessLogSchema } from './gen/envoy/extensions/access_loggers/stream/v3/stream_pb';
import { ClusterConfigSchema } from './gen/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb';
import { CorsPolicySchema, CorsSchema } from './gen/envoy/extensions/filters/http/cors/v3/cors_pb';
import { HTTPFaultSchema } from './gen/envoy/extensions/filters/http/fault/v3/fault_pb';
import { HeaderMutationSchema } from './gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb';
import { JwtAuthenticationSchema, PerRouteConfigSchema } from './gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb';
import { RBACPerRouteSchema, RBACSchema } from './gen/envoy/extensions/filters/http/rbac/v3/rbac_pb';
import { RouterSchema } from './gen/envoy/extensions/filters/http/router/v3/router_pb';
import { UpstreamCodecSchema } from './gen/envoy/extensions/filters/http/upstream_codec/v3/upstream_codec_pb';
import { OriginalDstSchema } from './gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb';
import { ProxyProtocolSchema } from './gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb';
import { TlsInspectorSchema } from './gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb';
import { HttpConnectionManagerSchema } from './gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb';
import { RBACSchema as NetworkRBACSchema } from './gen/envoy/extensions/filters/network/rbac/v3/rbac_pb';
import { TcpProxySchema } from './gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb';
import { PreviousHostsPredicateSchema } from './gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb';
import { ProxyProtocolUpstreamTransportSchema } from './gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb';
import { RawBufferSchema } from './gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb';
import { SecretSchema } from './gen/envoy/extensions/transport_sockets/tls/v3/secret_pb';
import { DownstreamTlsContextSchema, UpstreamTlsContextSchema } from './gen/envoy/extensions/transport_sockets/tls/v3/tls_pb';
import { HttpProtocolOptionsSchema } from './gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb';
import { ClusterSchema } from './gen/envoy/config/cluster/v3/cluster_pb';
import { ClusterLoadAssignmentSchema } from './gen/envoy/config/endpoint/v3/endpoint_pb';
import { ListenerSchema } from './gen/envoy/config/listener/v3/listener_pb';
import { FilterConfigSchema } from './gen/envoy/config/route/v3/route_components_pb';
import { RouteConfigurationSchema } from './gen/envoy/config/route/v3/route_pb';

/** Every message that stands inside a `google.protobuf.Any` of ours: what `toJson` and `fromJson` need to read and write them as `@type`. */
export const wireRegistry: Registry = createRegistry(
  ListenerSchema,
  RouteConfigurationSchema,
  ClusterSchema,
  ClusterConfigSchema,
  ClusterLoadAssignmentSchema,
  SecretSchema,
  HttpConnectionManagerSchema,
  NetworkRBACSchema,
  TcpProxySchema,
  RBACSchema,
  RBACPerRouteSchema,
  RouterSchema,
  CorsSchema,
  CorsPolicySchema,
  HTTPFaultSchema,
  JwtAuthenticationSchema,
  PerRouteConfigSchema,
  OriginalDstSchema,
  ProxyProtocolSchema,
  TlsInspectorSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
  ProxyProtocolUpstreamTransportSchema,
  RawBufferSchema,
  StdoutAccessLogSchema,
  ExpressionFilterSchema,
  StringValueSchema,
  HttpProtocolOptionsSchema,
  PreviousHostsPredicateSchema,
  FilterConfigSchema,
  HeaderMutationSchema,
  UpstreamCodecSchema,
);
