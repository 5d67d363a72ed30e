/** Requests at a generated mesh: about half aim at a rule, the rest miss it narrowly or bring odd bytes; each with the way it goes over the wire. */
import { callablePorts } from '../../core/ir/edges';
import type { FieldMatch, GatewayListener, MeshIr, RequestClass, RouteRule, RouteTable, ServicePort } from '../../core/ir/ir';
import { clientHeaders } from '../../core/mesh/client-headers';
import type { PortKey, WorkloadKey } from '../../core/mesh/ids';
import { nameOf, namespaceOf, serviceOfPort } from '../../core/mesh/ids';
import { isConnection, isHttp } from '../../core/ir/layers';
import { hostsOfPort } from '../../core/semantics/address';
import { hostEntry, hostWithoutPort } from '../../core/semantics/match';
import type { MeshConnection, OutsideConnection } from '../../core/semantics/decide-connection';
import type { MeshRequest } from '../../core/semantics/decision';
import { cookieValue } from '../../core/semantics/sticky';
import { upgradeOf } from '../../core/semantics/upgrade';
import { outsideConnectionOf, clientOf, type ClientWire, clientWire, wholeListeners } from './mesh-generator-clients';
import { isWild, wildHosts } from './mesh-generator-outside';
import { authorization, claimsOf } from './mesh-generator-users';
import type { Random } from './random';
import { seeded } from './random';

/** What the definition is asked: about a request, with how its bytes go over the wire, which no decision may depend on; or about a connection, of a workload or from outside. */
export type Question = RequestQuestion | ConnectionQuestion | OutsideConnectionQuestion;
export interface RequestQuestion {
  readonly kind: 'request';
  readonly request: MeshRequest;
  readonly wire: Wire;
}
export interface ConnectionQuestion {
  readonly kind: 'connection';
  readonly connection: MeshConnection;
}
export interface OutsideConnectionQuestion {
  readonly kind: 'connection-from-outside';
  readonly connection: OutsideConnection;
  readonly wire: ClientWire;
}
export interface Wire extends ClientWire {
  readonly http: '1.1' | '2';
  /** Names of headers whose value is sent as several lines, one for each part between commas. */
  readonly repeated: readonly string[];
  /** Bytes as latin1; null: no body. */
  readonly body: string | null;
  /** An upgrade that is asked for in vain: what is said of it means nothing (RFC 9110 section 7.8), and goes no further than the next proxy. */
  readonly vain?: keyof typeof vainUpgrades;
}
/** Without the connection's word for it, without a protocol, and to HTTP/2 in the clear, which nobody here speaks so (RFC 9113 section 3.1). */
export const vainUpgrades = {
  'no option': [['upgrade', 'websocket']],
  'no protocol': [['connection', 'upgrade']],
  'HTTP/2': [
    ['connection', 'Upgrade, HTTP2-Settings'],
    ['upgrade', 'h2c'],
    ['http2-settings', 'AAMAAABkAAQAAP__'],
  ],
} as const;
export const plainWire: Wire = { http: '1.1', repeated: [], body: null };

const texts = ['jason', 'jas', 'x', 'true', '1'];

/** `n` requests at a mesh: about half are aimed at a rule, the rest miss by a method, a segment, a spelling, a header, a host or a caller. */
export function generateRequests(ir: MeshIr, seed: number, n: number): MeshRequest[] {
  const random = seeded(seed ^ 0x5eed);
  return Array.from({ length: n }, () =>
    withClaims(ir, ir.hostRoutes.length > 0 && random.chance(20) ? fromOutside(ir, random) : fromWorkload(ir, random)),
  );
}

/** With what its token says as the mesh is now. */
export function withClaims(ir: MeshIr, { claims: _before, ...request }: MeshRequest): MeshRequest {
  return { ...request, ...claimsOf(ir.issuers, request.headers['authorization']) };
}

