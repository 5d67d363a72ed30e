/** How a user keeps one of several destinations. */
import { digestOf, shortDigest } from '../lib/digest';
import { sortedBy } from '../lib/order';
import { xxHash64 } from '../lib/xx-hash-64';
import type { HeaderEdits, RouteAction, Sticky, WeightedTarget } from '../ir/ir';
import type { StickyDecision } from './decision';
import { firstCookie, matchesCookie } from './match';
import type { FirstHop, RequestView } from './match';

/** The order in which destinations share the range of a hash. */
export const inHashOrder = (to: readonly WeightedTarget[]): readonly WeightedTarget[] =>
  sortedBy(
    to,
    (target) => target.port,
    (target) => target.version ?? '',
  );

/**
 * The destinations of a request, with their shares. What carries the key goes to one: by the cookie that the mesh gave out, the destination it names; by
 * a header or cookie, xxHash64 of its value (seed 0) modulo 100, counted along the weights in order of port and version (Envoy: `use_hash_policy`).
 */
export function destinationsFor(
  { to, sticky }: Pick<Extract<RouteAction, { kind: 'forward' }>, 'to' | 'sticky'>,
  view: RequestView,
): { readonly targets: readonly WeightedTarget[]; readonly sticky: StickyDecision | null } {
  if (sticky === null || to.length < 2) return { targets: to, sticky: null };
  const value = sticky.kind === 'issued' ? null : carried(sticky, view);
  const chosen = sticky.kind === 'issued' ? byIssued(to, sticky.name, view) : value === null ? undefined : byHash(to, value);
  const decision = { by: sticky.kind, name: sticky.name, value: chosen && sticky.kind === 'issued' ? cookieValue(chosen) : value };
  return { targets: chosen ? [{ ...chosen, weight: 100 }] : to, sticky: decision };
}

function carried({ kind, name }: Exclude<Sticky, { kind: 'issued' }>, view: RequestView): string | null {
  if (kind === 'header') return (Object.hasOwn(view.headers, name) ? view.headers[name] : undefined) ?? null;
  return firstCookie(name, view.headers) || null; // an empty one is none
}
function byIssued(to: readonly WeightedTarget[], name: string, view: RequestView): WeightedTarget | undefined {
  return inHashOrder(to).find((target) => matchesCookie({ name, match: { kind: 'exact', value: cookieValue(target) } }, view.headers));
}
function byHash(to: readonly WeightedTarget[], value: string): WeightedTarget | undefined {
  let left = Number(xxHash64(Buffer.from(value, 'latin1')) % 100n);
  return inHashOrder(to).find((target) => (left -= target.weight) < 0);
}

/** What the cookie that the mesh gives out says for a destination: nobody outside learns what it is called. */
export const cookieValue = ({ port, version }: Pick<WeightedTarget, 'port' | 'version'>): string =>
  shortDigest(digestOf(`${port}|${version ?? ''}`));

/** The cookie, on answers to who had none. */
export function issuedCookie(
  sticky: Sticky | null,
  decision: StickyDecision | null,
  target: WeightedTarget,
  { scheme }: Pick<FirstHop, 'scheme'>,
): readonly HeaderEdits[] {
  if (sticky?.kind !== 'issued' || decision === null || decision.value !== null) return [];
  return [{ remove: [], set: [], add: [{ name: 'set-cookie', value: setCookie(sticky, target, scheme) }] }];
}
/** RFC 6265 section 4.1: for every path, out of reach of scripts, kept on links into the site; what came over https never goes back in clear. */
export function setCookie(
  { name, forMs }: Extract<Sticky, { kind: 'issued' }>,
  target: Pick<WeightedTarget, 'port' | 'version'>,
  scheme: FirstHop['scheme'],
): string {
  const age = forMs === null ? '' : `; Max-Age=${Math.floor(forMs / 1000)}`;
  return `${name}=${cookieValue(target)}${age}; Path=/; HttpOnly; SameSite=Lax${scheme === 'https' ? '; Secure' : ''}`;
}
