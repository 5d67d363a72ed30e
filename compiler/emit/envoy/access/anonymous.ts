/**
 * What a proxy that dials a host outside says of who called: nothing. Envoy writes the caller's address on requests before routes edit them; on copies, after
 * all routes have, its own address and that they are internal. So a virtual host takes it off the ones, and a filter at the cluster off the others.
 */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { FilterConfigSchema } from '../../../../core/wire/gen/envoy/config/route/v3/route_components_pb';
import { HeaderMutationSchema } from '../../../../core/wire/gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb';
import { UpstreamCodecSchema } from '../../../../core/wire/gen/envoy/extensions/filters/http/upstream_codec/v3/upstream_codec_pb';
import type { HttpFilterSchema } from '../../../../core/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb';
import { pack } from '../any';
import { upstreamOrder } from '../filter-order';

export type UpstreamFilters = readonly MessageInitShape<typeof HttpFilterSchema>[];

const [{ name: copies }, { name: codec }] = upstreamOrder;
const remove = (name: string) => ({ action: { case: 'remove', value: name } }) as const;

/** Of a virtual host whose clusters have the filters below. A request's own `x-forwarded-for` is the application's word, so they are off for it. */
export const anonymousHost = {
  requestHeadersToRemove: ['x-envoy-external-address'],
  typedPerFilterConfig: { [copies]: pack(FilterConfigSchema, { disabled: true }) },
};

/** Filters of a cluster. They see copies alone, which have no route. */
export const anonymousCopies: UpstreamFilters = [
  {
    name: copies,
    configType: {
      case: 'typedConfig',
      value: pack(HeaderMutationSchema, { mutations: { requestMutations: ['x-envoy-internal', 'x-forwarded-for'].map(remove) } }),
    },
  },
  { name: codec, configType: { case: 'typedConfig', value: pack(UpstreamCodecSchema, {}) } },
];
