/** From where somebody comes to a gateway: networks through it, as routes there speak of them. */
import { gateways as messages } from '../../core/diagnostics/gateways';
import type { CallerRef } from '../../core/declarations/declaration';
import { canonicalNetwork } from '../../core/lib/network';
import { sortedUnique } from '../../core/lib/order';
import type { Context, Place } from './context';
import type { Nouns } from './nouns';

/** The networks of a list, canonical and sorted. `key`: of the host or listener, `<gateway>/...`. Undefined (and reported) where somebody else is named. */
export function lowerSources(
  context: Context,
  nouns: Nouns,
  from: readonly CallerRef[],
  key: string,
  at: Place,
): readonly string[] | undefined {
  const lists = from.map((caller): readonly string[] | null => {
    if (caller.kind !== 'outside' || !caller.network) return null;
    const gateway = context.resolve(caller.through, ['gateway'], at);
    const own = gateway && nouns.gateways.get(gateway.id);
    const networks = caller.network.map(canonicalNetwork);
    if (!own || !key.startsWith(`${own.key}/`) || networks.includes(null)) return null;
    return networks.filter((network) => network !== null);
  });
  if (lists.length > 0 && !lists.includes(null)) return sortedUnique(lists.flatMap((list) => list ?? []));
  context.report(messages.notFromThere, { key }, at);
  return undefined;
}
