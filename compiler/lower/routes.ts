import { ir as messages } from '../../core/diagnostics/ir';
import type { OrPerEnv, Ref, WireConditions, WireDestination, WireRouteElse } from '../../core/declarations/declaration';
import type {
  ConnectionRoutes,
  HostRoutes,
  RouteAction,
  RouteMatch,
  RouteRule,
  RouteTable,
  Service,
  ServicePort,
  WeightedTarget,
} from '../../core/ir/ir';
import { isConnection } from '../../core/ir/layers';
import { anyMatch, plainForward, plainRedirect, plainRespond, plainTarget } from '../../core/ir/plain';
import type { PortKey, RuleId } from '../../core/mesh/ids';
import { grpcStatuses, grpcStatusNumber } from '../../core/mesh/grpc-status';
import { serviceOfPort } from '../../core/mesh/ids';
import { sortedBy } from '../../core/lib/order';
import { suggest } from '../../core/lib/suggest';
import { assertNever } from '../../core/lib/brand';
import { hostCovers, hostEntry } from '../../core/semantics/match';
import type { UrlDialect } from '../../core/semantics/canonical';
import { resolvePort } from './callers';
import { byPort, lowerConnectionTable, synthesisedConnections } from './connection-routes';
import type { Context, Declared, Place } from './context';
import { lowerFields } from './fields';
import { checkHost } from './names';
import { checkOwner } from './nouns';
import type { Nouns } from './nouns';
import { lowerRequests, parseTemplate } from './request-line';
import { ruleSubject, subjectOf } from './rule-subject';
import { ruleSettings, within } from './settings';
import type { Effective, SettingsTable } from './settings';

/** What a list of routes is for: a service port, or a host at a gateway (which has neither versions nor a contract). */
interface Subject {
  readonly key: string;
  readonly service: Service | null;
  readonly port: ServicePort | null;
  readonly urls: UrlDialect;
}

/** One table for each HTTP port, written or synthesised, and the tables of gateway hosts. */
export function lowerRoutes(
  context: Context,
  nouns: Nouns,
  settings: SettingsTable,
): {
  readonly routes: readonly RouteTable[];
  readonly connectionRoutes: readonly ConnectionRoutes[];
  readonly hostRoutes: readonly HostRoutes[];
} {
  const tables = new Map<string, RouteTable>();
  const connections = new Map<string, ConnectionRoutes>();
  const hosts = new Map<string, HostRoutes>();
  for (const declared of context.all('route')) {
    if (declared.value.on.listener !== undefined || declared.value.on.host !== undefined)
      lowerHost(context, nouns, settings, declared, hosts);
    else lowerTable(context, nouns, settings, declared, tables, connections);
  }
  for (const service of nouns.services.values()) {
    for (const port of service.ports) {
      if (isConnection(port.layer)) {
        if (!connections.has(port.key)) connections.set(port.key, synthesisedConnections(port));
      } else if (!tables.has(port.key)) tables.set(port.key, synthesised(context, settings, service, port));
    }
  }
  return {
    routes: sortedBy(tables.values(), (table) => table.port),
    connectionRoutes: byPort(connections.values()),
    hostRoutes: sortedBy(
      hosts.values(),
      (table) => table.gateway,
      (table) => table.listener,
      (table) => table.host,
    ),
  };
}

function lowerTable(
  context: Context,
  nouns: Nouns,
  settings: SettingsTable,
  declared: Declared<'route'>,
  tables: Map<string, RouteTable>,
  connections: Map<string, ConnectionRoutes>,
): void {
  const { id, team, value } = declared;
  const subject = resolvePort(context, nouns, value.on, { id, path: 'on' });
  if (!subject) return;
  const { service, port } = subject;
  checkOwner(context, { team, id }, 'route', port.key, service.team, false);
  if (isSecond(context, (tables.get(port.key) ?? connections.get(port.key))?.id ?? undefined, port.key, id)) return;
  if (isConnection(port.layer)) {
    connections.set(
      port.key,
      lowerConnectionTable(context, nouns, declared, subject, { versions: versionTargets, split: splitTargets, checkOnly }),
    );
    return;
  }
  const rules = lowerRules(context, nouns, settings, declared, { key: port.key, service, port, urls: port.urls });
  tables.set(port.key, { id: id as RuleId, port: port.key, cors: null, rules });
}

