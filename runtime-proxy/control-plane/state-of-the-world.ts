/**
 * The state of the world over the same core. A response about clusters or listeners holds all of them, and what it lacks is gone; one about endpoints or
 * routes holds some, and lacking means nothing. So that order holds all the same, an addition carries along what is to be removed later: nothing is
 * missing from a response before the core says that it may go.
 */
import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import {
  DiscoveryResponseSchema,
  ResourceSchema,
  type DiscoveryRequest,
  type DiscoveryResponse,
} from '../../core/wire/gen/envoy/service/discovery/v3/discovery_pb';
import { digestOf } from '../../core/lib/digest';
import { reasonIn, refuseTooMany, type Dialect } from './dialect';
import { typeUrls, type Encoded } from './resources';
import { isWhole, type ResourceType } from './sequence';

interface TypeOnStream {
  /** Names asked for; null: all. */
  names: ReadonlySet<string> | null;
  /** Of the last response. */
  nonce: string | null;
  /** By name: what the proxy surely has, as of the last response that it took; null: it has taken none. */
  had: ReadonlyMap<string, Brought> | null;
  /** What it has if it takes the last response. */
  said: ReadonlyMap<string, Brought>;
}
/** What a proxy has whose bytes nobody here knows: of a release that is gone. */
interface Kept {
  readonly name: string;
  readonly version: string;
  readonly any: null;
}
export type Brought = Encoded | Kept;

/**
 * `brought`: what a proxy that comes back has of a type: it must not be missing from the first response. What is not known here goes without its bytes, for the
 * agent to put back (runtime-proxy/agent/kept.ts); where there is no agent (`relayed`) it cannot be said.
 */
export function stateOfTheWorld(
  brought: (type: ResourceType) => readonly Brought[],
  relayed: boolean,
): Dialect<DiscoveryRequest, DiscoveryResponse> {
  const types = new Map<ResourceType, TypeOnStream>();
  const comesBack = new Set<ResourceType>();
  return {
    hear(type, request) {
      const asked = request.resourceNames;
      refuseTooMany(asked.length);
      const known = types.get(type);
      if (known === undefined) {
        // Only clusters and listeners can be asked for without a name.
        if (asked.length === 0 && !isWhole(type)) return null;
        const all = asked.length === 0 || asked.includes('*');
        types.set(type, { names: all ? null : new Set(asked), nonce: null, had: null, said: new Map() });
        if (request.versionInfo !== '') comesBack.add(type);
        return { answer: null, subscribe: asked, unsubscribe: [], brings: request.versionInfo === '' ? new Map() : 'unknown' };
      }
      if (request.responseNonce !== '' && request.responseNonce !== known.nonce) return null;
      const error = reasonIn(request.errorDetail);
      const answers = request.responseNonce !== '';
      if (answers && error === null) known.had = known.said;
      const before = known.names;
      if (before === null) return { answer: answers ? { nonce: request.responseNonce, error } : null, ...noNames };
      const now = new Set(asked);
      known.names = now;
      return {
        answer: answers ? { nonce: request.responseNonce, error } : null,
        subscribe: [...now].filter((name) => !before.has(name)),
        unsubscribe: [...before].filter((name) => !now.has(name)),
        brings: new Map(),
      };
    },
    say({ type, nonce, added, removed }) {
      const known = types.get(type);
      if (known === undefined) throw new Error(`internal: a response of ${type}, which nobody asked for`);
      const whole = isWhole(type);
      if (!whole && added.length === 0) return null;
      const said = new Map<string, Brought>();
      const add = (one: Brought): void => void (known.names === null || known.names.has(one.name) ? said.set(one.name, one) : undefined);
      if (whole) {
        for (const one of known.had?.values() ?? (comesBack.has(type) ? brought(type) : [])) if (relayed || one.any !== null) add(one);
        for (const name of removed) said.delete(name);
      }
      added.forEach(add);
      known.nonce = nonce;
      known.said = said;
      return create(DiscoveryResponseSchema, {
        typeUrl: typeUrls[type],
        nonce,
        versionInfo: versionOf(said.values()),
        // with the version of each, so that an agent can tell which of them its Envoy serves with
        resources: [...said.values()].map(({ name, version, any: resource }) =>
          anyPack(ResourceSchema, create(ResourceSchema, { name, version, ...(resource === null ? {} : { resource }) })),
        ),
      });
    },
  };
}
const noNames = { subscribe: [], unsubscribe: [], brings: new Map<string, string>() };

/** The hash of what a response holds. */
function versionOf(resources: Iterable<Brought>): string {
  const lines = [...resources].map(({ name, version }) => `${name}=${version}`).sort();
  return digestOf(lines.join('\n')).slice('sha256:'.length, 'sha256:'.length + 16);
}
