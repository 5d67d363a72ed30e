/**
 * The two protocols of ADS over one core (plane, sequence, resources): what a request says, and how a response is put. Delta is said here, the state of
 * the world in state-of-the-world.ts.
 * https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol
 */
import { create } from '@bufbuild/protobuf';
import { status } from '@grpc/grpc-js';
import type { Node } from '../../core/wire/gen/envoy/config/core/v3/base_pb';
import {
  DeltaDiscoveryResponseSchema,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
} from '../../core/wire/gen/envoy/service/discovery/v3/discovery_pb';
import { RpcRefusal } from '../rpc/server';
import type { SentResponse, Subscription } from './proxy-link';
import { typeUrls } from './resources';
import type { ResourceType } from './sequence';

/** What a request says, in either protocol. */
export interface Heard extends Subscription {
  readonly answer: { readonly nonce: string; readonly error: string | null } | null;
}
/** One stream's protocol. Both kinds of message have a type, an error and a node in common. */
export interface Dialect<Request, Response> {
  /** null: a request that says nothing, since it answers what is not the last response. */
  hear(type: ResourceType, request: Request): Heard | null;
  /** null: there is no way of saying this, and nobody waits for it. */
  say(response: SentResponse): Response | null;
}
export interface AnyRequest {
  readonly typeUrl: string;
  readonly node?: Node | undefined;
}

/** Of one type on one stream. */
export const maxNames = 100_000;
export function refuseTooMany(count: number): void {
  if (count > maxNames) throw new RpcRefusal(status.RESOURCE_EXHAUSTED, `${count} names are asked for: ${maxNames} of a type is the most`);
}
export const reasonIn = (error: { readonly message: string } | undefined): string | null =>
  error === undefined ? null : error.message || 'no reason given';

/** `vouched`: an agent stands for what its Envoy claims to have. Envoy's own word is not taken: after a NACK it claims the old and serves the new. */
export function deltaDialect(vouched: boolean): Dialect<DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
  const asked = new Map<ResourceType, Set<string>>();
  return {
    hear(type, request) {
      refuseTooMany(request.resourceNamesSubscribe.length);
      const names = asked.get(type) ?? new Set<string>();
      asked.set(type, names);
      for (const name of request.resourceNamesSubscribe) names.add(name);
      for (const name of request.resourceNamesUnsubscribe) names.delete(name);
      refuseTooMany(names.size);
      return {
        answer: request.responseNonce === '' ? null : { nonce: request.responseNonce, error: reasonIn(request.errorDetail) },
        subscribe: request.resourceNamesSubscribe,
        unsubscribe: request.resourceNamesUnsubscribe,
        brings: new Map(Object.entries(request.initialResourceVersions).map(([name, version]) => [name, vouched ? version : ''])),
      };
    },
    say: ({ type, nonce, added, removed }) =>
      create(DeltaDiscoveryResponseSchema, {
        typeUrl: typeUrls[type],
        nonce,
        systemVersionInfo: nonce,
        resources: added.map((one) => ({ name: one.name, version: one.version, resource: one.any })),
        removedResources: [...removed],
      }),
  };
}
