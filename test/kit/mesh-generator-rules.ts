/** Rules of a generated mesh: who may call a port with what, and where its requests or connections go. */
import type {
  CallerRef,
  DeclarationValue,
  Ref,
  WireConditions,
  WireCors,
  WireDestination,
  WireHeaderEdit,
  WireRouteElse,
  WireRouteRule,
  WireSettings,
  WireTextFields,
  WireTextMatch,
} from '../../core/declarations/declaration';
import { userOf } from './mesh-generator-users';
import type { Random } from './random';

/** A port of a generated service. */
export interface Port {
  readonly service: string;
  readonly port: string;
  readonly protocol: string;
  readonly number: number;
  readonly versions: readonly string[];
  /** Of what is outside the mesh. */
  readonly hosts?: readonly string[];
  /** Whether its URLs are read by RFC 3986 alone. */
  readonly plain: boolean;
}

const segments = ['a', 'b', 'reviews', 'admin', 'v1', '{id}', '{name}', 'x.json', 'A', "o'k", 'a%20b', 'caf%C3%A9'];
const methods = ['GET', 'POST', 'DELETE', 'HEAD', '*'];
const texts = ['jason', 'jas', 'x', 'true', '1'];
const headerNames = ['end-user', 'x-role', 'x-tenant'];
const namespaces = ['one', 'two'];
const grpcMethods = ['shop.v1.Cart/Get', 'shop.v1.Cart/Add', 'shop.v1.Stock/Get'];
/** Exact ones first. */
const serverNames = ['a.tls.example', 'b.tls.example', '*.tls.example', '*.b.tls.example'];

/** Who may be spoken of: callers, the gateway first, and the issuers of end users by id; `atGateway`: networks in place of callers. */
export interface Everyone {
  readonly everyone: readonly CallerRef[];
  readonly users: readonly string[];
  readonly atGateway?: true;
}

export function accessRule(random: Random, port: Port, callers: readonly CallerRef[], users: readonly string[]): DeclarationValue {
  const deny = random.chance(15);
  const named = random.some(callers, 1, 3);
  const broad: CallerRef = random.pick([{ kind: 'ref', to: { ref: `t/${random.pick(namespaces)}` } }, ...named]);
  const to = { ref: port.service, port: port.port };
  if (deny) {
    const from: readonly CallerRef[] = random.chance(30) ? [{ kind: 'anyone', except: random.some(callers, 1, 4) }] : named.slice(0, 1);
    return { kind: 'access', action: 'deny', port: to, from, requests: 'any', because: 'generated' };
  }
  const common = { kind: 'access', action: 'allow', port: to, from: random.chance(20) ? [broad] : named } as const;
  const mode = random.chance(10) ? 'shadow' : 'enforce';
  const user = users.length > 0 && random.chance(25) ? { user: userOf(random, users) } : {};
  switch (port.protocol) {
    case 'tcp':
      return { ...common, requests: 'any', mode };
    case 'tls': {
      // the hosts of somebody else; within the mesh a server name is its application's own
      const hosts = port.hosts && random.chance(40) ? { hosts: random.some(port.hosts, 1, 1) } : {};
      return { ...common, requests: 'any', ...hosts, mode };
    }
    case 'grpc':
      return { ...common, requests: random.chance(30) ? 'any' : random.some(grpcMethods, 1, 2), ...user, mode };
    default:
      return {
        ...common,
        requests: random.chance(30) ? 'any' : lines(random, port, 1, 3),
        ...(random.chance(20) ? { headers: fields(random, headerNames) } : {}),
        ...(random.chance(8) ? { hosts: random.some(port.hosts ?? ['shop.acme.example', `${port.service.slice(2)}.one`], 1, 2) } : {}),
        ...user,
        mode,
      };
  }
}

export function lines(random: Random, port: Port, least: number, most: number): readonly string[] {
  const usable = port.plain ? segments : segments.filter((segment) => segment === segment.toLowerCase() && !segment.includes('%'));
  const made = new Set<string>();
  for (let count = least + random.below(most - least + 1); count > 0; count--) {
    const parts: string[] = [];
    for (let depth = random.below(4); depth > 0; depth--) {
      const segment = random.pick(usable);
      if (!parts.includes(segment)) parts.push(segment);
    }
    if (random.chance(20)) parts.push('{rest...}');
    else if (parts.length > 0 && port.plain && random.chance(8)) parts.push('');
    made.add(`${random.pick(methods)} /${parts.join('/')}`);
  }
  return [...made];
}

