/** Which endpoints a caller's proxy calls, by where both are: a pure function, which the control plane runs for each proxy. */
import { assertNever } from '../lib/brand';
import type { LocalityRule, Nearness, Place } from '../ir/resilience';

/** Empty texts where it is not known. */
export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}
export type EndpointHealth = 'healthy' | 'degraded' | 'unhealthy';
/** An endpoint, as the inventory has it. */
export interface EndpointInstance {
  readonly id: string;
  readonly locality: Locality;
  readonly weight: number;
  /** 0 before 1 before the others, whatever is near. */
  readonly priority: number;
  readonly health: EndpointHealth;
  /** Where addresses mean something without a gateway between; the empty text for all who name none. */
  readonly network: string;
}
/** Who calls, as far as it counts. */
export interface CallerPlace extends Locality {
  readonly network: string;
}
/** Endpoints of one place. `share`: what the place is given beside the others of its priority; null: each endpoint counts by its own weight. */
export interface EndpointGroup<E> {
  readonly locality: Locality;
  readonly share: number | null;
  /** By id. */
  readonly endpoints: readonly E[];
}
/** Groups by region, zone, sub-zone. An earlier priority is called first; a later one takes what the healthy of the earlier ones cannot. */
export type Priorities<E> = readonly (readonly EndpointGroup<E>[])[];

export function endpointsFor<E extends EndpointInstance>(rule: LocalityRule, caller: CallerPlace, endpoints: readonly E[]): Priorities<E> {
  const spread = rule.kind === 'spread' ? nearest(rule.shares, caller)?.to : undefined;
  const rank = ({ locality, network }: E): number => {
    switch (rule.kind) {
      case 'off':
        return 0;
      case 'prefer':
        return distance(rule.nearness, caller, { ...locality, network }) ?? afterFailover(rule.failover, rule.nearness, caller, locality);
      case 'spread':
        return spread === undefined || spread.some(({ place }) => covers(place, locality)) ? 0 : 1;
      default:
        return assertNever(rule);
    }
  };
  const ranked = new Map<string, { readonly key: readonly [number, number]; readonly endpoints: E[] }>();
  for (const endpoint of [...endpoints].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const key = [endpoint.priority, rank(endpoint)] as const;
    const at = ranked.get(key.join());
    if (at) at.endpoints.push(endpoint);
    else ranked.set(key.join(), { key, endpoints: [endpoint] });
  }
  // counted from 0 without a gap: a priority that nobody has is none
  return [...ranked.values()]
    .sort((a, b) => a.key[0] - b.key[0] || a.key[1] - b.key[1])
    .map((one) => groups(one.endpoints, rule.kind === 'spread' ? (one.key[1] === 0 ? (spread ?? []) : []) : null));
}

/** 0 for the caller's own place, one more for each step outwards; null beyond its region, or where one of the two does not know where it is. */
function distance(nearness: Nearness, caller: CallerPlace, other: CallerPlace): number | null {
  if (nearness === 'network') return caller.network === other.network ? 0 : null;
  if (caller.region === '' && caller.zone === '') return null;
  if (caller.region !== other.region) return null;
  const sameZone = caller.zone !== '' && caller.zone === other.zone;
  const sameSubZone = sameZone && caller.subZone !== '' && caller.subZone === other.subZone;
  switch (nearness) {
    case 'region':
      return caller.region === '' && !sameZone ? null : 0;
    case 'zone':
      return sameZone ? 0 : caller.region === '' ? null : 1;
    case 'sub-zone':
      return sameSubZone ? 0 : sameZone ? 1 : caller.region === '' ? null : 2;
    default:
      return assertNever(nearness);
  }
}
/** Behind everything near: the places named for the caller's, in their order, then the rest. */
function afterFailover(
  failover: readonly { readonly from: Place; readonly to: readonly Place[] }[],
  nearness: Nearness,
  caller: Locality,
  other: Locality,
): number {
  const steps = { network: 1, region: 1, zone: 2, 'sub-zone': 3 }[nearness];
  const to = nearest(failover, caller)?.to ?? [];
  const index = to.findIndex((place) => covers(place, other));
  return steps + (index < 0 ? to.length : index);
}

/** Whether a place (`region`, `region/zone`, `region/zone/sub-zone`) holds a locality. */
export function covers(place: Place, { region, zone, subZone }: Locality): boolean {
  return [region, zone, subZone].slice(0, place.split('/').length).join('/') === place;
}
/** What is said for the narrowest place that the caller is in. */
function nearest<T extends { readonly from: Place }>(said: readonly T[], caller: Locality): T | undefined {
  return said.filter(({ from }) => covers(from, caller)).sort((a, b) => b.from.split('/').length - a.from.split('/').length)[0];
}

