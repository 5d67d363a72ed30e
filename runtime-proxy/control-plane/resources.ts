/** The resources of one proxy instance under one set, bound and encoded: what `wanted` and the wire are made of. */
import { create, fromJsonString, toBinary, type DescMessage } from '@bufbuild/protobuf';
import { AnySchema, type Any } from '@bufbuild/protobuf/wkt';
import {
  type EndpointSelector,
  type EnvoyRange,
  type Part,
  type ProxyConfig,
  type ReleaseSet,
  type ServiceConfig,
  type SignedObject,
} from '../../core/bundle/objects';
import { enforce } from '../../core/diagnostics/enforce';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { digestOfJson, type Digest } from '../../core/lib/digest';
import type { JsonObject } from '../../core/lib/json';
import { ClusterSchema } from '../../core/wire/gen/envoy/config/cluster/v3/cluster_pb';
import { ClusterLoadAssignmentSchema } from '../../core/wire/gen/envoy/config/endpoint/v3/endpoint_pb';
import { ListenerSchema } from '../../core/wire/gen/envoy/config/listener/v3/listener_pb';
import { RouteConfigurationSchema } from '../../core/wire/gen/envoy/config/route/v3/route_pb';
import { wireRegistry } from '../../core/wire/registry';
import { typeUrl } from '../../core/wire/type-url';
import { reasonOf } from '../../core/lib/reason';
import { bindInbound, bindOutbound, joinParts, type BoundProxy, type BoundResource } from '../bind/bind';
import { callsRanges } from '../bind/ranges';
import { keyAddressesOf } from './key-addresses';
import { type KnownAddresses, noAddresses } from './known-addresses';
import type { Instance } from '../inventory';
import type { ResourceType } from './sequence';

/** A resource as it goes over the wire. `version` is the hash of its canonical JSON. */
export interface Encoded {
  readonly name: string;
  readonly version: string;
  readonly json: JsonObject;
  readonly any: Any;
}
export type EncodedByName = ReadonlyMap<string, Encoded>;
export interface PartResources {
  readonly listeners: EncodedByName;
  readonly routes: EncodedByName;
  readonly clusters: EncodedByName;
  readonly selectors: readonly EndpointSelector[];
  /** Of everything but endpoints: two parts with one key are the same to the proxy. */
  readonly key: string;
}
/** A set of objects, indexed by what is looked for. */
export interface ObjectSet {
  readonly proxies: ReadonlyMap<string, { readonly config: ProxyConfig; readonly name: string; readonly digest: Digest }>;
  readonly services: ReadonlyMap<string, ServiceConfig>;
  /** Where its proxies want keys of issuers from. */
  readonly keyAddresses: readonly string[];
}

const schemas: { readonly [type in ResourceType]: DescMessage } = {
  clusters: ClusterSchema,
  endpoints: ClusterLoadAssignmentSchema,
  listeners: ListenerSchema,
  routes: RouteConfigurationSchema,
};
export const typeUrls: { readonly [type in ResourceType]: string } = {
  clusters: typeUrl.cluster,
  endpoints: typeUrl.endpoints,
  listeners: typeUrl.listener,
  routes: typeUrl.route,
};

/** Indexes a set. Objects that the store lacks are left out: `missingOf` is asked before a release is taken in. */
export function objectSet(set: ReleaseSet, object: (digest: Digest) => SignedObject | undefined): ObjectSet {
  const proxies = new Map<string, { config: ProxyConfig; name: string; digest: Digest }>();
  const services = new Map<string, ServiceConfig>();
  for (const digest of Object.values(set)) {
    const found = object(digest)?.object;
    if (found?.kind === 'ProxyConfig')
      proxies.set(found.spec.workload, { config: found, name: `${found.metadata.namespace}/${found.metadata.name}`, digest });
    else if (found?.kind === 'ServiceConfig') services.set(`${found.metadata.namespace}/${found.metadata.name}`, found);
  }
  return { proxies, services, keyAddresses: keyAddressesOf([...proxies.values()].map(({ config }) => config)) };
}

/** The sets that are asked for, of which a few are kept. */
export class ObjectSets {
  readonly #made = new Map<string, ObjectSet>();
  /** A set is asked for at each turn for each proxy, and has the names of the whole mesh. */
  readonly #keys = new WeakMap<ReleaseSet, string>();

  constructor(readonly object: (digest: Digest) => SignedObject | undefined) {}

  of(set: ReleaseSet): ObjectSet {
    let key = this.#keys.get(set);
    if (key === undefined) this.#keys.set(set, (key = digestOfJson(set)));
    const known = this.#made.get(key);
    if (known) return known;
    const made = objectSet(set, this.object);
    this.#made.set(key, made);
    while (this.#made.size > mostSets) {
      const oldest = this.#made.keys().next().value;
      if (oldest === undefined) break;
      this.#made.delete(oldest);
    }
    return made;
  }
  all(): Iterable<ObjectSet> {
    return this.#made.values();
  }
}
const mostSets = 4;

export const nothing: PartResources = {
  listeners: new Map(),
  routes: new Map(),
  clusters: new Map(),
  selectors: [],
  key: digestOfJson({ clusters: [], listeners: [], routes: [], selectors: [] }),
};

/** What a part was made of, and what it came to. */
interface Made {
  readonly instance: Instance;
  readonly addresses: KnownAddresses;
  /** Of all addresses of the mesh something is in it. */
  readonly byRange: boolean;
  readonly resources: PartResources;
  readonly diagnostics: readonly Diagnostic[];
}

