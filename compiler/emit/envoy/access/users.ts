/** End users: the filter that reads tokens, and whom a route or a rule takes, by what the filter found. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import type { ClaimMatch, FieldMatch, Issuer, IssuerKeys, UserMatch } from '../../../../core/ir/ir';
import { assertNever } from '../../../../core/lib/brand';
import { canonicalJson } from '../../../../core/lib/json';
import { sortedBy, sortedUnique } from '../../../../core/lib/order';
import {
  type JwtProviderSchema,
  type JwtRequirementSchema,
  JwtAuthenticationSchema,
  PerRouteConfigSchema,
} from '../../../../core/wire/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb';
import type { MetadataMatcherSchema } from '../../../../core/wire/gen/envoy/type/matcher/v3/metadata_pb';
import type { ValueMatcherSchema } from '../../../../core/wire/gen/envoy/type/matcher/v3/value_pb';
import { pack, seconds } from '../any';
import { httpFilterName, type InHttpSlots } from '../filter-order';
import { keysCluster } from '../names';

type Provider = MessageInitShape<typeof JwtProviderSchema>;
type Requirement = MessageInitShape<typeof JwtRequirementSchema>;
type Matcher = MessageInitShape<typeof MetadataMatcherSchema>;
type Value = MessageInitShape<typeof ValueMatcherSchema>;

/** Under this name the filter leaves what it read; no client can write there. */
const found = 'envoy.filters.http.jwt_authn';
/** Of a request whose one `authorization` is one bearer token: with two of them the filter would read the first, and an application perhaps the other. */
export const oneToken: FieldMatch = { name: 'authorization', match: { kind: 'regex', value: 'Bearer [A-Za-z0-9_.-]+' } };

/**
 * The filter of every listener of requests in a mesh with issuers. It does nothing where a virtual host says nothing: that rules of a port begin to speak of users
 * changes routes, and no connection has to end for it (ADR 0174).
 */
export function authentication(issuers: readonly Issuer[]): InHttpSlots {
  if (issuers.length === 0) return {};
  const each = sortedBy(issuers, ({ name }) => name);
  const any = (otherwise: Requirement): Requirement => ({
    requiresType: {
      case: 'requiresAny',
      value: {
        requirements: [...each.map(({ name }): Requirement => ({ requiresType: { case: 'providerName', value: name } })), otherwise],
      },
    },
  });
  const config = pack(JwtAuthenticationSchema, {
    providers: Object.fromEntries(each.map((issuer) => [issuer.name, providerOf(issuer)])),
    requirementMap: {
      users: any({ requiresType: { case: 'allowMissing', value: {} } }),
      watched: any({ requiresType: { case: 'allowMissingOrFailed', value: {} } }),
    },
  });
  return { authentication: config };
}
function providerOf({ name, url, audiences, keys }: Issuer): Provider {
  return {
    issuer: url,
    audiences: [...audiences].sort(),
    requireExpiration: true,
    jwksSourceSpecifier: keysOf(keys),
    // the header alone: without this Envoy would take a token out of the query too
    fromHeaders: [{ name: 'authorization', valuePrefix: 'Bearer ' }],
    // each proxy on the way reads it for itself
    forward: true,
    payloadInMetadata: name,
    clearRouteCache: true,
  };
}

/**
 * Fetched keys come from the agent on the same machine, which has them of the control plane and keeps what it had: what an issuer answers is read there, and a
 * change of keys is no change of a listener. Until there are some no token of that issuer is valid.
 */
function keysOf(keys: IssuerKeys): NonNullable<Provider['jwksSourceSpecifier']> {
  if (keys.kind === 'pinned') return { case: 'localJwks', value: { specifier: { case: 'inlineString', value: keys.jwks } } };
  return {
    case: 'remoteJwks',
    value: {
      httpUri: { uri: keys.url, httpUpstreamType: { case: 'cluster', value: keysCluster }, timeout: seconds(5) },
      // asked for again five seconds before
      cacheDuration: seconds(20),
      asyncFetch: { failedRefetchDuration: seconds(1) },
    },
  };
}

/** For a virtual host. `users`: a token that is not valid is refused; `watched`: only rules in shadow speak of users, and they refuse nobody. */
export function authenticationPerRoute(requirement: 'users' | 'watched' | null): { [filter: string]: Any } {
  if (requirement === null) return {};
  const config = pack(PerRouteConfigSchema, { requirementSpecifier: { case: 'requirementName', value: requirement } });
  return { [httpFilterName('authentication')]: config };
}

/** All must hold. The first says whose token it is, so that it is there at all. */
export function userMatchers(issuers: readonly Issuer[], user: UserMatch | null): readonly Matcher[] {
  if (user === null) return [];
  const issuer = issuers.find(({ url }) => url === user.issuer);
  if (!issuer) throw new Error(`internal: no issuer ${user.issuer} in the IR`);
  const ordered = user.claims.map((claim) => ({ ...claim, values: sortedUnique(claim.values) }));
  const claims = sortedBy(ordered, canonicalJson).map((one) => claim(issuer.name, one.name, valueOf(one)));
  return [issuedBy(issuer.name, issuer.url), ...claims];
}
/** Nobody's token has been read, or there is none. */
export const withoutUser = (issuers: readonly Issuer[]): readonly Matcher[] =>
  sortedBy(issuers, ({ name }) => name).map(({ name, url }) => ({ ...issuedBy(name, url), invert: true }));
const issuedBy = (name: string, url: string): Matcher => claim(name, 'iss', exact(url));
const claim = (issuer: string, name: string, value: Value): Matcher => ({
  filter: found,
  path: [issuer, name].map((key) => ({ segment: { case: 'key' as const, value: key } })),
  value,
});

function valueOf({ kind, values }: ClaimMatch): Value {
  const someOne = oneOf(values.map(exact));
  switch (kind) {
    case 'is':
    case 'oneOf':
      return someOne;
    case 'includes':
      return { matchPattern: { case: 'listMatch', value: { matchPattern: { case: 'oneOf', value: someOne } } } };
    default:
      return assertNever(kind);
  }
}
const exact = (value: string): Value => ({
  matchPattern: { case: 'stringMatch', value: { matchPattern: { case: 'exact', value } } },
});
function oneOf(values: readonly Value[]): Value {
  const [only] = values;
  return only && values.length === 1 ? only : { matchPattern: { case: 'orMatch', value: { valueMatchers: [...values] } } };
}
