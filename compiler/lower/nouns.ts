/** The nouns: teams, namespaces, workloads, services, gateways; their names, owners, ports and versions. */
import { ir as messages } from '../../core/diagnostics/ir';
import type { WirePort } from '../../core/declarations/declaration';
import type { Gateway, Layer, Namespace, RequestClass, Service, ServicePort, Workload } from '../../core/ir/ir';
import { portKey, principalOf, workloadKey } from '../../core/mesh/ids';
import type { RuleId } from '../../core/mesh/ids';
import { sortedBy, sortedUnique } from '../../core/lib/order';
import { hasPlatformRole } from './context';
import type { Context, Declared, Place } from './context';
import { lowerGateway } from './gateways';
import { checkLabel, checkTeam, checkVersion, isDomain } from './names';
import { lowerRequests } from './request-line';
import { checkPortSettings, portSettings, readDuration } from './settings';
import type { SettingsTable } from './settings';
import { wholeNumber } from './units';

/** What the rest of lower looks nouns up in. Keys are declaration ids. */
export interface Nouns {
  readonly namespaces: ReadonlyMap<string, Namespace & { readonly tags: Tags }>;
  readonly workloads: ReadonlyMap<string, Workload>;
  readonly services: ReadonlyMap<string, Service>;
  readonly gateways: ReadonlyMap<string, Gateway>;
}
type Tags = { readonly [tag: string]: string };

const layers: { readonly [protocol: string]: Layer } = {
  http: 'http',
  http2: 'http',
  websocket: 'http',
  grpc: 'grpc',
  tls: 'tls',
  tcp: 'tcp',
  kafka: 'tcp',
  amqp: 'tcp',
  mongo: 'tcp',
  mysql: 'tcp',
  postgres: 'tcp',
  redis: 'tcp',
};

export function checkMesh(context: Context): void {
  const at = { id: context.meshId, path: '' };
  const { mesh } = context;
  if (!isDomain(mesh.trustDomain))
    context.report(messages.badName, { what: 'trust domain', name: mesh.trustDomain, grammar: 'a lower-case DNS name' }, at);
  if (!/^[0-9]+\.[0-9]+\.[0-9]+$/.test(mesh.runs.envoy))
    context.report(messages.badName, { what: 'version of Envoy', name: mesh.runs.envoy, grammar: 'three numbers with dots' }, at);
  for (const environment of mesh.environments) checkLabel(context, 'environment', environment, at);
  const owners = new Map<string, string>();
  for (const team of Object.keys(mesh.teams).sort()) {
    checkLabel(context, 'team', team, at);
    if (team === 'mesh') context.report(messages.badName, { what: 'team', name: team, grammar: 'it is the name of the root module' }, at);
    for (const namespace of mesh.teams[team]?.namespaces ?? []) {
      const first = owners.get(namespace);
      if (first !== undefined && first !== team)
        context.report(messages.duplicate, { what: 'owner of namespace', name: namespace, first }, at);
      owners.set(namespace, team);
    }
  }
}

/** Whether `team` owns the subject, or acts with the platform role where the act takes that. Reported when not. */
export function checkOwner(
  context: Context,
  by: { readonly team: string; readonly id: string },
  act: string,
  subject: string,
  owner: string,
  platform: boolean,
  path = '',
): boolean {
  if (by.team === owner || (platform && hasPlatformRole(by.team))) return true;
  context.report(messages.notOwner, { team: by.team, act, subject, owner }, { id: by.id, path });
  return false;
}

export function lowerNamespaces(context: Context): Map<string, Namespace & { readonly tags: Tags }> {
  const byId = new Map<string, Namespace & { readonly tags: Tags }>();
  const byName = new Map<string, string>();
  for (const { id, team, value } of context.all('namespace')) {
    const at = { id, path: '' };
    checkLabel(context, 'namespace', value.name, at);
    checkUnique(context, byName, 'namespace', value.name, id);
    if (checkTeam(context, value.team, at)) {
      const owner = Object.keys(context.mesh.teams)
        .sort()
        .find((name) => context.mesh.teams[name]?.namespaces.includes(value.name));
      if (owner !== value.team) context.report(messages.namespaceNotGiven, { namespace: value.name, team: value.team, owner }, at);
      else checkOwner(context, { team, id }, 'declare', value.name, value.team, true);
    }
    const adoption = value.adoption === undefined ? 'enforce' : context.pick(value.adoption, { id, path: 'adoption' });
    if (adoption !== undefined && adoption !== 'enforce')
      context.report(
        messages.unsupported,
        { feature: `\`adoption: '${adoption}'\` (a namespace is enforced from its first release on)` },
        { id, path: 'adoption' },
      );
    byId.set(id, {
      id: id as RuleId,
      name: value.name,
      team: value.team,
      adoption: 'enforce',
      tags: lowerTags(context, value.tags, {}, at),
    });
  }
  return byId;
}