function lowerHost(
  context: Context,
  nouns: Nouns,
  settings: SettingsTable,
  declared: Declared<'route'>,
  hosts: Map<string, HostRoutes>,
): void {
  const { id, team, value } = declared;
  const at = { id, path: 'on' };
  const found = context.resolve(value.on, ['gateway'], at);
  const gateway = found && nouns.gateways.get(found.id);
  if (!gateway) return;
  const listener = gateway.listeners.find((known) => known.name === value.on.listener);
  if (!listener) {
    context.report(
      messages.unknownPart,
      { what: 'listener', name: value.on.listener ?? '', of: gateway.key, known: gateway.listeners.map((known) => known.name) },
      at,
    );
    return;
  }
  const host = value.on.host ?? '';
  if (!checkHost(context, host, true, at)) return;
  const known = listener.hosts.map((entry) => entry.host);
  const entry = hostEntry(known, host);
  const owner = listener.hosts.find((candidate) => candidate.host === entry && hostCovers(candidate.host, host));
  if (!owner) {
    context.report(messages.hostNotServed, { host, listener: listener.name, known }, at);
    return;
  }
  checkOwner(context, { team, id }, 'route', host, owner.team, false);
  const key = `${gateway.key}/${listener.name}/${host}`;
  if (isSecond(context, hosts.get(key)?.id, host, id)) return;
  const rules = lowerRules(context, nouns, settings, declared, { key, service: null, port: null, urls: 'rfc3986' });
  hosts.set(key, { id: id as RuleId, gateway: gateway.key, listener: listener.name, host, team: owner.team, cors: null, rules });
}

function isSecond(context: Context, first: string | undefined, on: string, id: string): boolean {
  if (first === undefined) return false;
  const span = context.spanOf({ id: first, path: '' });
  context.report(messages.secondRouteList, { on, first }, { id, path: '' }, span ? [{ message: 'the first list', span }] : []);
  return true;
}

function lowerRules(
  context: Context,
  nouns: Nouns,
  settings: SettingsTable,
  { id, value }: Declared<'route'>,
  subject: Subject,
): readonly RouteRule[] {
  const rules: RouteRule[] = [];
  for (const [index, rule] of value.rules.entries()) {
    const at = { id, path: `rules.${index}` };
    checkOnly(context, rule.only, at);
    if (rule.only && !rule.only.includes(context.environment)) continue;
    const match = lowerMatch(context, rule.when, subject, within(at, 'when'));
    const action = lowerAction(context, nouns, settings, rule, subject, at);
    if (match && action) rules.push({ id: `${id}.rules.${index}` as RuleId, match, action });
  }
  const action = lowerAction(context, nouns, settings, value.otherwise, subject, { id, path: 'otherwise' });
  if (action) rules.push({ id: `${id}.otherwise` as RuleId, match: null, action });
  return rules;
}

/** Reports an `only` that is empty or names an environment that there is not. */
export function checkOnly(context: Context, only: readonly string[] | undefined, at: Place): void {
  if (only?.length === 0) context.report(messages.empty, { what: '`only`' }, at);
  for (const environment of only ?? []) {
    if (!context.mesh.environments.includes(environment))
      context.report(messages.unknownEnvironment, { environment, known: context.mesh.environments }, at);
  }
}

function lowerMatch(context: Context, when: WireConditions, subject: Subject, at: Place): RouteMatch | undefined {
  if (when.from !== undefined) context.report(messages.unsupported, { feature: 'a route by caller (`when.from`)' }, at);
  if (when.sni !== undefined)
    context.report(messages.notOfLayer, { dimension: 'sni', port: subject.key, protocol: subject.port?.protocol ?? 'http' }, at);
  if (when.request?.length === 0) context.report(messages.empty, { what: '`request`' }, at);
  const match: RouteMatch = {
    ...anyMatch,
    requests: lowerRequests(
      context,
      when.request ?? [],
      { key: subject.key, layer: subject.port?.layer ?? 'http', urls: subject.urls, requests: subject.port?.requests ?? null },
      within(at, 'request'),
      suggest,
    ),
    headers: lowerFields(context, 'header', when.headers, within(at, 'headers')),
    query: lowerFields(context, 'query parameter', when.query, within(at, 'query')),
    cookies: lowerFields(context, 'cookie', when.cookies, within(at, 'cookies')),
  };
  if (match.requests.length + match.headers.length + match.query.length + match.cookies.length > 0) return match;
  // Conditions that were written and could not be read have been reported; with none written, `when` would take everything.
  if (
    !when.request?.length &&
    ![when.headers, when.query, when.cookies].some((fields) => fields && Object.keys(fields).length > 0) &&
    when.from === undefined
  ) {
    context.report(messages.empty, { what: '`when`' }, at);
  }
  return undefined;
}