function fields(random: Random, names: readonly string[]): WireTextFields {
  return Object.fromEntries(random.some(names, 1, 2).map((name) => [name, text(random)]));
}
function text(random: Random): WireTextMatch {
  switch (random.below(4)) {
    case 0:
      return { kind: 'prefix', value: random.pick(['j', 'ja', 'tr']) };
    case 1:
      return { kind: 'regex', value: random.pick(['ja[a-z]+', '[0-9]+', '(x|y|true)', 'a.c']) };
    case 2:
      return { kind: 'present' };
    default:
      return { kind: 'exact', value: random.pick(texts) };
  }
}

function conditions(random: Random, port: Port, { everyone: all, users, atGateway }: Everyone): WireConditions {
  // services and workloads: routes of a port know no callers from outside
  const everyone = atGateway ? all : all.slice(1);
  const user = users.length > 0 && random.chance(30) ? { user: userOf(random, users) } : {};
  switch (port.protocol) {
    case 'tcp':
      return { from: callersOf(random, everyone) };
    case 'tls': {
      const chosen = new Set(atGateway ? ['from'] : random.some(['sni', 'from'], 1, 2));
      return {
        ...(chosen.has('sni') ? { sni: random.some(port.hosts ?? serverNames, 1, 2) } : {}),
        ...(chosen.has('from') ? { from: callersOf(random, everyone) } : {}),
      };
    }
    case 'grpc': {
      const chosen = new Set(random.some(['request', 'headers'], 1, 2));
      return {
        ...user,
        ...(chosen.has('request') ? { request: random.some(grpcMethods, 1, 2) } : {}),
        ...(chosen.has('headers') ? { headers: fields(random, headerNames) } : {}),
      };
    }
    default: {
      const common = ['request', 'request', 'headers', 'headers', 'query', 'cookies', 'withoutHeaders', 'hosts'];
      const chosen = new Set(random.some([...common, 'from', ...(atGateway ? ['from', 'from'] : [])], 1, 2));
      return {
        ...user,
        ...(chosen.has('request') ? { request: lines(random, port, 1, 2) } : {}),
        ...(chosen.has('headers') ? { headers: fields(random, headerNames) } : {}),
        ...(chosen.has('withoutHeaders') ? { withoutHeaders: fields(random, headerNames) } : {}),
        ...(chosen.has('query') ? { query: fields(random, ['q', 'page']) } : {}),
        ...(chosen.has('cookies') ? { cookies: fields(random, ['user', 'session']) } : {}),
        ...(chosen.has('hosts') ? { hosts: [random.pick(hostsOf(port))] } : {}),
        ...(chosen.has('from') ? { from: callersOf(random, everyone) } : {}),
      };
    }
  }
}
/** Some of the names that a port is addressed by. */
const hostsOf = ({ service, hosts }: Port): readonly string[] => {
  if (hosts) return hosts;
  const name = service.slice(service.indexOf('/') + 1);
  return [...namespaces.flatMap((namespace) => [`${name}.${namespace}`, `${name}.${namespace}.svc.cluster.local`]), 'x.books.acme.example'];
};
const callersOf = (random: Random, everyone: readonly CallerRef[]): readonly CallerRef[] => random.some(everyone, 1, 2);

export function routeRules(
  random: Random,
  port: Port,
  ports: readonly Port[],
  everyone: Everyone,
): { readonly cors?: WireCors; readonly rules: WireRouteRule[]; readonly otherwise: WireRouteElse } {
  const rules = Array.from({ length: random.below(4) }, () => {
    const when = conditions(random, port, everyone);
    return { when, ...action(random, port, ports, when.request ?? []) };
  });
  return {
    ...(port.protocol === 'http' && random.chance(25) ? { cors: cors(random) } : {}),
    rules,
    otherwise: action(random, port, ports, []),
  };
}

