/** The escape hatch: fields of Envoy's own messages, checked against their types, allow-listed, and told apart where they are not. */
import { type DescMessage, fromJson, type JsonObject as ProtoObject, toJson } from '@bufbuild/protobuf';
import { emit } from '../../../core/diagnostics/emit';
import type { Diagnostic } from '../../../core/diagnostics/diagnostic';
import type { Patch } from '../../../core/ir/ir';
import { patchFields } from '../../../core/ir/patch-fields';
import type { Json, JsonObject } from '../../../core/lib/json';
import type { PortKey } from '../../../core/mesh/ids';
import { ClusterSchema } from '../../../core/wire/gen/envoy/config/cluster/v3/cluster_pb';
import { ListenerSchema } from '../../../core/wire/gen/envoy/config/listener/v3/listener_pb';
import { HttpConnectionManagerSchema } from '../../../core/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb';
import { wireRegistry } from '../../../core/wire/registry';
import { jsonOf } from './any';
import type { Cluster } from './clusters';
import type { IrIndex } from './index-of';

interface Target {
  readonly schema: DescMessage;
  /** Dotted paths of fields that change no decision. */
  readonly safe: readonly string[];
  /** Top-level fields that carry identity, access or addressing: never from a patch. */
  readonly reserved: readonly string[];
}
const http: Target = {
  schema: HttpConnectionManagerSchema,
  safe: Object.keys(patchFields.inbound),
  reserved: [
    'rds',
    'routeConfig',
    'scopedRoutes',
    'httpFilters',
    'localReplyConfig',
    'accessLog',
    'statPrefix',
    'normalizePath',
    'mergeSlashes',
    'pathWithEscapedSlashesAction',
    'useRemoteAddress',
    'internalAddressConfig',
    'forwardClientCertDetails',
    'setCurrentClientCertDetails',
    'stripMatchingHostPort',
    'stripAnyHostPort',
    'stripTrailingHostDot',
    'pathNormalizationOptions',
    'earlyHeaderMutationExtensions',
    'originalIpDetectionExtensions',
  ],
};
const listener: Target = {
  schema: ListenerSchema,
  safe: Object.keys(patchFields.inbound),
  reserved: [
    'name',
    'address',
    'additionalAddresses',
    'filterChains',
    'filterChainMatcher',
    'defaultFilterChain',
    'listenerFilters',
    'enableReusePort',
    'useOriginalDst',
    'apiListener',
    'internalListener',
    'bindToPort',
    'reusePort',
    'accessLog',
  ],
};
const cluster: Target = {
  schema: ClusterSchema,
  safe: Object.keys(patchFields.outbound),
  reserved: [
    'name',
    'type',
    'clusterType',
    'edsClusterConfig',
    'loadAssignment',
    'transportSocket',
    'transportSocketMatches',
    'transportSocketMatcher',
    'typedExtensionProtocolOptions',
    'filters',
    'upstreamBindConfig',
    'altStatName',
  ],
};

/** A port's inbound listener with its patches merged in. */
export function patchedListener(json: JsonObject, patches: readonly Patch[], diagnostics: Diagnostic[]): JsonObject {
  let result = json;
  for (const patch of patches) {
    if (patch.direction !== 'inbound') continue;
    const parts = split(patch, [http, listener], diagnostics);
    result = merge(result, parts.get(listener) ?? {});
    const manager = parts.get(http);
    if (manager) result = overManagers(result, (config) => merge(config, manager));
  }
  return result;
}

/** A port's cluster with its patches merged in; the same for every caller. */
export function patchedCluster(index: IrIndex, port: PortKey, message: Cluster, diagnostics: Diagnostic[]): JsonObject {
  let result = jsonOf(ClusterSchema, message);
  for (const patch of index.patches.get(port) ?? [])
    if (patch.direction === 'outbound') result = merge(result, split(patch, [cluster], diagnostics).get(cluster) ?? {});
  return result;
}

/** Whether every field of these patches is on the allow-list. */
export function isProved(patches: readonly Patch[]): boolean {
  return patches.every((patch) => {
    const targets = patch.direction === 'inbound' ? [http, listener] : [cluster];
    return [...split(patch, targets, [])].every(([target, fields]) => unsafe(target, fields).length === 0);
  });
}

/** The fields of a patch by the message that has them, in Envoy's spelling, with what is wrong about them said once. */
function split(patch: Patch, targets: readonly Target[], diagnostics: Diagnostic[]): ReadonlyMap<Target, JsonObject> {
  const found = new Map<Target, JsonObject>();
  const say = (diagnostic: Diagnostic): void => {
    if (!diagnostics.some((known) => known.code === diagnostic.code && known.message === diagnostic.message)) diagnostics.push(diagnostic);
  };
  for (const [field, value] of Object.entries(patch.merge).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const target = targets.find(({ schema }) => schema.fields.some((known) => known.jsonName === field || known.name === field));
    const known = target?.schema.fields.find((candidate) => candidate.jsonName === field || candidate.name === field);
    if (!target || !known) {
      say(emit.patchField({ rule: patch.id, field, direction: patch.direction }, { rule: patch.id }));
      continue;
    }
    if (target.reserved.includes(known.jsonName)) {
      say(emit.patchReserved({ rule: patch.id, field }, { rule: patch.id }));
      continue;
    }
    const checked = inEnvoysSpelling(target.schema, { [field]: value });
    if (typeof checked === 'string') {
      say(emit.patchValue({ rule: patch.id, field, words: checked }, { rule: patch.id }));
      continue;
    }
    for (const path of unsafe(target, checked))
      say(emit.patchUnproved({ rule: patch.id, field: path, port: patch.port }, { rule: patch.id }));
    found.set(target, merge(found.get(target) ?? {}, checked));
  }
  return found;
}

/** The message's own JSON for these fields, or why they do not fit. */
function inEnvoysSpelling(schema: DescMessage, fields: JsonObject): JsonObject | string {
  try {
    return toJson(schema, fromJson(schema, fields as ProtoObject, { registry: wireRegistry }), { registry: wireRegistry }) as JsonObject; // the same JSON under two names; a message's JSON is an object
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
  }
}

function unsafe(target: Target, fields: JsonObject): readonly string[] {
  return leaves(fields, '').filter((path) => !target.safe.some((safe) => path === safe || path.startsWith(`${safe}.`)));
}
function leaves(value: Json, path: string): readonly string[] {
  if (!isObject(value) || Object.keys(value).length === 0) return [path];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, path === '' ? key : `${path}.${key}`));
}

/** Objects merge, everything else is replaced whole. */
function merge(into: JsonObject, from: JsonObject): JsonObject {
  const result: { [key: string]: Json } = { ...into };
  for (const [key, value] of Object.entries(from)) {
    const old = result[key];
    result[key] = isObject(old) && isObject(value) ? merge(old, value) : value;
  }
  return result;
}
const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

function overManagers(listenerJson: JsonObject, change: (config: JsonObject) => JsonObject): JsonObject {
  const type = `type.googleapis.com/${HttpConnectionManagerSchema.typeName}`;
  const walk = (value: Json): Json => {
    if (Array.isArray(value)) return value.map(walk);
    if (!isObject(value)) return value;
    if (value['@type'] === type) return change(value);
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, walk(inner)]));
  };
  return walk(listenerJson) as JsonObject; // an object goes in, so one comes out
}