function lowerAction(
  context: Context,
  nouns: Nouns,
  settings: SettingsTable,
  rule: WireRouteElse,
  subject: Subject,
  at: Place,
): RouteAction | undefined {
  const { to } = rule;
  if (to.kind === 'respond' || to.kind === 'redirect' || to.kind === 'respondGrpc') {
    for (const field of ['timeout', 'idle', 'retry'] as const) {
      if (rule[field] !== undefined)
        context.report(messages.unsupported, { feature: `\`${field}\` beside an answer of the mesh itself` }, within(at, field));
    }
    if ((subject.port?.layer === 'grpc') !== (to.kind === 'respondGrpc')) {
      if (to.kind === 'respondGrpc')
        context.report(
          messages.notOfLayer,
          { dimension: 'respondGrpc', port: subject.key, protocol: subject.port?.protocol ?? 'http' },
          at,
        );
      else context.report(messages.grpcAnswer, { port: subject.key, what: to.kind }, within(at, 'to'));
      return undefined;
    }
    if (to.kind === 'respondGrpc') return lowerRespondGrpc(context, to, within(at, 'to'));
    return to.kind === 'respond' ? lowerRespond(context, to, within(at, 'to')) : lowerRedirect(context, to, within(at, 'to'));
  }
  const targets = lowerTargets(context, nouns, to, subject, within(at, 'to'));
  const base = targets && baseSettings(nouns, settings, subject, targets);
  const own = base && ruleSettings(context, base, rule, ruleSubject(context, nouns, targets, plainForward.sticky, within(at, 'to')), at);
  return targets && own && { ...plainForward, to: targets, ...own };
}

/** The settings that a rule stands over: those of its port; at a gateway those of the one service behind the rule, else the mesh's. */
function baseSettings(nouns: Nouns, settings: SettingsTable, subject: Subject, targets: readonly WeightedTarget[]): Effective {
  if (subject.service) return settings.byWorkload.get(subject.service.id) ?? settings.mesh;
  const services = new Set(targets.map((target) => serviceOfPort(target.port)));
  const service = services.size === 1 ? [...nouns.services.values()].find((known) => services.has(known.key)) : undefined;
  return (service && settings.byWorkload.get(service.id)) ?? settings.mesh;
}

function lowerRespond(context: Context, to: Extract<WireDestination, { kind: 'respond' }>, at: Place): RouteAction | undefined {
  if (!Number.isInteger(to.status) || to.status < 200 || to.status > 599) {
    context.report(messages.badNumber, { what: 'status', value: to.status, least: 200, most: 599 }, at);
    return undefined;
  }
  if ((to.body?.length ?? 0) > 4096)
    context.report(messages.badNumber, { what: 'length of the body', value: to.body?.length ?? 0, least: 0, most: 4096 }, at);
  return { ...plainRespond, status: to.status, body: to.body ?? null };
}

function lowerRespondGrpc(context: Context, to: Extract<WireDestination, { kind: 'respondGrpc' }>, at: Place): RouteAction | undefined {
  const status = grpcStatuses.find((known) => known === to.status);
  if (!status) context.report(messages.unknownPart, { what: 'gRPC status', name: to.status, of: 'the protocol', known: grpcStatuses }, at);
  return status && { kind: 'respondGrpc', status: grpcStatusNumber(status), message: to.message ?? null };
}

function lowerRedirect(context: Context, to: Extract<WireDestination, { kind: 'redirect' }>, at: Place): RouteAction | undefined {
  const status = ([301, 302, 303, 307, 308] as const).find((known) => known === (to.status ?? 302));
  if (!status) context.report(messages.badNumber, { what: 'status of a redirect', value: to.status ?? 0, least: 301, most: 308 }, at);
  if (to.host === undefined && to.path === undefined) context.report(messages.empty, { what: 'the redirect' }, at);
  if (to.host !== undefined) checkHost(context, to.host, false, at);
  const path = to.path === undefined ? null : parseTemplate(to.path, 'rfc3986');
  if (typeof path === 'string') {
    context.report(messages.badRequestLine, { line: to.path ?? '', why: path }, at);
    return undefined;
  }
  return status && { ...plainRedirect, host: to.host ?? null, path, status };
}

function lowerTargets(
  context: Context,
  nouns: Nouns,
  to: Exclude<WireDestination, { kind: 'respond' | 'respondGrpc' | 'redirect' }>,
  subject: Subject,
  at: Place,
): readonly WeightedTarget[] | undefined {
  switch (to.kind) {
    case 'version':
      return versionTargets(context, { [to.version]: 100 }, subject, at);
    case 'weights':
      return versionTargets(context, to.weights, subject, at);
    case 'target': {
      const port = httpPort(context, nouns, to.to, subject, at);
      return port && [{ ...plainTarget, port }];
    }
    case 'split':
      return splitTargets(context, to.shares, (ref) => httpPort(context, nouns, ref, subject, at), at);
    case 'unsupported':
      context.report(messages.unsupported, { feature: to.feature }, at);
      return undefined;
    default:
      return assertNever(to);
  }
}

