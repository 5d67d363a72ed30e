/** What `redirect: 'https'` of a listener stands for: routes that nobody has to write. */
import { gateways as messages } from '../../core/diagnostics/gateways';
import type { HostRoutes, RouteRule } from '../../core/ir/ir';
import { plainRedirect } from '../../core/ir/plain';
import type { RuleId } from '../../core/mesh/ids';
import { hostCovers } from '../../core/semantics/match';
import type { Context } from './context';
import type { Nouns } from './nouns';

/** The routes of listeners that answer with the same address under https: one rule for each host, to the port where the gateway serves it so. */
export function redirectedHosts(context: Context, nouns: Nouns): readonly HostRoutes[] {
  return context.all('gateway').flatMap(({ id, value }) => {
    const gateway = nouns.gateways.get(id);
    return (gateway?.listeners ?? []).flatMap((listener) => {
      if (value.listeners[listener.name]?.redirect === undefined) return [];
      return listener.hosts.flatMap(({ host, team }): HostRoutes[] => {
        const secure = gateway?.listeners.find(
          ({ speaks, hosts }) => speaks.kind === 'https' && hosts.some((served) => hostCovers(served.host, host)),
        );
        if (!gateway || !secure) {
          context.report(messages.redirectToNowhere, { host, listener: listener.name }, { id, path: `listeners.${listener.name}` });
          return [];
        }
        const rule: RouteRule = {
          id: `${id}.listeners.${listener.name}.redirect` as RuleId,
          match: null,
          action: { ...plainRedirect, scheme: 'https', ...whereTo(host, listener.port, secure.port), status: 301 },
        };
        return [{ id: id as RuleId, gateway: gateway.key, listener: listener.name, host, team, cors: null, rules: [rule] }];
      });
    });
  });
}

/**
 * The number that a client came by must not stay: https is not spoken there. The usual one of https goes unsaid (RFC 9110 section 4.2.2) where it can: of a
 * wildcard's hosts no name is known to be put in the place of name and number, and only the usual one of HTTP goes by itself.
 */
function whereTo(host: string, open: number, secure: number): { readonly host?: string; readonly port: number | null } {
  if (!host.startsWith('*')) return { host, port: secure === 443 ? null : secure };
  return { port: secure === 443 && open === 80 ? null : secure };
}