/** `n` questions: the same requests with the ways that they go over the wire, of a choice of its own; some are about connections, where there are ports for them. */
export function generateQuestions(ir: MeshIr, seed: number, n: number): Question[] {
  const random = seeded(seed ^ 0x317e);
  // of a repeated header Envoy's router also takes one value alone (core/semantics/README.md, 39), so those that routes read are sent whole
  const tables = [...ir.routes, ...ir.hostRoutes].flatMap(({ rules }) => rules);
  const routed = new Set(
    tables.flatMap(({ match, action }) => [
      ...[...(match?.headers ?? []), ...(match?.withoutHeaders ?? [])].map(({ name }) => name),
      ...(action.kind === 'forward' && action.sticky?.kind === 'header' ? [action.sticky.name] : []),
    ]),
  );
  const connected = ir.services.flatMap((service) => service.ports).filter(({ layer }) => isConnection(layer));
  const arriving = wholeListeners(ir);
  return generateRequests(ir, seed, n).map(({ claims: _read, ...plain }): Question => {
    if (arriving.length > 0 && random.chance(15)) {
      const connection = outsideConnectionOf(random, random.pick(arriving));
      return { kind: 'connection-from-outside', connection, wire: clientWire(random, connection, listenerOf(ir, connection)) };
    }
    if (connected.length > 0 && random.chance(20)) return { kind: 'connection', connection: connectionOf(ir, random, connected) };
    const upgrade = upgradeOf(plain.headers);
    // an extended CONNECT says no other method (RFC 8441 section 4); who asks a gateway that makes no connection would wait for its settings
    const canBeHttp2 = upgrade === null || (plain.method === 'GET' && plain.from.kind === 'workload');
    // what does not begin with `/` is no path to HTTP/2 (RFC 9113 section 8.3.1): such a stream is reset before anybody reads it
    const http = isGrpc(plain) || (random.chance(20) && canBeHttp2 && plain.path.startsWith('/')) ? '2' : '1.1';
    const hasBody = upgrade === null && ['POST', 'PUT', 'DELETE'].includes(plain.method) && random.chance(50);
    const body = hasBody ? random.pick(bodies) : null;
    const vain = upgrade === null && http === '1.1' && random.chance(4) ? { vain: random.pick(vainNames) } : {};
    const headers = Object.fromEntries(Object.entries(plain.headers).map(([name, value]) => [name, strange(random, name, value, http)]));
    const repeated = Object.entries(headers).flatMap(([name, value]) =>
      canBeLines(name, http) && value.includes(',') && !routed.has(name) ? [name] : [],
    );
    const client = plain.from.kind === 'outside' ? clientWire(random, plain.from, listenerOf(ir, plain.from)) : {};
    return { kind: 'request', request: { ...plain, headers }, wire: { http, repeated, body, ...client, ...vain } };
  });
}
const vainNames = Object.keys(vainUpgrades) as (keyof typeof vainUpgrades)[]; // the keys of a literal type
/** Node's HTTP/2 client takes one `authorization` alone. */
const canBeLines = (name: string, http: Wire['http']): boolean =>
  name !== 'host' && name !== 'cookie' && !(http === '2' && name === 'authorization');
const bodies = ['', 'x', '{"a":[1,2]}', '\u0000\u0001\u00ff', 'GET / HTTP/1.1\r\n\r\n', 'y'.repeat(70_000)];
/** Whether a request says that it is one of gRPC, which goes over HTTP/2 only. */
export const isGrpc = ({ headers }: Pick<MeshRequest, 'headers'>): boolean => headers['content-type'] === 'application/grpc';

const listenerOf = (ir: MeshIr, at: { readonly gateway: WorkloadKey; readonly listener: string }): GatewayListener | undefined =>
  ir.gateways.find(({ key }) => key === at.gateway)?.listeners.find(({ name }) => name === at.listener);

