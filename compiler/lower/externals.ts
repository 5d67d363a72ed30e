/** Hosts that somebody else runs: called like services, and decided at the caller's proxy, or at the gateway through which they are called. */
import { ir as messages } from '../../core/diagnostics/ir';
import { outside as words } from '../../core/diagnostics/outside';
import type { AccessRule, ConnectionRoutes, HostRoutes, Layer, MeshIr, Outside, Service, ServicePort } from '../../core/ir/ir';
import { builtInResilience } from '../../core/ir/resilience';
import { sortedUnique } from '../../core/lib/order';
import { outsideNamespace, portKey, type PortKey, type RuleId, workloadKey, type WorkloadKey } from '../../core/mesh/ids';
import { isIpAddress, isMapped } from '../../core/mesh/ip-address';
import { reservedAt } from '../../core/mesh/reserved-networks';
import { hostsOfPort, isWildcard } from '../../core/semantics/address';
import { hostCovers } from '../../core/semantics/match';
import { type Context, type Declared, hasPlatformRole, type Place } from './context';
import { checkHost, checkLabel, checkTeam, isDomain } from './names';
import { checkOwner, type Nouns } from './nouns';
import { lowerRequests } from './request-line';
import { checkOverlaps, lowerRanges } from './ranges';
import { portSettings, type SettingsTable } from './settings';
import { wholeNumber } from './units';
import { checkNames, checkWildcard, checkWildcardPorts, placesOf } from './wildcards';

/** What a proxy can speak to the outside and judge by itself. */
const layers: ReadonlyMap<string, Layer> = new Map([
  ['http', 'http'],
  ['http2', 'http'],
  ['https', 'http'],
  ['grpc', 'grpc'],
  ['grpcs', 'grpc'],
  ['tls', 'tls'],
  ...['tcp', 'amqp', 'mongo', 'mysql', 'postgres', 'redis'].map((protocol) => [protocol, 'tcp'] as const),
]);

/** By declaration id, beside the services of the mesh. */
export function lowerExternals(
  context: Context,
  settings: SettingsTable,
  { services, workloads }: Pick<Nouns, 'services' | 'workloads'>,
): ReadonlyMap<string, Service> {
  const externals = new Map<string, Service>();
  const names = new Map<WorkloadKey, string>();
  const homes = new Map(context.all('namespace').map(({ value }) => [value.name, value.team]));
  const taken = new Map<string, string>();
  for (const service of services.values())
    for (const port of service.ports) for (const host of hostsOfPort(service, port, null)) taken.set(host.replace(/:\d+$/, ''), service.id);
  const within = [...taken.keys()];
  for (const declared of context.all('external')) {
    const service = lowerExternal(context, settings, { workloads, within }, declared);
    const at = { id: declared.id, path: '' };
    const first = names.get(service.key);
    if (first !== undefined) context.report(messages.duplicate, { what: 'external', name: declared.value.name, first }, at);
    names.set(service.key, declared.id);
    for (const host of service.outside.hosts) {
      const owner = taken.get(host);
      if (owner !== undefined) context.report(messages.duplicate, { what: 'host', name: host, first: owner }, { ...at, path: 'hosts' });
      taken.set(host, declared.id);
      // a name within the cluster leads to whoever runs there
      const home = homes.get(namespaceOfHost(host));
      if (home !== undefined && home !== declared.value.team)
        checkOwner(context, declared, 'send calls past the mesh to', host, home, true, 'hosts');
    }
    externals.set(declared.id, service);
  }
  checkOverlaps(context, [...externals.values()]);
  checkNames(context, [...externals.values()]);
  const clash = context.all('namespace').find(({ value }) => value.name === outsideNamespace);
  if (externals.size > 0 && clash)
    context.report(
      messages.badName,
      { what: 'namespace', name: outsideNamespace, grammar: 'in a mesh with hosts outside it stands for them' },
      { id: clash.id, path: '' },
    );
  return externals;
}

