/**
 * What a patch of raw Envoy may set: timeouts, buffers and socket options, which change how fast and never who or where. Names and units are
 * Envoy's (protobuf JSON form): `duration` is a text such as `0.25s`, `bytes` and `count` are whole numbers, `sockets` a list of
 * { level, name, intValue }, `keepalive` is { tcpKeepalive: { keepaliveProbes, keepaliveTime, keepaliveInterval } }.
 */
export type PatchUnit = 'duration' | 'bytes' | 'count' | 'sockets' | 'keepalive';
export const patchFields: { readonly [direction in 'inbound' | 'outbound']: { readonly [field: string]: PatchUnit } } = {
  inbound: {
    delayedCloseTimeout: 'duration',
    drainTimeout: 'duration',
    perConnectionBufferLimitBytes: 'bytes',
    requestHeadersTimeout: 'duration',
    requestTimeout: 'duration',
    socketOptions: 'sockets',
    streamIdleTimeout: 'duration',
    tcpBacklogSize: 'count',
  },
  outbound: {
    connectTimeout: 'duration',
    perConnectionBufferLimitBytes: 'bytes',
    upstreamConnectionOptions: 'keepalive',
  },
};