function action(random: Random, port: Port, ports: readonly Port[], requests: readonly string[]): WireRouteElse {
  const to = destination(random, port, ports, requests);
  if (port.protocol === 'tcp' || port.protocol === 'tls') return { to, ...(random.chance(30) ? { idle: '10s' } : {}) };
  const back = random.chance(15) ? { responseHeaders: edits(random, ['x-served', 'x-more', 'server']) } : {};
  if (to.kind === 'respondGrpc') return { to };
  if (to.kind === 'respond' || to.kind === 'redirect') return { to, ...back };
  const isSplit = to.kind === 'split' || (to.kind === 'weights' && Object.keys(to.weights).length > 1);
  const http = port.protocol === 'http';
  return {
    to,
    ...back,
    ...(random.chance(20)
      ? { timeout: random.pick(['20s', '30s']), retry: { atMost: 2, perTry: '10s', on: ['connect-failure', 'reset'] } }
      : {}),
    ...(isSplit && random.chance(40) ? { sticky: sticky(random, port.protocol) } : {}),
    ...(http && random.chance(20) ? { rewrite: rewrite(random, requests) } : {}),
    ...(random.chance(15) ? { requestHeaders: edits(random, [...headerNames, 'x-added', 'user-agent', 'authorization']) } : {}),
    ...(random.chance(15) ? { mirror: mirrors(random, port, ports) } : {}),
    ...(random.chance(12) ? { fault: fault(random, http) } : {}),
  };
}

/** A template over parameters that every request of the rule has. */
function template(random: Random, requests: readonly string[]): string {
  const parameters = (line: string): readonly string[] => line.match(/\{[^}]+\}/g) ?? [];
  const [first = '', ...others] = requests;
  const shared = parameters(first).filter((parameter) => others.every((line) => parameters(line).includes(parameter)));
  const [parameter] = shared;
  if (parameter === undefined || random.chance(40)) return random.pick(['/rewritten', '/', '/re/written', "/o'k"]);
  return random.pick(
    parameter.endsWith('...}') ? [`/r/${parameter}`, `/${parameter}`] : [`/r/${parameter}/x`, `/${parameter}`, `/admin/${parameter}`],
  );
}
function rewrite(random: Random, requests: readonly string[]): NonNullable<WireRouteElse['rewrite']> {
  const path = template(random, requests);
  return random.pick([{ path }, { path }, { host: 'inner.example' }, { path, host: 'inner.example' }]);
}
function edits(random: Random, names: readonly string[]): WireHeaderEdit {
  const left = random.some(names, 1, 3);
  const [a, b, c] = left;
  return {
    ...(a === undefined ? {} : random.pick([{ set: { [a]: random.pick(texts) } }, { remove: [a] }])),
    ...(b === undefined ? {} : { add: { [b]: random.pick(texts) } }),
    ...(c === undefined || random.chance(50) ? {} : { add: { ...(b === undefined ? {} : { [b]: 'both' }), [c]: 'too' } }),
  };
}
function mirrors(random: Random, port: Port, ports: readonly Port[]): NonNullable<WireRouteElse['mirror']> {
  const alike = ports.filter(({ protocol }) => protocol === port.protocol);
  return random.some(alike, 1, 2).map((to) => ({ to: { ref: to.service, port: to.port }, share: random.pick(['100%', '100%', '50%']) }));
}
function fault(random: Random, http: boolean): NonNullable<WireRouteElse['fault']> {
  const share = random.pick(['100%', '30%']);
  const delay = { for: '20ms', share };
  const abort = { status: http ? random.pick([418, 503]) : random.pick(['unavailable', 'not-found']), share: random.pick(['100%', '30%']) };
  return random.pick([{ delay }, { abort }, { delay, abort }]);
}
function sticky(random: Random, protocol: string): NonNullable<WireRouteElse['sticky']> {
  if (protocol === 'grpc') return { kind: 'header', name: 'end-user' };
  return random.pick([
    { kind: 'header', name: 'end-user' },
    { kind: 'cookie', name: 'user' },
    { kind: 'issued', name: 'kept', for: '60s' },
    { kind: 'issued', name: 'kept' },
  ]);
}
function cors(random: Random): WireCors {
  const origins = random.pick<readonly WireTextMatch[]>([
    [{ kind: 'exact', value: 'https://shop.example' }],
    [
      { kind: 'regex', value: 'https://[a-z]+[.]shop[.]example' },
      { kind: 'exact', value: 'null' },
    ],
  ]);
  return {
    origins: random.chance(20) ? 'any' : origins,
    methods: random.some(['GET', 'POST', 'DELETE'], 1, 2),
    ...(random.chance(50) ? { headers: ['x-role', 'Content-Type'] } : {}),
    ...(random.chance(50) ? { exposed: ['x-served'] } : {}),
    ...(random.chance(40) && origins.length > 0 ? { credentials: true } : {}),
    ...(random.chance(50) ? { maxAge: '600s' } : {}),
  };
}