function lowerExternal(
  context: Context,
  settings: SettingsTable,
  { workloads, within }: Pick<Nouns, 'workloads'> & { readonly within: readonly string[] },
  { id, team, value }: Declared<'external'>,
): Service & { readonly outside: Outside } {
  const at = { id, path: '' };
  checkLabel(context, 'host outside the mesh', value.name, at);
  if (checkTeam(context, value.team, at)) checkOwner(context, { team, id }, 'answer for', value.name, value.team, true);
  const gateway = value.through && context.resolve(value.through, ['gateway'], { id, path: 'through' });
  const through = gateway ? (workloads.get(gateway.id)?.key ?? null) : null;
  // who sees a gateway, to be called by it say, does not therefore dial what it likes from where it is
  const mayLeave =
    gateway?.value.kind !== 'gateway' || gateway.team === team || hasPlatformRole(team) || gateway.value.wayOutOf?.includes(value.team);
  if (gateway && mayLeave !== true)
    context.report(words.notItsWayOut, { team: value.team, gateway: through ?? gateway.id, owner: gateway.team }, { id, path: 'through' });
  const ranges = value.addresses === undefined ? null : lowerRanges(context, { id, team, value });
  const hosts = ranges === null ? (value.hosts ?? []) : [];
  if (ranges === null && hosts.length === 0) context.report(messages.empty, { what: 'the list of hosts' }, { id, path: 'hosts' });
  const byAddress = Object.values(value.ports).every(({ protocol }) => layers.get(protocol) === 'tcp');
  for (const host of hosts) checkOutsideHost(context, host, { byAddress, through: through !== null, within }, { id, path: 'hosts' });
  const names = Object.keys(value.ports).sort();
  if (names.length === 0) context.report(messages.empty, { what: `the list of ports of \`${value.name}\`` }, at);
  const key = workloadKey(outsideNamespace, value.name);
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
    const layer = layers.get(written.protocol) ?? 'http';
    if (!layers.has(written.protocol))
      context.report(messages.unsupported, { feature: `the protocol \`${written.protocol}\` to hosts outside the mesh` }, place);
    if (written.urls !== undefined && written.urls !== 'rfc3986')
      context.report(
        messages.unsupported,
        { feature: `\`urls: '${written.urls}'\` outside the mesh (a proxy of the mesh reads paths)` },
        place,
      );
    if (written.proxyProtocol !== undefined)
      context.report(messages.unsupported, { feature: '`proxyProtocol` outside the mesh (who calls is said to nobody there)' }, place);
    if (ranges !== null && layer !== 'tcp')
      context.report(messages.unsupported, { feature: `the protocol \`${written.protocol}\` to addresses, which have no name` }, place);
    const subject = { key: portKey(key, name), layer, urls: 'rfc3986', requests: null } as const;
    if (layer === 'tcp' && hosts.length > 1)
      context.report(words.manyByAddress, { port: subject.key, protocol: written.protocol, hosts }, place);
    const { resilience } = portSettings(context, settings, id, layer);
    return [
      {
        ...subject,
        name,
        protocol: written.protocol,
        number: written.number,
        requests: written.requests ? lowerRequests(context, written.requests, subject, place, () => undefined) : null,
        maxAgeMs: null,
        brokers: [],
        // no check goes out that nobody asked for, and places are of the mesh
        mtls: 'strict',
        resilience: {
          ...resilience,
          // the gateway, which chooses among a host's addresses, does not know whose request it is
          ...(through !== null && resilience.balance.kind === 'hash' ? { balance: builtInResilience.balance } : {}),
          // of names that nobody can list none is better than another
          ...(hosts.some(isWildcard) ? { balance: builtInResilience.balance, eject: null } : {}),
          health: null,
          locality: builtInResilience.locality,
          // who dials an address has chosen
          ...(ranges === null
            ? {}
            : { balance: builtInResilience.balance, eject: null, panicBelowPercent: builtInResilience.panicBelowPercent }),
        },
      },
    ];
  });
  checkWildcardPorts(context, hosts, ports, { id, path: 'hosts' });
  const { trust } = value;
  const [trustNamespace = '', trustName = '', ...more] = (trust ?? 'a/b').split('/');
  if (more.length > 0 || !isDomain(trustNamespace) || !isDomain(trustName))
    context.report(messages.badName, { what: 'secret', name: trust ?? '', grammar: 'write `namespace/name`' }, { id, path: 'trust' });
  return {
    id: id as RuleId,
    key,
    team: value.team,
    versions: [],
    versionLabel: 'version',
    ports,
    outside: {
      hosts: sortedUnique(hosts),
      ...(ranges === null ? {} : { addresses: ranges }),
      ...placesOf(context, hosts, value, { id, path: 'at' }),
      trust: trust ?? null,
      through,
    },
  };
}

function checkOutsideHost(
  context: Context,
  host: string,
  { byAddress, through, within }: { readonly byAddress: boolean; readonly through: boolean; readonly within: readonly string[] },
  at: Place,
): void {
  if (isIpAddress(host)) {
    const why = byAddress ? faultOfAddress(host, through) : 'an address has no name to ask for: it is taken where all ports are TCP';
    if (why !== null) context.report(messages.badHost, { host, why }, at);
    return;
  }
  if (host.startsWith('*') ? !checkWildcard(context, host, within, at) : !checkHost(context, host, false, at)) return;
  const why = faultOfName(host);
  if (why !== null) context.report(messages.badHost, { host, why }, at);
}
/** Why an address is no host outside; null when it may be one. */
function faultOfAddress(address: string, through: boolean): string | null {
  if (isMapped(address)) return 'it is an IPv4 address in another spelling';
  const reserved = reservedAt(address);
  if (reserved === undefined) return null;
  if (reserved.kind === 'nowhere') return reserved.what;
  return through ? `${reserved.what}: from the gateway that is the gateway's own, its machine's keys among it` : null;
}
function faultOfName(host: string): string | null {
  if (!host.includes('.')) return 'it has no dot, and a name of one word means something else in each place';
  // https://url.spec.whatwg.org/#ends-in-a-number-checker: some resolvers read `127.1` as an address
  return /\.(?:[0-9]+|0x[0-9a-f]*)$/.test(host) ? 'its last part is a number, so some take it for an address' : null;
}