function connectionOf(ir: MeshIr, random: Random, ports: readonly ServicePort[]): MeshConnection {
  const { key: from } = random.pick(ir.workloads.filter((workload) => workload.kind !== 'gateway'));
  const called = ports.filter(({ key }) => callablePorts(ir, from).includes(key));
  const port = random.pick(called.length > 0 && random.chance(80) ? called : ports);
  const hosts = ir.services.find(({ ports: own }) => own.includes(port))?.outside?.hosts;
  const names = hosts ? [...hosts, ...hosts, ...hosts, hosts[0]?.toUpperCase() ?? '', 'other.localhost', null] : askedNames;
  return { from, to: port.key, sni: port.layer === 'tls' ? random.pick(names) : null };
}
const askedNames = [
  'a.tls.example',
  'b.tls.example',
  'A.TLS.example',
  'x.tls.example',
  'x.b.tls.example',
  'x.y.b.tls.example',
  'tls.example',
  'other.example',
  null,
];

const plainNames = [
  'host',
  'content-type',
  'te',
  'origin',
  'access-control-request-method',
  'authorization',
  'upgrade',
  'sec-websocket-key',
];
/** Now and then another value: several in one, bytes beyond ASCII, nothing, a long one (cookies are crumbs, of which a proxy takes a hundred). Node's HTTP/2 client sends none of the strange bytes. */
function strange(random: Random, name: string, value: string, http: Wire['http']): string {
  if (plainNames.includes(name) || !random.chance(12)) return value;
  const plain = [`${value},${value}`, `${value},x`, `x,${value}`, '', value.repeat(name === 'cookie' ? 2 : 200)];
  return random.pick(
    http === '2' || name === 'cookie' ? plain : [...plain, `${value}\u00e9`, `a\u00ffc`, `\u00c3\u00a9${value}`, `${value}\t${value}`],
  );
}

function fromWorkload(ir: MeshIr, random: Random): MeshRequest {
  const callers = ir.workloads.filter((workload) => workload.kind !== 'gateway');
  const caller = random.pick(callers);
  const all = ir.services.flatMap((service) => service.ports.filter(({ layer }) => isHttp(layer)).map((port) => port.key));
  const callable = callablePorts(ir, caller.key).filter((port) => all.includes(port));
  const to = callable.length > 0 && random.chance(80) ? random.pick(callable) : random.pick(all);
  const table = ir.routes.find(({ port }) => port === to) ?? { cors: null, rules: [] };
  const plain = aimed(ir, random, [to, ...targets(table.rules)], table);
  const grpc = random.chance(layerOf(ir, to) === 'grpc' ? 85 : 5) && plain.path.startsWith('/');
  const request = grpc
    ? { ...plain, ...(random.chance(90) ? { method: 'POST' } : {}), headers: { ...plain.headers, ...ofGrpc } }
    : upgrading(ir, random, [to, ...targets(table.rules)], plain);
  const under = isWild(serviceOfPort(to));
  const host = random.chance(under ? 85 : 25) ? random.pick(under ? wildHosts : spellings(ir, to, namespaceOf(caller.key))) : undefined;
  return {
    from: { kind: 'workload', workload: caller.key },
    to: under && host !== undefined ? ownerOf(ir, host, to) : to,
    ...request,
    headers: { ...request.headers, ...(host === undefined ? {} : { host }) },
  };
}

/** Whose a host under some wildcard is in this mesh: a name that says another number, or nobody's, is a question about the port that was meant. */
function ownerOf(ir: MeshIr, host: string, meant: PortKey): PortKey {
  const named = hostEntry(
    ir.services.flatMap(({ outside }) => outside?.hosts ?? []),
    hostWithoutPort(host),
  );
  const owner = named === undefined ? undefined : ir.services.find(({ outside }) => outside?.hosts.includes(named));
  return owner?.ports.find(({ number }) => host.endsWith(`:${number}`))?.key ?? meant;
}

/** Whoever says this is answered in statuses of gRPC, on a port of HTTP and at a gateway too. */
const ofGrpc = { 'content-type': 'application/grpc', te: 'trailers' };

