import { ir as messages } from '../../core/diagnostics/ir';
import type { Ref, WireConditions, WireDestination, WireRouteElse } from '../../core/declarations/declaration';
import type {
  ConnectionRoutes,
  HeaderEdits,
  HostConnections,
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
import type { Principal, RuleId } from '../../core/mesh/ids';
import { serviceOfPort } from '../../core/mesh/ids';
import { sortedBy, sortedUnique } from '../../core/lib/order';
import { suggest } from '../../core/lib/suggest';
import { hostCovers, hostEntry, matchesText } from '../../core/semantics/match';
import { lowerCallers, resolvePort } from './callers';
import { byPort, lowerConnectionRules, lowerConnectionTable, synthesisedConnections } from './connection-routes';
import type { Context, Declared, Place } from './context';
import { lowerCors } from './cors';
import { boundRules, type Delegable, type Delegation, lowerDelegations, withDelegated } from './delegations';
import { lowerFields } from './fields';
import { redirectedHosts } from './gateway-redirects';
import { checkListenerHost } from './gateways';
import { checkDialects, lowerEdits, lowerFault, lowerGrpcStatus, lowerPath, lowerRewrite, lowerSticky } from './http-words';
import { checkHost } from './names';
import { checkOwner } from './nouns';
import type { Nouns } from './nouns';
import { lowerRequests } from './request-line';
import {
  isSplitSomewhere,
  layerOf,
  lowerMirrors,
  lowerTargets,
  portsOf,
  splitTargets,
  type Subject,
  versionTargets,
} from './route-targets';
import { ruleSubject, subjectOf } from './rule-subject';
import { ruleSettings, within } from './settings';
import type { Effective, SettingsTable } from './settings';
import { lowerSources } from './sources';
import { wholeNumber } from './units';
import { lowerUser } from './users';

/** One table for each HTTP port, written or synthesised, and the tables of gateway hosts. */
export function lowerRoutes(
  context: Context,
  nouns: Nouns,
  settings: SettingsTable,
): {
  readonly routes: readonly RouteTable[];
  readonly connectionRoutes: readonly ConnectionRoutes[];
  readonly hostRoutes: readonly HostRoutes[];
  readonly hostConnections: readonly HostConnections[];
} {
  const tables = new Map<string, RouteTable>();
  const connections = new Map<string, ConnectionRoutes>();
  const hosts = new Map<string, HostRoutes>(
    redirectedHosts(context, nouns).map((table) => [`${table.gateway}/${table.listener}/${table.host}`, table] as const),
  );
  const hostConnections = new Map<string, HostConnections>();
  const delegations = lowerDelegations(context, (on, at) => delegable(context, nouns, on, at));
  const delegated = new Map<string, { readonly delegation: Delegation; readonly id: string; readonly rules: readonly RouteRule[] }>();
  for (const declared of context.all('route')) {
    const { on } = declared.value;
    if (context.all('delegation').some((known) => known.id === on.ref)) {
      const delegation = delegations.get(on.ref);
      if (!delegation || isSecond(context, delegated.get(on.ref)?.id, delegation.text, declared.id)) continue;
      delegated.set(on.ref, { delegation, id: declared.id, rules: lowerDelegated(context, nouns, settings, declared, delegation) });
    } else if (on.listener !== undefined || on.host !== undefined) lowerHost(context, nouns, settings, declared, hosts, hostConnections);
    else lowerTable(context, nouns, settings, declared, tables, connections);
  }
  for (const service of nouns.services.values()) {
    for (const port of service.ports) {
      if (isConnection(port.layer)) {
        if (!connections.has(port.key)) connections.set(port.key, synthesisedConnections(port));
      } else if (!tables.has(port.key)) tables.set(port.key, synthesised(context, settings, service, port));
    }
  }
  for (const key of new Set([...delegated.values()].map(({ delegation }) => delegation.subject.key))) {
    const lists = [...delegated.values()].filter(({ delegation }) => delegation.subject.key === key);
    const [table, host] = [tables.get(key), hosts.get(key)];
    if (table) tables.set(key, { ...table, rules: withDelegated(table.rules, lists) });
    else if (host) hosts.set(key, { ...host, rules: withDelegated(host.rules, lists) });
    else for (const { delegation } of lists) context.report(messages.delegatedFromNothing, { on: key }, { id: delegation.id, path: '' });
  }
  return {
    routes: sortedBy(tables.values(), (table) => table.port),
    connectionRoutes: byPort(connections.values()),
    hostRoutes: byPlace(hosts.values()),
    hostConnections: byPlace(hostConnections.values()),
  };
}

const byPlace = <T extends Pick<HostRoutes, 'gateway' | 'listener' | 'host'>>(tables: Iterable<T>): readonly T[] =>
  sortedBy(
    tables,
    (table) => table.gateway,
    (table) => table.listener,
    (table) => table.host,
  );

/** Routes that a team wrote for paths which another one gave to it. */
function lowerDelegated(
  context: Context,
  nouns: Nouns,
  settings: SettingsTable,
  declared: Declared<'route'>,
  delegation: Delegation,
): readonly RouteRule[] {
  const { id, team, value } = declared;
  checkOwner(context, { team, id }, 'route', `${delegation.text} of ${delegation.subject.key}`, delegation.to, false);
  if (value.cors)
    context.report(messages.unsupported, { feature: '`cors` in a delegated list (its owner answers for all of it)' }, { id, path: 'cors' });
  const { key, urls } = delegation.subject;
  const port = delegation.on.port === undefined ? undefined : resolvePort(context, nouns, delegation.on, { id, path: 'on' });
  const subject = { key, urls, service: port?.service ?? null, port: port?.port ?? null };
  return boundRules(context, delegation, lowerRules(context, nouns, settings, declared, subject), id);
}

/** What a delegation takes paths out of. */
function delegable(context: Context, nouns: Nouns, on: Ref, at: Place): Delegable | undefined {
  if (on.listener !== undefined || on.host !== undefined) {
    const found = resolveHost(context, nouns, on, at);
    const spoken = found?.listener.speaks.kind;
    if (found && (spoken === 'tls' || spoken === 'tcp')) {
      context.report(messages.notOfLayer, { dimension: 'delegate', port: found.key, protocol: spoken }, at);
      return undefined;
    }
    return found && { key: found.key, owner: found.owner, urls: 'rfc3986' };
  }
  const found = resolvePort(context, nouns, on, at);
  if (found && found.port.layer !== 'http') {
    context.report(messages.notOfLayer, { dimension: 'delegate', port: found.port.key, protocol: found.port.protocol }, at);
    return undefined;
  }
  return found && { key: found.port.key, owner: found.service.team, urls: found.port.urls };
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
  tables.set(port.key, { id: id as RuleId, port: port.key, cors: lowerCors(context, value.cors, { id, path: 'cors' }), rules });
}

function lowerHost(
  context: Context,
  nouns: Nouns,
  settings: SettingsTable,
  declared: Declared<'route'>,
  hosts: Map<string, HostRoutes>,
  connections: Map<string, HostConnections>,
): void {
  const { id, team, value } = declared;
  const found = resolveHost(context, nouns, value.on, { id, path: 'on' });
  if (!found) return;
  const { key, owner, gateway, listener, host } = found;
  checkOwner(context, { team, id }, 'route', host === '*' ? key : host, owner, false);
  if (isSecond(context, (hosts.get(key) ?? connections.get(key))?.id, host === '*' ? key : host, id)) return;
  const { kind } = listener.speaks;
  if (kind === 'tls' || kind === 'tcp') {
    const subject = { service: null, port: { key, layer: kind, protocol: kind }, own: null };
    const rules = lowerConnectionRules(context, nouns, declared, subject, { versions: versionTargets, split: splitTargets, checkOnly });
    connections.set(key, { id: id as RuleId, gateway: gateway.key, listener: listener.name, host, team: owner, rules });
    return;
  }
  const rules = lowerRules(context, nouns, settings, declared, { key, service: null, port: null, urls: 'rfc3986' });
  const cors = lowerCors(context, value.cors, { id, path: 'cors' });
  hosts.set(key, { id: id as RuleId, gateway: gateway.key, listener: listener.name, host, team: owner, cors, rules });
}

/** A host at a gateway's listener, and the team that may route it. Reported and undefined when there is none. */
function resolveHost(context: Context, nouns: Nouns, on: Ref, at: Place) {
  const found = context.resolve(on, ['gateway'], at);
  const gateway = found && nouns.gateways.get(found.id);
  if (!gateway) return undefined;
  const listener = gateway.listeners.find((known) => known.name === on.listener);
  if (!listener) {
    const known = gateway.listeners.map(({ name }) => name);
    context.report(messages.unknownPart, { what: 'listener', name: on.listener ?? '', of: gateway.key, known }, at);
    return undefined;
  }
  const host = on.host ?? (listener.speaks.kind === 'tcp' ? '*' : '');
  if (!checkListenerHost(context, host, at)) return undefined;
  const known = listener.hosts.map((entry) => entry.host);
  const entry = hostEntry(known, host);
  const owner = listener.hosts.find((candidate) => candidate.host === entry && hostCovers(candidate.host, host));
  if (owner) return { key: `${gateway.key}/${listener.name}/${host}`, owner: owner.team, gateway, listener, host };
  context.report(messages.hostNotServed, { host, listener: listener.name, known }, at);
  return undefined;
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
    const match = lowerMatch(context, nouns, rule.when, subject, within(at, 'when'));
    const action = lowerAction(context, nouns, settings, rule, match ?? null, subject, at);
    if (match && action) rules.push({ id: `${id}.rules.${index}` as RuleId, match, action });
  }
  const action = lowerAction(context, nouns, settings, value.otherwise, null, subject, { id, path: 'otherwise' });
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

function lowerMatch(context: Context, nouns: Nouns, when: WireConditions, subject: Subject, at: Place): RouteMatch | undefined {
  if (when.sni !== undefined)
    context.report(messages.notOfLayer, { dimension: 'sni', port: subject.key, protocol: subject.port?.protocol ?? 'http' }, at);
  for (const list of ['request', 'hosts'] as const)
    if (when[list]?.length === 0) context.report(messages.empty, { what: `\`${list}\`` }, within(at, list));
  const atGateway = subject.port === null;
  const callers = atGateway ? undefined : when.from && lowerRouteCallers(context, nouns, when.from, within(at, 'from'));
  const sources = atGateway && when.from ? lowerSources(context, nouns, when.from, subject.key, within(at, 'from')) : [];
  if (sources === undefined) return undefined;
  const user = lowerUser(context, when.user, within(at, 'user'));
  if (user && subject.service?.outside)
    context.report(messages.unsupported, { feature: 'end users (`user`) at a host outside the mesh' }, within(at, 'user'));
  if (when.user && !user) return undefined;
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
    withoutHeaders: lowerAbsent(context, when.withoutHeaders, within(at, 'withoutHeaders')),
    query: lowerFields(context, 'query parameter', when.query, within(at, 'query')),
    cookies: lowerFields(context, 'cookie', when.cookies, within(at, 'cookies')),
    hosts: sortedUnique((when.hosts ?? []).filter((host) => checkHost(context, host, false, within(at, 'hosts')))),
    callers: callers ?? null,
    sources,
    user,
  };
  const lists = [
    match.requests,
    match.headers,
    match.withoutHeaders,
    match.query,
    match.cookies,
    match.hosts,
    callers ?? [],
    sources,
    user ? [user] : [],
  ];
  if (lists.some((list) => list.length > 0)) return match;
  // Conditions that were written and could not be read have been reported; with none written, `when` would take everything.
  const written = [when.headers, when.withoutHeaders, when.query, when.cookies].some((fields) => fields && Object.keys(fields).length > 0);
  if (!written && !when.request?.length && !when.hosts?.length && when.from === undefined)
    context.report(messages.empty, { what: '`when`' }, at);
  return undefined;
}

