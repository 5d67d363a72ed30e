/** Routes of connections: the ports whose requests no proxy reads. */
import { ir as messages } from '../../core/diagnostics/ir';
import type { Ref, WireConditions, WireDestination, WireRouteElse } from '../../core/declarations/declaration';
import type { ConnectionMatch, ConnectionRoutes, ConnectionRule, Service, ServicePort, ConnectionTarget } from '../../core/ir/ir';
import { isConnection } from '../../core/ir/layers';
import { sortedBy, sortedUnique } from '../../core/lib/order';
import type { PortKey, RuleId } from '../../core/mesh/ids';
import { lowerCallers, resolvePort } from './callers';
import type { Context, Declared, Place } from './context';
import { checkHost } from './names';
import type { Nouns } from './nouns';
import { readDuration, within } from './settings';
import { lowerSources } from './sources';

/** Envoy's own default (TcpProxy.idle_timeout), said once here instead of left out. */
const builtInIdleMs = 3_600_000;

/** What a list of routes is for: a port of a service, or a host at a gateway (which has no service). */
interface Subject {
  readonly service: Service | null;
  readonly port: Pick<ServicePort, 'layer' | 'protocol'> & { readonly key: string };
  /** null at a gateway. */
  readonly own: ServicePort | null;
}
/** Weights of versions, as route lists of every layer read them. */
export type VersionTargets = (
  context: Context,
  weights: Extract<WireDestination, { kind: 'weights' }>['weights'],
  subject: { readonly key: string; readonly service: Service | null; readonly port: ServicePort | null },
  at: Place,
) => readonly ConnectionTarget[] | undefined;
/** Shares over ports, as route lists of every layer read them. */
export type SplitTargets = (
  context: Context,
  shares: Extract<WireDestination, { kind: 'split' }>['shares'],
  portOf: (ref: Ref) => PortKey | undefined,
  of: { readonly match: null; readonly layer: 'http' },
  at: Place,
) => readonly ConnectionTarget[] | undefined;

export interface TargetReaders {
  readonly versions: VersionTargets;
  readonly split: SplitTargets;
  checkOnly(context: Context, only: readonly string[] | undefined, at: Place): void;
}

/** The table of one port as its owner wrote it. */
export function lowerConnectionTable(
  context: Context,
  nouns: Nouns,
  declared: Declared<'route'>,
  { service, port }: { readonly service: Service; readonly port: ServicePort },
  readers: TargetReaders,
): ConnectionRoutes {
  const rules = lowerConnectionRules(context, nouns, declared, { service, port, own: port }, readers);
  return { id: declared.id as RuleId, port: port.key, rules };
}

/** The rules of a list as it was written. */
export function lowerConnectionRules(
  context: Context,
  nouns: Nouns,
  { id, value }: Declared<'route'>,
  subject: Subject,
  readers: TargetReaders,
): readonly ConnectionRule[] {
  const rules: ConnectionRule[] = [];
  for (const [index, rule] of value.rules.entries()) {
    const at = { id, path: `rules.${index}` };
    readers.checkOnly(context, rule.only, at);
    if (rule.only && !rule.only.includes(context.environment)) continue;
    const match = lowerMatch(context, nouns, rule.when, subject, within(at, 'when'));
    const action = lowerAction(context, nouns, rule, subject, at, readers);
    if (match && action) rules.push({ id: `${id}.rules.${index}` as RuleId, match, ...action });
  }
  const action = lowerAction(context, nouns, value.otherwise, subject, { id, path: 'otherwise' }, readers);
  if (action) rules.push({ id: `${id}.otherwise` as RuleId, match: null, ...action });
  return rules;
}

/** What holds where the owner wrote no routes. */
export function synthesisedConnections(port: ServicePort): ConnectionRoutes {
  const to = [{ port: port.key, version: null, weight: 100 }];
  return { id: null, port: port.key, rules: [{ id: `${port.key}.default` as RuleId, match: null, to, idleMs: builtInIdleMs }] };
}

