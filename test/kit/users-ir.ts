/** Bookinfo in which rules speak of end users: routes at the gateway and inside, access at a destination, one rule in shadow. */
import type { Issuer, MeshIr, RouteRule, UserMatch } from '../../core/ir/ir';
import { anyMatch, plainForward, plainRespond, plainTarget } from '../../core/ir/plain';
import { canonicalJson } from '../../core/lib/json';
import type { RuleId } from '../../core/mesh/ids';
import { allow, bookinfo, requestClass, web } from './bookinfo-ir';

const id = (text: string): RuleId => text as RuleId; // a fixture's own ids
export const acme = 'https://accounts.acme.example';
export const partner = 'https://login.partner.example';
type ClaimPair = UserMatch['claims'][number];
export const user = (issuer: string, ...claims: readonly ClaimPair[]): UserMatch => ({ issuer, claims });
const is = (name: string, value: string): ClaimPair => ({ name, kind: 'is', values: [value] });
const includes = (name: string, value: string): ClaimPair => ({ name, kind: 'includes', values: [value] });
const oneOf = (name: string, ...values: readonly string[]): ClaimPair => ({ name, kind: 'oneOf', values });

/** Keys that are made anew by whoever signs with them; these are of RFC 8037 appendix A.2 and RFC 7517 appendix A.1. */
const knownKeys: Pick<KeysOf, 'acme' | 'partner'> = {
  acme: [{ alg: 'EdDSA', crv: 'Ed25519', kid: 'a', kty: 'OKP', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }],
  partner: [
    {
      alg: 'ES256',
      crv: 'P-256',
      kid: 'p',
      kty: 'EC',
      x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4',
      y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM',
    },
  ],
};
export interface KeysOf {
  readonly acme: readonly object[];
  readonly partner: readonly object[];
}

export function users(keys: KeysOf = knownKeys): MeshIr {
  const mesh = bookinfo();
  const issuer = (name: keyof KeysOf, url: string): Issuer => ({
    id: id(`platform/${name}`),
    name,
    url,
    audiences: ['shop', 'shop-admin'],
    keys: { kind: 'pinned', jwks: canonicalJson({ keys: keys[name] }) },
  });
  const reviews = (name: string, version: string, whose: UserMatch | null): RouteRule => ({
    id: id(`books/reviewsRoutes.${name}`),
    match: whose && { ...anyMatch, user: whose },
    action: { ...plainForward, to: [{ ...plainTarget, port: web('reviews'), version }], timeoutMs: 15_000, retry: null },
  });
  const answers = (name: string, status: number, line: string, whose: UserMatch): RouteRule => ({
    id: id(`books/shop.${name}`),
    match: { ...anyMatch, requests: [requestClass(line)], user: whose },
    action: { ...plainRespond, status },
  });
  return {
    ...mesh,
    issuers: [issuer('acme', acme), issuer('partner', partner)],
    access: [
      ...mesh.access.filter(({ id: own }) => own !== 'books/reviewsReadRatings'),
      allow('pageEditsDetails', ['productpage'], 'details', ['POST /details/{id}'], { user: user(acme, includes('groups', 'editors')) }),
      allow('pagePartners', ['productpage'], 'details', ['GET /partners'], { user: user(partner) }),
      allow('pageMany', ['productpage'], 'details', ['GET /many'], {
        user: user(acme, includes('groups', 'editors'), is('https://acme.example/role.name', 'admin')),
      }),
      allow('pageWatched', ['productpage'], 'ratings', ['GET /ratings/{id}']),
      allow('pageShadow', ['productpage'], 'ratings', ['POST /ratings/{id}'], { mode: 'shadow', user: user(acme, is('role', 'admin')) }),
    ],
    routes: mesh.routes.map((table) =>
      table.port === web('reviews')
        ? {
            ...table,
            rules: [
              reviews('rules.0', 'v3', user(acme, is('role', 'admin'))),
              reviews('rules.1', 'v2', user(acme, includes('groups', 'beta'))),
              reviews('otherwise', 'v1', null),
            ],
          }
        : table,
    ),
    hostRoutes: mesh.hostRoutes.map((table) =>
      table.host === 'shop.example'
        ? {
            ...table,
            rules: [
              answers('rules.8', 299, 'GET /productpage', user(acme, oneOf('tier', 'gold', 'silver'))),
              answers('rules.9', 298, 'GET /productpage', user(partner)),
              ...table.rules,
            ],
          }
        : table,
    ),
  };
}