/** What is there when a header is not there is the empty text, and an expression that takes it could not tell. */
function lowerAbsent(context: Context, fields: WireConditions['withoutHeaders'], at: Place): RouteMatch['withoutHeaders'] {
  const absent = lowerFields(context, 'header', fields, at);
  for (const { name, match } of absent)
    if (match.kind === 'regex' && matchesText(match, ''))
      context.report(messages.badTextMatch, { text: match.value, why: 'it takes the empty text too: write `present()`' }, within(at, name));
  return absent;
}

/** Whose requests a rule takes. The caller's own proxy decides it, which knows who it is. */
function lowerRouteCallers(
  context: Context,
  nouns: Nouns,
  from: NonNullable<WireConditions['from']>,
  at: Place,
): readonly Principal[] | undefined {
  const callers = lowerCallers(context, nouns, from, at);
  if (callers?.kind !== 'anyone') return callers && sortedUnique(callers.principals.map(({ principal }) => principal));
  context.report(messages.unsupported, { feature: '`anyone` in a route (leave `from` out)' }, at);
  return undefined;
}

function lowerAction(
  context: Context,
  nouns: Nouns,
  settings: SettingsTable,
  rule: WireRouteElse,
  match: RouteMatch | null,
  subject: Subject,
  at: Place,
): RouteAction | undefined {
  const { to } = rule;
  if (to.kind === 'respond' || to.kind === 'redirect' || to.kind === 'respondGrpc')
    return lowerAnswer(context, rule, to, match, subject, at);
  const targets = lowerTargets(context, nouns, to, match, subject, within(at, 'to'));
  const base = targets && baseSettings(nouns, settings, subject, targets);
  const written = lowerSticky(context, rule.sticky, isSplitSomewhere(context, to), within(at, 'sticky'));
  if (rule.sticky && rule.sticky.kind !== 'header' && subject.port?.layer === 'grpc')
    context.report(messages.unsupported, { feature: '`sticky` by a cookie on a gRPC port (its clients keep none)' }, within(at, 'sticky'));
  // where an environment has one destination only, there is nothing to keep
  const sticky = targets && targets.length > 1 ? written : null;
  const own = base && ruleSettings(context, base, rule, ruleSubject(context, nouns, targets, sticky, within(at, 'to')), at);
  const rewrite = lowerRewrite(context, rule.rewrite, match, within(at, 'rewrite'));
  const mirrors = lowerMirrors(context, nouns, rule.mirror ?? [], subject, within(at, 'mirror'));
  if (!targets || !own || rewrite === undefined) return undefined;
  checkRewrites(context, nouns, rule, { targets, mirrors, rewrite, sticky }, subject, at);
  return {
    ...plainForward,
    to: targets,
    ...own,
    sticky,
    rewrite,
    requestHeaders: lowerEdits(context, rule.requestHeaders, layerOf(subject), within(at, 'requestHeaders')),
    responseHeaders: lowerEdits(context, rule.responseHeaders, layerOf(subject), within(at, 'responseHeaders')),
    mirrors,
    fault: lowerFault(context, rule.fault, subject, within(at, 'fault')),
  };
}