/** The request, or one that asks for another protocol: mostly where some port on its way takes WebSockets. */
function upgrading(ir: MeshIr, random: Random, ports: readonly PortKey[], plain: Aimed): Aimed {
  const some = ir.services.flatMap((service) => service.ports).some(({ key, maxAgeMs }) => maxAgeMs !== null && ports.includes(key));
  if (plain.method === 'OPTIONS' || !random.chance(some ? 45 : 2)) return plain;
  return {
    ...plain,
    ...(random.chance(80) ? { method: 'GET' } : {}),
    headers: {
      ...plain.headers,
      upgrade: random.pick(['websocket', 'websocket', 'websocket', 'websocket', 'websocket', 'WebSocket', 'mqtt', 'websocket, mqtt']),
      ...(random.chance(70) ? { 'sec-websocket-key': 'c2l4dGVlbiBieXRlcyA6KQ==' } : {}),
    },
  };
}

const layerOf = (ir: MeshIr, port: PortKey): string | undefined =>
  ir.services.flatMap((service) => service.ports).find(({ key }) => key === port)?.layer;

/** Host values that name the port, in all their spellings. */
function spellings(ir: MeshIr, to: PortKey, callerNamespace: string): readonly string[] {
  const service = ir.services.find((known) => known.key === serviceOfPort(to));
  const port = service?.ports.find((known) => known.key === to);
  if (!service || !port) throw new Error(`no port ${to}`);
  const [name, namespace] = [nameOf(service.key), namespaceOf(service.key)];
  if (service.outside) {
    const known = hostsOfPort(service, port, null);
    return [...known, ...known.map((host) => host.toUpperCase()), `${service.outside.hosts[0]}:81`];
  }
  const names = [
    `${name}.${namespace}`,
    `${name}.${namespace}.svc.cluster.local`,
    `${name.toUpperCase()}.${namespace}`,
    ...(namespace === callerNamespace ? [name] : []),
  ];
  return [...names.map((host) => `${host}:${port.number}`), ...(service.ports.length === 1 ? names : [])];
}

function fromOutside(ir: MeshIr, random: Random): MeshRequest {
  const table = random.pick(ir.hostRoutes);
  const host = random.chance(8)
    ? random.pick(['idle.acme.example', 'nobody.example', 'acme.example'])
    : table.host.replace('*', random.pick(['x', 'x.y']));
  const ports = targets(table.rules);
  const plain = aimed(ir, random, ports, table);
  const grpc = plain.path.startsWith('/') && random.chance(10);
  const request = grpc ? plain : upgrading(ir, random, ports, plain);
  const header = random.chance(20)
    ? random.pick([
        `${host}:8443`,
        `${host}:x`,
        `${host}:`,
        `nobody.example:.${host}`,
        `nobody.example:80.${host}:80`,
        `you@${host}`,
        host.toUpperCase(),
        'shop.acme.example',
        'beta.books.acme.example',
        'nobody.example',
        random.pick(ir.hostRoutes).host.replace('*', 'x'), // of another connection
      ])
    : undefined;
  const client = clientOf(random, listenerOf(ir, table));
  // what only a gateway says of its client
  const forged = random.chance(10) ? { [random.pick(clientHeaders)]: 'forged' } : {};
  return {
    from: { kind: 'outside', gateway: table.gateway, listener: table.listener, host, ...client },
    to: null,
    ...request,
    headers: {
      ...request.headers,
      ...forged,
      ...(header === undefined ? {} : { host: header }),
      ...(grpc ? ofGrpc : {}),
    },
  };
}

const targets = (rules: readonly RouteRule[]): readonly PortKey[] =>
  rules.flatMap((rule) => (rule.action.kind === 'forward' ? rule.action.to.map((target) => target.port) : []));