export function lowerNouns(context: Context, namespaces: Nouns['namespaces'], settings: SettingsTable): Nouns {
  const workloads = new Map<string, Workload>();
  const services = new Map<string, Service>();
  const gateways = new Map<string, Gateway>();
  const keys = new Map<string, string>();
  const declared = sortedBy(
    [...context.all('service'), ...context.all('workload'), ...context.all('gateway'), ...context.all('east-west')],
    (d) => d.id,
  );
  for (const declaration of declared) {
    const workload = lowerWorkload(context, declaration, namespaces, keys);
    if (!workload) continue;
    workloads.set(declaration.id, workload);
    if (isKind(declaration, 'service')) services.set(declaration.id, lowerService(context, declaration, workload, settings));
    if (isKind(declaration, 'gateway')) gateways.set(declaration.id, lowerGateway(context, declaration, workload.key));
  }
  return { namespaces, workloads, services, gateways };
}

type Runs = 'service' | 'workload' | 'gateway' | 'east-west';
type DeclaredRuns = { readonly [K in Runs]: Declared<K> }[Runs];
function isKind<K extends Runs>(declaration: DeclaredRuns, kind: K): declaration is Extract<DeclaredRuns, Declared<K>> {
  return declaration.value.kind === kind;
}

function lowerWorkload(
  context: Context,
  { id, team, value }: DeclaredRuns,
  namespaces: Nouns['namespaces'],
  keys: Map<string, string>,
): Workload | undefined {
  const at = { id, path: '' };
  const namespaceRef = context.resolve(value.namespace, ['namespace'], at);
  const namespace = namespaceRef && namespaces.get(namespaceRef.id);
  if (!namespace) return undefined;
  const what = value.kind === 'east-west' ? 'east-west gateway' : value.kind;
  checkLabel(context, what, value.name, at);
  checkLabel(context, 'service account', value.serviceAccount, at);
  checkOwner(context, { team, id }, `declare ${value.kind === 'east-west' ? 'an' : 'a'} ${what} in`, namespace.name, namespace.team, false);
  const key = workloadKey(namespace.name, value.name);
  checkUnique(context, keys, 'workload', key, id);
  const isGateway = value.kind === 'gateway' || value.kind === 'east-west';
  const labels = isGateway ? undefined : value.labels;
  if (labels?.length === 0) context.report(messages.empty, { what: 'the list of labels' }, at);
  for (const label of labels ?? []) {
    if (!/^[A-Za-z0-9./_-]{1,317}=[A-Za-z0-9._-]{0,63}$/.test(label))
      context.report(messages.badName, { what: 'pod label', name: label, grammar: 'write `name=value`' }, at);
  }
  return {
    id: id as RuleId,
    key,
    kind: value.kind,
    team: namespace.team,
    serviceAccount: value.serviceAccount,
    principal: principalOf(context.mesh.trustDomain, namespace.name, value.serviceAccount),
    labels: sortedUnique(labels ?? [`app=${value.name}`]),
    tags: lowerTags(context, isGateway ? undefined : value.tags, namespace.tags, at),
  };
}

function lowerService(context: Context, { id, value }: Declared<'service'>, workload: Workload, settings: SettingsTable): Service {
  const at = { id, path: '' };
  const names = Object.keys(value.ports).sort();
  if (names.length === 0) context.report(messages.empty, { what: `the list of ports of \`${workload.key}\`` }, at);
  const numbers = new Map<number, string>();
  const ports = names.flatMap((name): ServicePort[] => {
    const written = value.ports[name];
    if (!written) return [];
    const place = { id, path: `ports.${name}` };
    checkLabel(context, 'port', name, place);
    wholeNumber(context, 'port', written.number, 1, 65535, place);
    const first = numbers.get(written.number);
    if (first !== undefined) context.report(messages.duplicate, { what: 'port number', name: String(written.number), first }, place);
    numbers.set(written.number, name);
    return [lowerPort(context, workload, name, written, value.versions ?? [], settings, place)];
  });
  for (const version of value.versions ?? []) checkVersion(context, version, at);
  checkPortSettings(
    context,
    settings,
    id,
    value.name,
    ports.map((port) => port.layer),
  );
  return {
    id: id as RuleId,
    key: workload.key,
    team: workload.team,
    versions: sortedUnique(value.versions ?? []),
    versionLabel: value.versionLabel ?? 'version',
    ports,
  };
}