function splitTargets(
  context: Context,
  written: Extract<WireDestination, { kind: 'split' }>['shares'],
  portOf: (ref: Ref) => PortKey | undefined,
  at: Place,
): readonly WeightedTarget[] | undefined {
  const shares = written.map((share) => ({ port: portOf(share.to), weight: context.pick(share.percent, at) }));
  const keys = shares.map((share) => share.port);
  for (const [index, key] of keys.entries())
    if (key && keys.indexOf(key) !== index) context.report(messages.badWeights, { why: `name \`${key}\` twice` }, at);
  if (
    !checkWeights(
      context,
      shares.map((share) => share.weight),
      at,
    )
  )
    return undefined;
  return weighted(shares.flatMap(({ port, weight }) => (port && weight ? [{ ...plainTarget, port, weight }] : [])));
}

function versionTargets(
  context: Context,
  weights: { readonly [version: string]: OrPerEnv<number> },
  { key, service, port }: Pick<Subject, 'key' | 'service' | 'port'>,
  at: Place,
): readonly WeightedTarget[] | undefined {
  if (!service || !port) {
    context.report(messages.unknownPart, { what: 'version', name: Object.keys(weights)[0] ?? '', of: key, known: [] }, at);
    return undefined;
  }
  const names = Object.keys(weights).sort();
  const unknown = names.filter((name) => !service.versions.includes(name));
  for (const name of unknown) context.report(messages.unknownPart, { what: 'version', name, of: service.key, known: service.versions }, at);
  const shares = names.map((version) => ({ version, weight: context.pick(weights[version] ?? 0, within(at, version)) }));
  if (
    !checkWeights(
      context,
      shares.map((share) => share.weight),
      at,
    ) ||
    unknown.length > 0
  )
    return undefined;
  return weighted(shares.flatMap(({ version, weight }) => (weight ? [{ ...plainTarget, port: port.key, version, weight }] : [])));
}

/** Whether shares are whole numbers from 0 to 100 that add up to 100. A share that could not be read was reported before. */
function checkWeights(context: Context, weights: readonly (number | undefined)[], at: Place): boolean {
  const known = weights.filter((weight) => weight !== undefined);
  if (known.length < weights.length) return false;
  const fail = (why: string): false => (context.report(messages.badWeights, { why }, at), false);
  if (known.length === 0) return fail('are empty');
  if (known.some((weight) => !Number.isInteger(weight) || weight < 0 || weight > 100))
    return fail('are not all whole numbers from 0 to 100');
  const sum = known.reduce((total, weight) => total + weight, 0);
  return sum === 100 || fail(`add up to ${sum} in \`${context.environment}\``);
}

const weighted = (targets: readonly WeightedTarget[]): readonly WeightedTarget[] =>
  sortedBy(
    targets,
    (target) => target.port,
    (target) => target.version ?? '',
  );

/** A port that takes such requests: gRPC goes to gRPC, HTTP to HTTP; from a gateway's host either. */
function httpPort(context: Context, nouns: Nouns, ref: Ref, subject: Subject, at: Place): PortKey | undefined {
  if (ref.version !== undefined) context.report(messages.unsupported, { feature: 'a version of another service as destination' }, at);
  const target = resolvePort(context, nouns, ref, at);
  if (target && (subject.port ? target.port.layer !== subject.port.layer : isConnection(target.port.layer))) {
    const { key, protocol } = target.port;
    context.report(
      messages.layerOfTarget,
      { port: subject.key, protocol: subject.port?.protocol ?? 'http', target: key, other: protocol },
      at,
    );
    return undefined;
  }
  return target?.port.key;
}

/** What holds where the owner wrote no routes: everything goes to the port itself, whatever the version. */
function synthesised(context: Context, settings: SettingsTable, service: Service, port: ServicePort): RouteTable {
  const own = ruleSettings(context, settings.byWorkload.get(service.id) ?? settings.mesh, {}, subjectOf([port]), {
    id: service.id,
    path: `ports.${port.name}`,
  });
  return {
    id: null,
    port: port.key,
    cors: null,
    rules: [
      {
        id: `${port.key}.default` as RuleId,
        match: null,
        action: { ...plainForward, to: [{ ...plainTarget, port: port.key }], ...own },
      },
    ],
  };
}
