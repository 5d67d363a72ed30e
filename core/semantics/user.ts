/** End users: what the one bearer token of a request says, and whom a rule takes. */
import type { AccessRule, ClaimMatch, HeaderEdits, Issuer, RouteRule, UserMatch } from '../ir/ir';
import { assertNever } from '../lib/brand';
import type { JsonObject } from '../lib/json';

/** The claims of a token whose signature, audience and time are right (`iss` says whose it is), or that it is not so. */
export type Claims = JsonObject | 'invalid';

/** A token that is there and not valid, or of nobody whom the mesh knows. Where rules speak of users it is answered 401; none at all is let by. */
export function isRefused(issuers: readonly Issuer[], claims: Claims | undefined): boolean {
  return claims !== undefined && (claims === 'invalid' || !issuers.some(({ url }) => url === claims['iss']));
}

/** A text is compared as a whole, and the name of a claim is one name, whatever is in it. A claim that is not there matches nothing. */
export function matchesUser(user: UserMatch | null, claims: Claims | undefined): boolean {
  if (user === null) return true;
  if (claims === undefined || claims === 'invalid' || claims['iss'] !== user.issuer) return false;
  return user.claims.every((claim) => matchesClaim(claim, claims));
}
function matchesClaim({ kind, name, values }: ClaimMatch, claims: JsonObject): boolean {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
  switch (kind) {
    case 'is':
    case 'oneOf':
      return typeof value === 'string' && values.includes(value);
    case 'includes':
      return Array.isArray(value) && value.some((one) => typeof one === 'string' && values.includes(one));
    default:
      return assertNever(kind);
  }
}

/** Whether rules of a list, or enforced ones of a port, speak of users: there a token that is not valid is refused. */
export const routesSpeakOfUsers = (rules: readonly RouteRule[]): boolean => rules.some(({ match }) => (match?.user ?? null) !== null);
export const accessSpeaksOfUsers = (rules: readonly AccessRule[], mode: AccessRule['mode']): boolean =>
  rules.some((rule) => rule.mode === mode && rule.user !== null);

/** The token as a destination reads it, after the edits of a route. Two of them are none that is valid. */
export function claimsAfter(claims: Claims | undefined, edits: readonly HeaderEdits[]): Claims | undefined {
  let left = claims;
  for (const { remove, set, add } of edits) {
    if (remove.includes('authorization')) left = undefined;
    for (const { name, value } of set) if (name === 'authorization') left = value.startsWith('Bearer ') ? 'invalid' : undefined;
    for (const { name, value } of add)
      if (name === 'authorization' && (left !== undefined || value.startsWith('Bearer '))) left = 'invalid';
  }
  return left;
}
