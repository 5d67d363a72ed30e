/**
 * What an Envoy may use of its machine before it sends work away, and in which order it then gives up what: idle connections sooner, streams that hold
 * most, new requests, new connections.
 * https://www.envoyproxy.io/docs/envoy/latest/configuration/operations/overload_manager/overload_manager
 */
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import type { JsonObject } from '../../core/lib/json';

export interface EnvoyLimits {
  /** Bytes of heap. */
  readonly heap: number;
  /** Connections that clients have open with it, at all its listeners together. */
  readonly connections: number;
}

/**
 * How streams are judged that their client resets as soon as it has opened them (CVE-2023-44487). At a gateway a connection is one client's: it is closed
 * after so many, and has one request begun for each look at what it sent. Inside the mesh a connection is a proxy's and carries the requests of many: to
 * close it for the resets of one client, which the proxy passes on, would take the others' requests with it.
 */
export const resets = {
  inside: { 'overload.premature_reset_total_stream_count': 4_294_967_295 },
  gateway: { 'overload.premature_reset_total_stream_count': 500, 'http.max_requests_per_io_cycle': 1 },
} as const;

const mostConnections = 50_000;
/** Files that are neither side of a connection: listeners, log, sockets of the agent. */
const otherFiles = 512;

/** Three quarters of the memory that the container may use, or the machine has; a connection for each two files that a process may have open. */
export async function defaultLimits(): Promise<EnvoyLimits> {
  const constrained = process.constrainedMemory();
  const memory = constrained > 0 ? Math.min(constrained, os.totalmem()) : os.totalmem();
  const files = /^Max open files +(\d+)/m.exec(await fs.readFile('/proc/self/limits', 'utf8').catch(() => ''))?.[1];
  const pairs = files === undefined ? mostConnections : Math.floor((Number(files) - otherFiles) / 2);
  return { heap: Math.floor(memory * 0.75), connections: Math.max(16, Math.min(mostConnections, pairs)) };
}

const heapMonitor = 'envoy.resource_monitors.fixed_heap';
const connectionsMonitor = 'envoy.resource_monitors.global_downstream_max_connections';
const monitor = (name: string, type: string, config: JsonObject): JsonObject => ({
  name,
  typedConfig: { '@type': `type.googleapis.com/envoy.extensions.resource_monitors.${type}`, ...config },
});
const at = (value: number): JsonObject => ({ triggers: [{ name: heapMonitor, threshold: { value } }] });
const between = (scalingThreshold: number, saturationThreshold: number): JsonObject => ({
  triggers: [{ name: heapMonitor, scaled: { scalingThreshold, saturationThreshold } }],
});
const action = (name: string, more: JsonObject): JsonObject => ({ name: `envoy.overload_actions.${name}`, ...more });

/** envoy.config.overload.v3.OverloadManager, in protobuf's JSON form. */
export function overloadManager({ heap, connections }: EnvoyLimits): JsonObject {
  return {
    refreshInterval: '0.25s',
    resourceMonitors: [
      monitor(heapMonitor, 'fixed_heap.v3.FixedHeapConfig', { maxHeapSizeBytes: String(heap) }),
      monitor(connectionsMonitor, 'downstream_connections.v3.DownstreamConnectionsConfig', {
        maxActiveDownstreamConnections: String(connections),
      }),
    ],
    actions: [
      action('reduce_timeouts', {
        ...between(0.8, 0.95),
        typedConfig: {
          '@type': 'type.googleapis.com/envoy.config.overload.v3.ScaleTimersOverloadActionConfig',
          timerScaleFactors: [{ timer: 'HTTP_DOWNSTREAM_CONNECTION_IDLE', minTimeout: '2s' }],
        },
      }),
      action('reset_high_memory_stream', between(0.85, 0.95)),
      action('shrink_heap', at(0.9)),
      action('disable_http_keepalive', at(0.92)),
      action('stop_accepting_requests', at(0.95)),
      action('stop_accepting_connections', at(0.98)),
    ],
    // streams that hold a megabyte or more are known by how much they hold
    bufferFactoryConfig: { minimumAccountToTrackPowerOfTwo: 20 },
  };
}