/** Whether what destinations read can be as it is written: by each port's dialect, and in one form where there are copies or a key. */
function checkRewrites(
  context: Context,
  nouns: Nouns,
  rule: WireRouteElse,
  {
    targets,
    mirrors,
    rewrite,
    sticky,
  }: Pick<Extract<RouteAction, { kind: 'forward' }>, 'mirrors' | 'rewrite' | 'sticky'> & {
    readonly targets: readonly WeightedTarget[];
  },
  subject: Subject,
  at: Place,
): void {
  if (rule.rewrite !== undefined && subject.port?.layer === 'grpc')
    context.report(messages.notOfGrpc, { port: subject.key, what: 'rewrite' }, within(at, 'rewrite'));
  if (rewrite?.path) checkDialects(context, rewrite.path, portsOf(nouns, [...targets, ...mirrors]), within(at, 'rewrite'));
  for (const target of targets) {
    if (target.rewrite === null) continue;
    if (target.rewrite.path) checkDialects(context, target.rewrite.path, portsOf(nouns, [target]), within(at, 'to'));
    if (subject.port?.layer === 'grpc') context.report(messages.notOfGrpc, { port: subject.key, what: 'rewrite' }, within(at, 'to'));
  }
  const ownRewrite = targets.some((target) => target.rewrite !== null);
  if (mirrors.length > 0 && (ownRewrite || targets.some((target) => !isPlain(target.requestHeaders))))
    context.report(
      messages.unsupported,
      { feature: '`mirror` beside request headers or a rewrite of one destination (a copy has one form)' },
      within(at, 'mirror'),
    );
  if (ownRewrite && sticky !== null && sticky.kind !== 'issued')
    context.report(
      messages.unsupported,
      { feature: "a rewrite of one destination beside `sticky` by a header or a cookie of the client's (`issue` a cookie)" },
      within(at, 'sticky'),
    );
}
const isPlain = ({ remove, set, add }: HeaderEdits): boolean => remove.length + set.length + add.length === 0;

