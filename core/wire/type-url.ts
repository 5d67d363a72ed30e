/**
 * The type URLs of what travels over ADS and SDS. Written out, apart from the registry: an agent names types and would otherwise load every message
 * there is, in each of a mesh's sidecars. A test holds them to the generated schemas.
 */
export const typeUrl = {
  listener: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  route: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
  cluster: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  endpoints: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  secret: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
} as const;