/** `to` null: endpoints count one by one. Else the shares of places; those not named share by how many they have. */
function groups<E extends EndpointInstance>(
  endpoints: readonly E[],
  to: readonly { readonly place: Place; readonly percent: number }[] | null,
): readonly EndpointGroup<E>[] {
  const byPlace = new Map<string, { readonly locality: Locality; readonly endpoints: E[] }>();
  for (const endpoint of endpoints) {
    const { region, zone, subZone } = endpoint.locality;
    const key = JSON.stringify([region, zone, subZone]);
    const at = byPlace.get(key);
    if (at) at.endpoints.push(endpoint);
    else byPlace.set(key, { locality: endpoint.locality, endpoints: [endpoint] });
  }
  const weightOf = (list: readonly E[]): number => list.reduce((sum, { weight }) => sum + weight, 0);
  const share = (locality: Locality, own: readonly E[]): number | null => {
    if (to === null) return null;
    const named = to.find(({ place }) => covers(place, locality));
    if (!named) return weightOf(own);
    // a place of several zones shares its percent among them
    const inPlace = endpoints.filter((endpoint) => covers(named.place, endpoint.locality));
    return Math.max(1, Math.round((named.percent * 1000 * weightOf(own)) / weightOf(inPlace)));
  };
  return [...byPlace.keys()].sort().flatMap((key) => {
    const group = byPlace.get(key);
    return group ? [{ ...group, share: share(group.locality, group.endpoints) }] : [];
  });
}

/** How many of a priority's endpoints there are, and how many of them are healthy. */
export interface PriorityHealth {
  readonly total: number;
  readonly healthy: number;
  readonly degraded: number;
}
export interface PriorityLoad {
  /** Percent of the requests. */
  readonly load: number;
  /** Whether they go to all of its endpoints, healthy or not. */
  readonly panic: boolean;
}
/** A priority stands its whole load as long as 5 of 7 of its endpoints are healthy (Envoy: overprovisioning factor 140). */
const overprovisioning = 140;

/**
 * How requests are shared among priorities (Envoy: "Priority levels", "Panic threshold"). What the earlier ones stand, they get; where all together
 * do not stand everything, they share it as they can, and a priority with too few healthy endpoints calls all of them.
 */
export function loadsOf(priorities: readonly PriorityHealth[], panicBelowPercent: number): readonly PriorityLoad[] {
  const standing = ({ total }: PriorityHealth, well: number): number =>
    total === 0 ? 0 : Math.min(100, Math.floor((overprovisioning * well) / total));
  const healthy = priorities.map((priority) => standing(priority, priority.healthy));
  const degraded = priorities.map((priority) => standing(priority, priority.degraded));
  const all = Math.min(100, sum(healthy) + sum(degraded));
  if (all === 0 && panicBelowPercent === 0) return priorities.map((_, index) => ({ load: index === 0 ? 100 : 0, panic: false }));
  const panic = priorities.map(
    ({ total, healthy: well, degraded: half }) => all < 100 && total > 0 && ((well + half) * 100) / total < panicBelowPercent,
  );
  if (priorities.every(({ total }, index) => total === 0 || panic[index])) {
    const hosts = sum(priorities.map(({ total }) => total));
    return spreadOut(priorities.map(({ total }) => (hosts === 0 ? 0 : Math.floor((100 * total) / hosts)))).map((load) => ({
      load,
      panic: true,
    }));
  }
  let left = 100;
  const take = (stands: number): number => {
    const load = Math.min(left, all === 0 ? 0 : Math.floor((stands * 100) / all));
    left -= load;
    return load;
  };
  const loads = [healthy.map(take), degraded.map(take)];
  const both = priorities.map((_, index) => (loads[0]?.[index] ?? 0) + (loads[1]?.[index] ?? 0));
  return spreadOut(both).map((load, index) => ({ load, panic: panic[index] ?? false }));
}
/** What rounding left over goes to the first that has any load. */
function spreadOut(loads: readonly number[]): readonly number[] {
  const first = loads.findIndex((load) => load > 0);
  return loads.map((load, index) => (index === first ? load + 100 - sum(loads) : load));
}
const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

/** Of an ejection: how many of so many endpoints may be out at once. */
export const mostEjected = (endpoints: number, atMostPercent: number): number => Math.floor((endpoints * atMostPercent) / 100);