interface Aimed {
  readonly method: string;
  readonly path: string;
  readonly headers: { readonly [name: string]: string };
}
function aimed(ir: MeshIr, random: Random, ports: readonly PortKey[], { cors, rules }: Pick<RouteTable, 'cors' | 'rules'>): Aimed {
  const allows = ir.access.filter((rule) => ports.includes(rule.port) && rule.action === 'allow');
  const matches = rules.flatMap((rule) => (rule.match ? [rule.match] : []));
  const classes = [
    ...allows.flatMap((rule) => (rule.requests === 'any' ? [] : rule.requests)),
    ...matches.flatMap((match) => match.requests),
  ];
  const cls = classes.length > 0 && random.chance(85) ? random.pick(classes) : undefined;
  const headers: { [name: string]: string } = {};
  for (const field of [
    ...allows.flatMap((rule) => rule.headers),
    ...matches.flatMap((match) => [...match.headers, ...match.withoutHeaders]),
  ])
    if (random.chance(60)) headers[field.name] = valueFor(random, field);
  const cookies: string[] = matches
    .flatMap((match) => match.cookies)
    .filter(() => random.chance(60))
    .map((field) => `${field.name}=${valueFor(random, field)}`);
  for (const { action } of rules) {
    if (action.kind !== 'forward' || action.sticky === null || !random.chance(60)) continue;
    const { kind, name } = action.sticky;
    // what the mesh gave out, what it did not, and what any user may carry
    const value = kind === 'issued' ? random.pick([...action.to.map(cookieValue), 'never-given']) : `user${random.below(50)}`;
    if (kind === 'header') headers[name] = value;
    else cookies.push(`${name}=${value}`);
  }
  const token = authorization(random, ir, allows, rules);
  if (token !== null) headers['authorization'] = token;
  if (cookies.length > 0) headers['cookie'] = cookies.join('; ');
  const query = matches
    .flatMap((match) => match.query)
    .filter(() => random.chance(60))
    .map((field) => `${field.name}=${valueFor(random, field)}`);
  const preflight = cors !== null && random.chance(20);
  if (cors !== null && (preflight || random.chance(30))) {
    headers['origin'] = random.pick([
      'https://shop.example',
      'https://a.shop.example',
      'https://A.shop.example',
      'https://shop.example.evil.example',
      'null',
      '',
    ]);
    if (preflight && random.chance(90)) headers['access-control-request-method'] = random.pick(['GET', 'PUT', '']);
  }
  const path = nearMiss(random, cls ? examplePath(random, cls) : random.pick(['/', '/a', '/reviews/7', '/nothing']));
  const suffix = query.length > 0 ? `?${query.join('&')}` : random.pick(['', '', '', '?x=1', '?', '?a=//../;']);
  if (preflight) return { method: 'OPTIONS', path: `${path}${suffix}`, headers };
  const method = cls && cls.method !== '*' && random.chance(90) ? cls.method : random.pick(['GET', 'POST', 'DELETE', 'HEAD', 'PUT']);
  return { method, path: `${path}${suffix}`, headers };
}

function examplePath(random: Random, cls: RequestClass): string {
  if (cls.path.length === 0) return '/';
  return cls.path
    .map(
      (segment) =>
        `/${segment.kind === 'literal' ? segment.text : segment.kind === 'one' ? random.pick(['7', 'x-y', 'a.b', 'admin']) : random.pick(['r', 'r/s', 'r/s/t.css'])}`,
    )
    .join('');
}

function valueFor(random: Random, { match }: FieldMatch): string {
  if (random.chance(25)) return random.pick([...texts, 'jasons', 'JASON', 'abc', '12a']);
  if (match.kind === 'exact') return match.value;
  if (match.kind === 'prefix') return `${match.value}${random.pick(['', 'son', '1'])}`;
  return random.pick(['jason', '42', 'true', 'abc', 'x']);
}

const spoilt: readonly ((path: string) => string)[] = [
  (path) => `${path}/`,
  (path) => `${path}/more`,
  (path) => `/${path}`,
  (path) => path.slice(0, -1) || '/',
  (path) => `${path};a=b`,
  (path) => `${path}/..`,
  (path) => `/x/..${path}`,
  (path) => `/.${path}`,
  (path) => path.replace(/[a-z]/, (letter) => letter.toUpperCase()),
  (path) => path.replace(/[a-z]/, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
  (path) => path.replace(/\/([^/]*)$/, '%2F$1'),
  (path) => `${path}%2e`,
  (path) => `${path}%00`,
  (path) => `${path}%252e`,
  (path) => `${path}\\x`,
  (path) => `${path}%20`,
  (path) => `${path}%C3%A9`,
  (path) => `${path}%c0%af`,
  (path) => `${path}.json`,
];
function nearMiss(random: Random, path: string): string {
  return random.chance(30) ? random.pick(spoilt)(path) : path;
}