/** The namespace whose name server answers for a host, as pods ask for services and for each other (kubernetes.io: "DNS for Services and Pods"). */
function namespaceOfHost(host: string): string {
  const labels = host.replace(/\.(?:svc|pod)(?:\.cluster\.local)?$/, '').split('.');
  return labels.at(-1) ?? '';
}

type Rules = Pick<MeshIr, 'access' | 'routes' | 'connectionRoutes' | 'hostRoutes' | 'hostConnections' | 'patches'>;

/** What can be said of a service and not of a host outside the mesh. */
export function checkOutside(
  context: Context,
  services: readonly Service[],
  { access, routes, connectionRoutes, hostRoutes, hostConnections, patches }: Rules,
): void {
  const portsOf = (found: readonly Service[]): ReadonlySet<PortKey> => new Set(found.flatMap(({ ports }) => ports.map(({ key }) => key)));
  const outside = portsOf(services.filter((service) => service.outside));
  if (outside.size === 0) return;
  // a gateway on the way judges like any destination
  const judgedHere = portsOf(services.filter((service) => service.outside?.through === null));
  const connections = new Set(connectionRoutes.map((table) => table.port));
  for (const rule of access) {
    if (!outside.has(rule.port)) continue;
    if (judgedHere.has(rule.port) || connections.has(rule.port)) checkRule(context, rule);
    const hosts = services.find((service) => service.ports.some(({ key }) => key === rule.port))?.outside?.hosts ?? [];
    for (const host of rule.hosts)
      if (!hosts.includes(host) && !hosts.some((wildcard) => isWildcard(wildcard) && isDomain(host) && hostCovers(wildcard, host)))
        context.report(messages.unknownPart, { what: 'host', name: host, of: rule.port, known: hosts }, { id: rule.id, path: 'hosts' });
  }
  for (const table of connectionRoutes) checkConnections(context, table, outside);
  for (const table of [...routes, ...hostRoutes]) checkTargets(context, table, outside);
  for (const { id, rules } of hostConnections)
    for (const rule of rules)
      for (const { port } of rule.to) if (outside.has(port)) context.report(words.routedOutside, { rule: rule.id, port }, { id, path: '' });
  for (const patch of patches)
    if (outside.has(patch.port) && patch.direction === 'inbound')
      context.report(
        messages.unsupported,
        { feature: 'an inbound patch outside the mesh, where no proxy of the mesh is' },
        { id: patch.id, path: '' },
      );
}

function checkRule(context: Context, { id, mode, action, headers }: AccessRule): void {
  const at = { id, path: '' };
  if (mode === 'shadow')
    context.report(
      messages.unsupported,
      { feature: "`mode: 'shadow'` of access to hosts outside the mesh that no gateway is on the way to" },
      at,
    );
  if (headers.length > 0 && action === 'allow')
    context.report(
      messages.unsupported,
      { feature: '`headers` of an `allow` to hosts outside the mesh that no gateway is on the way to' },
      { id, path: 'headers' },
    );
}

function checkConnections(context: Context, { id, port: own, rules }: ConnectionRoutes, outside: ReadonlySet<PortKey>): void {
  for (const rule of rules)
    for (const { port } of rule.to)
      if (port !== own && (outside.has(own) || outside.has(port)))
        context.report(words.routedOutside, { rule: rule.id, port }, { id: id ?? context.meshId, path: '' });
}

function checkTargets(
  context: Context,
  table: Pick<HostRoutes, 'id' | 'rules'> | MeshIr['routes'][number],
  outside: ReadonlySet<PortKey>,
): void {
  const own = 'port' in table ? table.port : null;
  for (const rule of table.rules) {
    if (rule.action.kind !== 'forward') continue;
    for (const { port } of [...rule.action.to, ...rule.action.mirrors]) {
      if (port === own || (!outside.has(port) && (own === null || !outside.has(own)))) continue;
      context.report(words.routedOutside, { rule: rule.id, port }, { id: table.id ?? context.meshId, path: '' });
    }
    if (own !== null && outside.has(own) && [rule.action, ...rule.action.to].some(({ rewrite }) => rewrite?.host))
      context.report(
        messages.unsupported,
        { feature: '`rewrite.host` outside the mesh (the certificate is verified for the host addressed)' },
        { id: table.id ?? context.meshId, path: '' },
      );
  }
}