function lowerMatch(context: Context, nouns: Nouns, when: WireConditions, { port, own }: Subject, at: Place): ConnectionMatch | undefined {
  const { sni, from } = when;
  for (const dimension of ['request', 'headers', 'query', 'cookies'] as const)
    if (when[dimension] !== undefined) context.report(messages.notOfLayer, { dimension, port: port.key, protocol: port.protocol }, at);
  if (sni !== undefined && (port.layer !== 'tls' || own === null))
    context.report(messages.notOfLayer, { dimension: 'sni', port: port.key, protocol: port.protocol }, at);
  if (sni?.length === 0) context.report(messages.empty, { what: '`sni`' }, within(at, 'sni'));
  if (sni === undefined && from === undefined) context.report(messages.empty, { what: '`when`' }, at);
  const names = (sni ?? []).filter((name) => checkHost(context, name, true, within(at, 'sni')));
  if (own === null) {
    const sources = lowerSources(context, nouns, from ?? [], port.key, within(at, 'from'));
    return sources && { sources, from: [], sni: [] };
  }
  const callers = from === undefined ? null : lowerCallers(context, nouns, from, within(at, 'from'));
  if (callers?.kind === 'anyone') {
    context.report(messages.unsupported, { feature: '`anyone` in a route (leave `from` out)' }, within(at, 'from'));
    return undefined;
  }
  if (callers === undefined || names.length < (sni ?? []).length) return undefined;
  return {
    sources: [],
    from: (callers?.principals ?? []).map((caller) => caller.principal),
    sni: sortedUnique(names.map((name) => name.toLowerCase())),
  };
}

function lowerAction(
  context: Context,
  nouns: Nouns,
  rule: WireRouteElse,
  subject: Subject,
  at: Place,
  readers: TargetReaders,
): Pick<ConnectionRule, 'to' | 'idleMs'> | undefined {
  const { port } = subject;
  for (const dimension of ['timeout', 'retry', 'sticky', 'rewrite', 'requestHeaders', 'responseHeaders', 'mirror', 'fault'] as const)
    if (rule[dimension] !== undefined)
      context.report(messages.notOfLayer, { dimension, port: port.key, protocol: port.protocol }, within(at, dimension));
  const idleMs = rule.idle === undefined ? builtInIdleMs : readDuration(context, rule.idle, within(at, 'idle'));
  const to = lowerTargets(context, nouns, rule.to, subject, within(at, 'to'), readers);
  return to && idleMs !== undefined ? { to, idleMs } : undefined;
}

function lowerTargets(
  context: Context,
  nouns: Nouns,
  to: WireDestination,
  { service, port, own }: Subject,
  at: Place,
  readers: TargetReaders,
): readonly ConnectionTarget[] | undefined {
  const portOf = (ref: Ref): PortKey | undefined => connectionPort(context, nouns, ref, port, at);
  switch (to.kind) {
    case 'version':
      return readers.versions(context, { [to.version]: 100 }, { key: port.key, service, port: own }, at);
    case 'weights':
      return readers.versions(context, to.weights, { key: port.key, service, port: own }, at);
    case 'target': {
      const target = portOf(to.to);
      return target && [{ port: target, version: to.to.version ?? null, weight: 100 }];
    }
    case 'split':
      for (const share of to.shares)
        for (const dimension of ['rewrite', 'requestHeaders', 'responseHeaders'] as const)
          if (share[dimension] !== undefined)
            context.report(messages.notOfLayer, { dimension, port: port.key, protocol: port.protocol }, at);
      return readers.split(context, to.shares, portOf, { match: null, layer: 'http' }, at);
    case 'unsupported':
      context.report(messages.unsupported, { feature: to.feature }, at);
      return undefined;
    default:
      context.report(messages.connectionAnswer, { port: port.key, what: to.kind }, at);
      return undefined;
  }
}

/** A port that takes the same connections: bytes of one protocol go to a port that speaks it, or to plain TCP. */
function connectionPort(context: Context, nouns: Nouns, ref: Ref, from: Subject['port'], at: Place): PortKey | undefined {
  const found = resolvePort(context, nouns, ref, at);
  if (!found) return undefined;
  const { port: target, service } = found;
  const known = service.versions;
  if (ref.version !== undefined && !known.includes(ref.version))
    context.report(messages.unknownPart, { what: 'version', name: ref.version, of: service.key, known }, at);
  if (isConnection(target.layer) && (target.protocol === from.protocol || target.protocol === 'tcp' || from.protocol === 'tcp'))
    return target.key;
  context.report(messages.layerOfTarget, { port: from.key, protocol: from.protocol, target: target.key, other: target.protocol }, at);
  return undefined;
}

/** By port. */
export const byPort = (tables: Iterable<ConnectionRoutes>): readonly ConnectionRoutes[] => sortedBy(tables, (table) => table.port);
