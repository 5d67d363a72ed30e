import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import type { Cors } from '../../../../core/ir/ir';
import { canonicalJson } from '../../../../core/lib/json';
import { sortedBy } from '../../../../core/lib/order';
import { sharedWith, varyEdits } from '../../../../core/semantics/cors';
import { HeaderValueOption_HeaderAppendAction } from '../../../../core/wire/gen/envoy/config/core/v3/base_pb';
import type { RouteSchema } from '../../../../core/wire/gen/envoy/config/route/v3/route_components_pb';
import { CorsPolicySchema, CorsSchema } from '../../../../core/wire/gen/envoy/extensions/filters/http/cors/v3/cors_pb';
import { pack } from '../any';
import { httpFilterName } from '../filter-order';
import { responseEdits } from './header-edits';
import { headerMatcher, methodMatcher, stringMatcher } from '../access/matchers';

type HeaderMatcher = ReturnType<typeof headerMatcher>;
type HeaderOptions = ReturnType<typeof responseEdits>['responseHeadersToAdd'];

/** The filter of every listener where requests start: it does nothing where a virtual host says nothing. */
export const noCors: Any = pack(CorsSchema, {});

const inTotalOrder = (origins: Cors['origins']): Cors['origins'] => sortedBy(origins, canonicalJson);

/** For a virtual host. A preflight request is answered here whatever its origin: none reaches an application. */
export function corsConfig(cors: Cors | null): { [filter: string]: Any } {
  if (cors === null) return {};
  const listed = (values: readonly string[]): string => [...values].sort().join(',');
  const policy = pack(CorsPolicySchema, {
    allowOriginStringMatch: inTotalOrder(cors.origins).flatMap((origin) => (origin.kind === 'present' ? [] : [stringMatcher(origin)])),
    allowMethods: listed(cors.methods),
    allowHeaders: listed(cors.headers),
    exposeHeaders: listed(cors.exposed),
    maxAge: cors.maxAgeMs === null ? '' : String(Math.floor(cors.maxAgeMs / 1000)),
    allowCredentials: cors.credentials,
    forwardNotMatchingPreflights: false,
  });
  return { [httpFilterName('cors')]: policy };
}

/**
 * The first route of a virtual host with such a policy. The filter looks at routes that forward only, so without this a preflight request would meet
 * the answer of a rule that answers itself. What this route takes the filter answers; the cluster that it would go to is none: the header that would
 * name it is one that Envoy takes off every request, since nobody is internal.
 */
export const preflightRoute: MessageInitShape<typeof RouteSchema> = {
  name: 'meshwright.preflight',
  match: {
    pathSpecifier: { case: 'prefix', value: '/' },
    headers: [
      methodMatcher('OPTIONS'),
      headerMatcher({ name: 'origin', match: { kind: 'regex', value: '.+' } }),
      headerMatcher({ name: 'access-control-request-method', match: { kind: 'regex', value: '.+' } }),
    ],
  },
  action: { case: 'route', value: { clusterSpecifier: { case: 'clusterHeader', value: 'x-envoy-internal' } } },
};

/** On every answer of the virtual host. */
export const varyOnOrigin = (cors: Cors | null) =>
  cors === null ? {} : { responseHeadersToAdd: responseEdits(varyEdits).responseHeadersToAdd };

/** For the answers of rules that answer themselves, which the filter leaves alone: a condition for each origin, and what its answers carry. */
export function answersTo(cors: Cors | null): readonly { readonly when: HeaderMatcher; readonly headers: HeaderOptions }[] {
  if (cors === null) return [];
  const headers = [
    itsOrigin,
    ...responseEdits({ remove: [], set: sharedWith({ ...cors, exposed: [...cors.exposed].sort() }), add: [] }).responseHeadersToAdd,
  ];
  return inTotalOrder(cors.origins).map((match) => ({ when: headerMatcher({ name: 'origin', match }), headers }));
}
/** The request's own origin, which the condition has compared. */
const itsOrigin: HeaderOptions[number] = {
  header: { key: 'access-control-allow-origin', value: '%REQ(ORIGIN)%' },
  appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
};
