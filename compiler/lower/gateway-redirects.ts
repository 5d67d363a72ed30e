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
          ({ speaks, hosts }) => speaks.kind === 'https' && hosts.some((served) => hostCovers(served.host, host.replace(/^\*\./, 'any.'))),
        );
        if (!gateway || !secure) {
          context.report(messages.redirectToNowhere, { host, listener: listener.name }, { id, path: `listeners.${listener.name}` });
          return [];
        }
        const rule: RouteRule = {
          id: `${id}.listeners.${listener.name}.redirect` as RuleId,
          match: null,
          // the usual number of https goes unsaid (RFC 9110 section 4.2.2)
          action: { ...plainRedirect, scheme: 'https', port: secure.port === 443 ? null : secure.port, status: 301 },
        };
        return [{ id: id as RuleId, gateway: gateway.key, listener: listener.name, host, team, cors: null, rules: [rule] }];
      });
    });
  });
}