function destination(random: Random, port: Port, ports: readonly Port[], requests: readonly string[]): WireDestination {
  const ref = (to: Port): Ref => ({
    ...{ ref: to.service, port: to.port },
    ...(to.versions.length > 0 && random.chance(25) ? { version: random.pick(to.versions) } : {}),
  });
  // what speaks the same: a connection's bytes, or a request, mean nothing to another protocol
  const alike = ports.filter(({ protocol }) => protocol === port.protocol);
  const asItself: WireDestination = { kind: 'target', to: ref(port) };
  const choice = random.below(8);
  if (choice < 2 && port.protocol === 'grpc')
    return {
      kind: 'respondGrpc',
      status: random.pick(['unavailable', 'not-found']),
      ...(random.chance(50) ? { message: 'in maintenance' } : {}),
    };
  if (choice < 2 && port.protocol !== 'http') return asItself;
  switch (choice) {
    case 0:
      return { kind: 'respond', status: random.pick([200, 404, 418, 503]), body: 'generated' };
    case 1: {
      const path = template(random, requests);
      const where = random.pick([
        { path },
        { host: 'other.example' },
        { host: 'other.example', path },
        { port: 8443 },
        { scheme: 'https' as const, path },
        { scheme: 'https' as const },
        { scheme: 'http' as const, path },
        { scheme: 'http' as const, port: random.pick([80, 443, 8080]) },
        { scheme: 'https' as const, port: random.pick([80, 443, 8443]) },
      ]);
      return { kind: 'redirect', ...where, status: random.pick([301, 302, 303, 307, 308]) };
    }
    case 2:
      return { kind: 'target', to: ref(random.pick(alike)) };
    case 3: {
      const others = alike.filter((one) => one.service !== port.service || one.port !== port.port);
      if (others.length === 0) return asItself;
      const other = random.pick(others);
      const hasHeaders = port.protocol !== 'tcp' && port.protocol !== 'tls';
      return {
        kind: 'split',
        shares: [
          {
            to: ref(port),
            percent: 30,
            ...(port.protocol === 'http' && random.chance(25) ? { rewrite: rewrite(random, requests) } : {}),
            ...(hasHeaders && random.chance(30) ? { requestHeaders: edits(random, ['x-added', 'x-role']) } : {}),
          },
          {
            to: ref(other),
            percent: 70,
            ...(hasHeaders && random.chance(30) ? { responseHeaders: edits(random, ['x-served', 'x-more']) } : {}),
          },
        ],
      };
    }
    default: {
      const [first, second] = port.versions;
      if (first === undefined) return asItself;
      return second === undefined || random.chance(30)
        ? { kind: 'version', version: first }
        : { kind: 'weights', weights: { [first]: 75, [second]: 25 } };
    }
  }
}

/** How callers reach the endpoints of a service: what answers in time from healthy endpoints shows nothing of it, whatever it is. */
export function settings(random: Random, ports: readonly Port[]): WireSettings {
  const isHttp = ports.every(({ protocol }) => protocol === 'http' || protocol === 'grpc');
  const balance = random.pick<NonNullable<WireSettings['balance']>>([
    'round-robin',
    'random',
    { to: 'least-request', slowStart: '1s' },
    { by: { kind: 'source' } },
    { by: { kind: 'source' }, with: { ring: 64 } },
    // what a connection does not have
    ...(isHttp ? (['header', 'query', 'cookie'] as const).map((kind) => ({ by: { kind, name: 'end-user' } })) : []),
  ]);
  return {
    ...(random.chance(60) ? { balance } : {}),
    ...(random.chance(40) ? { connections: { max: 1000, pending: 1000, connectTimeout: '2s' } } : {}),
    ...(random.chance(40) ? { eject: { localFailures: 50, for: '1s', atMost: '50%' } } : {}),
    ...(random.chance(40) ? { locality: random.pick<NonNullable<WireSettings['locality']>>(['off', { prefer: 'zone' }]) } : {}),
    ...(random.chance(40) ? { panicBelow: '10%' } : {}),
  };
}