function lowerAnswer(
  context: Context,
  rule: WireRouteElse,
  to: Extract<WireDestination, { kind: 'respond' | 'redirect' | 'respondGrpc' }>,
  match: RouteMatch | null,
  subject: Subject,
  at: Place,
): RouteAction | undefined {
  for (const field of ['timeout', 'idle', 'retry', 'sticky', 'rewrite', 'requestHeaders', 'mirror', 'fault'] as const) {
    if (rule[field] !== undefined)
      context.report(messages.unsupported, { feature: `\`${field}\` beside an answer of the mesh itself` }, within(at, field));
  }
  if ((subject.port?.layer === 'grpc') !== (to.kind === 'respondGrpc')) {
    const protocol = subject.port?.protocol ?? 'http';
    if (to.kind === 'respondGrpc') context.report(messages.notOfLayer, { dimension: 'respondGrpc', port: subject.key, protocol }, at);
    else context.report(messages.grpcAnswer, { port: subject.key, what: to.kind }, within(at, 'to'));
    return undefined;
  }
  if (to.kind === 'respondGrpc') return lowerRespondGrpc(context, to, within(at, 'to'));
  const responseHeaders = lowerEdits(context, rule.responseHeaders, 'http', within(at, 'responseHeaders'));
  const action = to.kind === 'respond' ? lowerRespond(context, to, within(at, 'to')) : lowerRedirect(context, to, match, within(at, 'to'));
  return action && { ...action, responseHeaders };
}