const versionOf = (json: JsonObject): string => digestOfJson(json).slice('sha256:'.length, 'sha256:'.length + 16);
/** Throws where it is no message of the type. */
export function encode(type: ResourceType, name: string, json: JsonObject, version = versionOf(json)): Encoded {
  const message = fromJsonString(schemas[type], JSON.stringify(json), { registry: wireRegistry });
  return { name, version, json, any: create(AnySchema, { typeUrl: typeUrls[type], value: toBinary(schemas[type], message) }) };
}

/** Makes resources; remembers the encoded form of equal bytes. */
export class ResourceMaker {
  readonly #encoded = new Map<string, Encoded>();
  readonly #parts = new WeakMap<ObjectSet, Map<string, Made>>();

  /** A part of a proxy under a set. Diagnostics mean that it cannot be served: there is no half of a configuration. */
  part(set: ObjectSet, part: Part, instance: Instance, into: Diagnostic[], addresses: KnownAddresses = noAddresses): PartResources {
    let ofSet = this.#parts.get(set);
    if (!ofSet) this.#parts.set(set, (ofSet = new Map()));
    const key = `${part}/${instance.id}`;
    let known = ofSet.get(key);
    if (!known || known.instance !== instance || (instance.capture !== undefined && isMoved(known, addresses))) {
      const diagnostics: Diagnostic[] = [];
      const resources = this.#make(set, part, instance, diagnostics, addresses);
      known = { instance, addresses, byRange: part === 'outbound' && callsByRange(set, instance), resources, diagnostics };
      ofSet.set(key, known);
    }
    into.push(...known.diagnostics);
    return known.resources;
  }

  #make(set: ObjectSet, part: Part, instance: Instance, into: Diagnostic[], { virtual, ofMesh }: KnownAddresses): PartResources {
    const found = set.proxies.get(instance.workload);
    if (!found) return nothing;
    let bound: BoundProxy;
    if (part === 'inbound' && !passesOn(found.config)) bound = bindInbound(found.config, instance, into);
    else {
      const services = found.config.spec.outbound.services.flatMap((name) => {
        const service = set.services.get(name);
        if (!service) into.push(enforce.missingObject({ name: `ServiceConfig/${name}`, digest: 'none', set: 'served' }));
        return service ?? [];
      });
      bound = bindOutbound(found.config, services, instance, into, virtual, ofMesh);
      if (isWayOut(found.config)) bound = joinParts(bindInbound(found.config, instance, into), bound);
    }
    if (into.length > 0) return nothing;
    const encodeAll = (type: ResourceType, resources: readonly BoundResource[]): EncodedByName => {
      const result = new Map<string, Encoded>();
      for (const resource of resources) {
        const encoded = this.#encode(type, resource.name, resource.json, instance.id, into);
        if (encoded) result.set(resource.name, encoded);
      }
      return result;
    };
    const listeners = encodeAll('listeners', bound.listeners);
    const routes = encodeAll('routes', bound.routes);
    const clusters = encodeAll('clusters', bound.clusters);
    const versions = (resources: EncodedByName): readonly string[] =>
      [...resources.values()].map((one) => `${one.name}=${one.version}`).sort();
    return {
      listeners,
      routes,
      clusters,
      selectors: bound.endpoints,
      key: digestOfJson({
        clusters: versions(clusters),
        listeners: versions(listeners),
        routes: versions(routes),
        selectors: bound.endpoints,
      }),
    };
  }

  /** Forgets what was made for instances that are not there any more. */
  forget(set: ObjectSet, instances: ReadonlyMap<string, Instance>): void {
    const ofSet = this.#parts.get(set);
    for (const [key, { instance }] of ofSet ?? []) if (!instances.has(instance.id)) ofSet?.delete(key);
  }

  /** Forgets what nobody wants any more. */
  prune(wanted: ReadonlySet<string>): void {
    for (const key of this.#encoded.keys()) if (!wanted.has(key)) this.#encoded.delete(key);
  }
  get size(): number {
    return this.#encoded.size;
  }

  #encode(type: ResourceType, name: string, json: JsonObject, instance: string, into: Diagnostic[]): Encoded | null {
    const version = versionOf(json);
    const key = `${type}/${name}/${version}`;
    const known = this.#encoded.get(key);
    if (known) return known;
    try {
      const encoded = encode(type, name, json, version);
      this.#encoded.set(key, encoded);
      return encoded;
    } catch (error) {
      into.push(enforce.cannotEncode({ instance, resource: name, reason: reasonOf(error) }));
      return null;
    }
  }
}

const isMoved = ({ addresses: was, byRange }: Made, { virtual, ofMesh }: KnownAddresses): boolean =>
  was.virtual !== virtual || (byRange && was.ofMesh !== ofMesh);
function callsByRange(set: ObjectSet, { workload }: Instance): boolean {
  const names = set.proxies.get(workload)?.config.spec.outbound.services ?? [];
  return names.some((name) => {
    const service = set.services.get(name);
    return service !== undefined && callsRanges(service);
  });
}

/** A gateway between networks: both its parts are the whole of it (target.ts). Nobody else holds what is passed on to (`reviews.web+across`). */
const passesOn = ({ spec }: ProxyConfig): boolean => spec.outbound.services.some((name) => name.endsWith('+across'));

/** A gateway on the way out, the only one that others in the mesh call: what it has for them is in both its parts (target.ts). */
const isWayOut = ({ spec }: ProxyConfig): boolean => spec.outbound.catchAll === null && spec.inbound.listeners.length > 0;

/** Whether an Envoy's version lies in a range: `min` included, `below` not. */
export function inRange(version: string, { min, below }: EnvoyRange): boolean {
  return compareVersions(version, min) >= 0 && compareVersions(version, below) < 0;
}
function compareVersions(a: string, b: string): number {
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (let i = 0; i < 3; i += 1) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
