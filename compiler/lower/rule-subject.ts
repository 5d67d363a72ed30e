/** Where a route rule leads, as far as its settings depend on it. */
import { settings as words } from '../../core/diagnostics/settings';
import type { ServicePort, Sticky, WeightedTarget } from '../../core/ir/ir';
import { canonicalJson } from '../../core/lib/json';
import type { PortKey } from '../../core/mesh/ids';
import type { Context, Place } from './context';
import type { Nouns } from './nouns';

export interface RuleSubject {
  readonly layer: 'http' | 'grpc';
  /** The ports that limit retries by a count. */
  readonly counted: readonly { readonly port: string; readonly retries: number }[];
}

export function subjectOf(ports: readonly ServicePort[]): RuleSubject {
  return {
    layer: ports.length > 0 && ports.every((port) => port.layer === 'grpc') ? 'grpc' : 'http',
    counted: ports.flatMap(({ key, resilience: { connections } }) =>
      connections.retries === null ? [] : [{ port: key, retries: connections.retries }],
    ),
  };
}

/** The same for a rule's targets; reports those among which one request cannot be balanced. */
export function ruleSubject(
  context: Context,
  nouns: Nouns,
  targets: readonly WeightedTarget[],
  sticky: Sticky | null,
  at: Place,
): RuleSubject {
  const known = portsByKey(nouns);
  const ports = [...new Set(targets.map((target) => target.port))].flatMap((key) => known.get(key) ?? []);
  const hashed = ports.filter((port) => port.resilience.balance.kind === 'hash');
  const keys = hashed.map(({ resilience: { balance } }) => (balance.kind === 'hash' ? canonicalJson(balance.by) : ''));
  if (new Set(keys).size > 1) context.report(words.twoHashKeys, { ports: hashed.map((port) => port.key) }, at);
  const by = hashed[0]?.resilience.balance;
  if (sticky && sticky.kind !== 'issued' && targets.length > 1 && by?.kind === 'hash') {
    const same = by.by.kind === sticky.kind && by.by.name === sticky.name;
    if (!same) context.report(words.stickyElsewhere, { port: hashed[0]?.key ?? '', sticky: `${sticky.kind} ${sticky.name}` }, at);
  }
  return subjectOf(ports);
}

const indexes = new WeakMap<Nouns, ReadonlyMap<PortKey, ServicePort>>();
function portsByKey(nouns: Nouns): ReadonlyMap<PortKey, ServicePort> {
  let known = indexes.get(nouns);
  if (!known) {
    known = new Map([...nouns.services.values()].flatMap((service) => service.ports.map((port) => [port.key, port] as const)));
    indexes.set(nouns, known);
  }
  return known;
}