function lowerPort(
  context: Context,
  workload: Workload,
  name: string,
  written: WirePort,
  versions: readonly string[],
  settings: SettingsTable,
  at: Place,
): ServicePort {
  const layer = Object.hasOwn(layers, written.protocol) ? layers[written.protocol] : undefined;
  if (!layer) context.report(messages.unsupported, { feature: `the protocol \`${written.protocol}\`` }, at);
  const key = portKey(workload.key, name);
  const urls = written.urls ?? 'rfc3986';
  let requests: readonly RequestClass[] | null = null;
  if (written.requests && (layer === 'http' || layer === 'grpc')) {
    if (written.requests.length === 0) context.report(messages.empty, { what: `the contract of \`${key}\`` }, at);
    requests = lowerRequests(context, written.requests, { key, layer, urls, requests: null }, at, () => undefined);
  }
  const own = portSettings(context, settings, workload.id, layer ?? 'tcp');
  return {
    key,
    name,
    protocol: written.protocol,
    layer: layer ?? 'tcp',
    number: written.number,
    requests,
    maxAgeMs: lowerMaxAge(context, written, at),
    brokers: lowerBrokers(context, written, versions, at),
    ...lowerProxyProtocol(context, written, at),
    urls,
    ...own,
  };
}

/** An hour where nothing is said: what is open when access is taken away ends with it at the latest. */
const builtInMaxAgeMs = 3_600_000;
function lowerMaxAge(context: Context, { protocol, maxAge }: WirePort, at: Place): number | null {
  if (protocol !== 'websocket') {
    if (maxAge !== undefined) context.report(messages.unsupported, { feature: `\`maxAge\` on a ${protocol} port` }, at);
    return null;
  }
  return (maxAge === undefined ? undefined : readDuration(context, maxAge, at)) ?? builtInMaxAgeMs;
}
function lowerBrokers(context: Context, { protocol, brokers }: WirePort, versions: readonly string[], at: Place): readonly string[] {
  if (brokers === undefined) return [];
  if (protocol !== 'kafka') context.report(messages.unsupported, { feature: `\`brokers\` on a ${protocol} port` }, at);
  if (brokers.length === 0) context.report(messages.empty, { what: 'the list of brokers' }, at);
  for (const broker of brokers)
    if (!versions.includes(broker)) context.report(messages.unknownPart, { what: 'version', name: broker, of: at.id, known: versions }, at);
  return sortedUnique(brokers);
}

/** Of an application that reads bytes: one that reads requests is told in their headers. */
function lowerProxyProtocol(context: Context, { protocol, proxyProtocol }: WirePort, at: Place): Pick<ServicePort, 'proxyProtocol'> {
  if (proxyProtocol === undefined) return {};
  if (['tcp', 'tls', 'mysql'].includes(protocol)) return { proxyProtocol };
  context.report(messages.unsupported, { feature: `\`proxyProtocol\` on a ${protocol} port` }, at);
  return {};
}

function lowerTags(context: Context, own: Tags | undefined, inherited: Tags, at: Place): Tags {
  checkTags(context, own ?? {}, at);
  return { ...inherited, ...own };
}

/** Whether tags and values are in the mesh's vocabulary. */
export function checkTags(context: Context, tags: Tags, at: Place): void {
  const vocabulary = context.mesh.tags ?? {};
  for (const tag of Object.keys(tags).sort()) {
    const values = Object.hasOwn(vocabulary, tag) ? (vocabulary[tag] ?? []) : undefined;
    const value = tags[tag] ?? '';
    if (!values) context.report(messages.badTag, { tag, why: 'the mesh has no such tag', known: Object.keys(vocabulary).sort() }, at);
    else if (!values.includes(value))
      context.report(messages.badTag, { tag, why: `\`${value}\` is none of its values`, known: values }, at);
  }
}

function checkUnique(context: Context, seen: Map<string, string>, what: string, name: string, id: string): void {
  const first = seen.get(name);
  if (first === undefined) seen.set(name, id);
  else {
    const span = context.spanOf({ id: first, path: '' });
    context.report(messages.duplicate, { what, name, first }, { id, path: '' }, span ? [{ message: 'the first one', span }] : []);
  }
}
