/**
 * Upgrades where rules speak of users. Envoy asks once whether a route lets an upgrade through: of the route that it finds before any token was read. Until
 * then another route stands for the one to come; those to come refuse by themselves what they do not let through. ADR 0200.
 */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Issuer, RouteRule, WeightedTarget } from '../../../../core/ir/ir';
import type { RouteActionSchema, RouteSchema } from '../../../../core/wire/gen/envoy/config/route/v3/route_components_pb';
import { headerMatcher } from '../access/matchers';
import { oneToken, withoutUser } from '../access/users';
import { ms } from '../any';
import { httpFilterName } from '../filter-order';
import type { IrIndex } from '../index-of';
import { faultConfig } from './fault';
import type { HeaderMatcher } from './tries';

type Route = MessageInitShape<typeof RouteSchema>;
type Match = NonNullable<Route['match']>;

/** Envoy takes the header off whatever asks for no upgrade. */
const upgrades = headerMatcher({ name: 'upgrade', match: { kind: 'present' } });
export const asksForUpgrade: readonly HeaderMatcher[] = [upgrades];

export type Ages = Pick<MessageInitShape<typeof RouteActionSchema>, 'upgradeConfigs' | 'maxStreamDuration'>;
export const sockets = (maxAgeMs: number): Ages => ({
  upgradeConfigs: [{ upgradeType: 'websocket' }],
  maxStreamDuration: { maxStreamDuration: ms(maxAgeMs) },
});

/** How long a WebSocket to these lives; null: one of them takes none, and nor does who sends to them. */
export function socketAgeMs(index: IrIndex, to: readonly WeightedTarget[]): number | null {
  const ages = to.map(({ port }) => index.ports.get(port)?.port.maxAgeMs ?? null);
  return ages.length === 0 || ages.includes(null) ? null : Math.min(...ages.map((age) => age ?? 0));
}
export const opensSockets = (index: IrIndex, { action }: RouteRule): boolean =>
  action.kind === 'forward' && socketAgeMs(index, action.to) !== null;

/** Whether some rule opens WebSockets, and which one takes an upgrade is known only once its token was read. */
export const openByUser = (index: IrIndex, rules: readonly RouteRule[]): boolean =>
  rules.some(({ match }) => (match?.user ?? null) !== null) && rules.some((rule) => opensSockets(index, rule));

/**
 * Of an upgrade whose token nobody has read yet. A token that is valid makes it another's, and one that is not is refused before this is asked for anything: should it
 * ever be, it answers 403. `cluster`: any that there is, for nothing goes there.
 */
export function beforeUsers(issuers: readonly Issuer[], cluster: string): Route {
  const match: Match = {
    pathSpecifier: { case: 'prefix', value: '/' },
    headers: [...asksForUpgrade, headerMatcher(oneToken)],
    dynamicMetadata: [...withoutUser(issuers)],
  };
  return {
    name: 'meshwright.before-users',
    match,
    typedPerFilterConfig: {
      [httpFilterName('fault')]: faultConfig({ delay: null, abort: { kind: 'http', status: 403, percent: 100 } }),
    },
    action: {
      case: 'route',
      value: { clusterSpecifier: { case: 'cluster', value: cluster }, upgradeConfigs: [{ upgradeType: 'websocket' }] },
    },
  };
}

/** What a rule that opens none says to an upgrade which has got that far. */
export const noUpgrade = (name: string, match: Match): Route => ({
  name,
  match,
  action: { case: 'directResponse', value: { status: 403 } },
});
