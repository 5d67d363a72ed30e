/**
 * What a patch of raw Envoy may set: timeouts, buffers and socket options, which change how fast and never who or where. Names and units are
 * Envoy's (protobuf JSON form). `duration` is a text such as `0.25s`; `bytes` and `count` are whole numbers.
 */
export type PatchUnit = 'duration' | 'bytes' | 'count';
export const patchFields: { readonly [direction in 'inbound' | 'outbound']: { readonly [field: string]: PatchUnit } } = {
  /** perConnectionBufferLimitBytes and tcpBacklogSize of the Listener; the rest of its HttpConnectionManager. */
  inbound: {
    delayedCloseTimeout: 'duration',
    drainTimeout: 'duration',
    perConnectionBufferLimitBytes: 'bytes',
    requestHeadersTimeout: 'duration',
    requestTimeout: 'duration',
    streamIdleTimeout: 'duration',
    tcpBacklogSize: 'count',
  },
  /** connectTimeout and perConnectionBufferLimitBytes of the Cluster; keepalive* of its upstreamConnectionOptions.tcpKeepalive (in seconds). */
  outbound: {
    connectTimeout: 'duration',
    keepaliveInterval: 'count',
    keepaliveProbes: 'count',
    keepaliveTime: 'count',
    perConnectionBufferLimitBytes: 'bytes',
  },
};