/** The settings that a rule stands over: those of its port; at a gateway those of the one service behind the rule, else the mesh's. */
function baseSettings(nouns: Nouns, settings: SettingsTable, subject: Subject, targets: readonly WeightedTarget[]): Effective {
  if (subject.service) return settings.byWorkload.get(subject.service.id) ?? settings.mesh;
  const services = new Set(targets.map((target) => serviceOfPort(target.port)));
  const service = services.size === 1 ? [...nouns.services.values()].find((known) => services.has(known.key)) : undefined;
  return (service && settings.byWorkload.get(service.id)) ?? settings.mesh;
}

function lowerRespond(context: Context, to: Extract<WireDestination, { kind: 'respond' }>, at: Place): Respond | undefined {
  if (!Number.isInteger(to.status) || to.status < 200 || to.status > 599) {
    context.report(messages.badNumber, { what: 'status', value: to.status, least: 200, most: 599 }, at);
    return undefined;
  }
  // what follows such an answer would be read as the next one (RFC 9110 sections 15.3.5, 15.3.6, 15.4.5)
  const most = [204, 205, 304].includes(to.status) ? 0 : 4096;
  if ((to.body?.length ?? 0) > most)
    context.report(messages.badNumber, { what: 'length of the body', value: to.body?.length ?? 0, least: 0, most }, at);
  return { ...plainRespond, status: to.status, body: to.body ?? null };
}

function lowerRespondGrpc(context: Context, to: Extract<WireDestination, { kind: 'respondGrpc' }>, at: Place): RouteAction | undefined {
  const status = lowerGrpcStatus(context, to.status, at);
  return status === undefined ? undefined : { kind: 'respondGrpc', status, message: to.message ?? null };
}

type Respond = Extract<RouteAction, { kind: 'respond' }>;
type Redirect = Extract<RouteAction, { kind: 'redirect' }>;
function lowerRedirect(
  context: Context,
  to: Extract<WireDestination, { kind: 'redirect' }>,
  match: RouteMatch | null,
  at: Place,
): Redirect | undefined {
  const status = ([301, 302, 303, 307, 308] as const).find((known) => known === (to.status ?? 302));
  if (!status) context.report(messages.badNumber, { what: 'status of a redirect', value: to.status ?? 0, least: 301, most: 308 }, at);
  if ([to.scheme, to.host, to.port, to.path].every((part) => part === undefined))
    context.report(messages.empty, { what: 'the redirect' }, at);
  if (to.host !== undefined) checkHost(context, to.host, false, at);
  if (to.port !== undefined && wholeNumber(context, 'port', to.port, 1, 65_535, at) === undefined) return undefined;
  const path = to.path === undefined ? null : lowerPath(context, to.path, match, at);
  if (path === undefined || !status) return undefined;
  return { ...plainRedirect, scheme: to.scheme ?? null, host: to.host ?? null, port: to.port ?? null, path, status };
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
