/**
 * Whole meshes and requests from a seed, for property and differential tests. Meshes are made as declarations and lowered, so that every one is a
 * mesh that somebody could have written; requests aim at rules and miss them narrowly.
 */
import { lower } from '../../compiler/lower';
import type {
  CallerRef,
  Declaration,
  DeclarationValue,
  Evaluated,
  WireConditions,
  WireDestination,
  WireRouteElse,
  WireTextFields,
  WireTextMatch,
} from '../../core/declarations/declaration';
import { callablePorts } from '../../core/ir/edges';
import type { FieldMatch, MeshIr, RequestClass, RouteRule } from '../../core/ir/ir';
import { nameOf, namespaceOf, serviceOfPort } from '../../core/mesh/ids';
import type { PortKey } from '../../core/mesh/ids';
import type { MeshRequest } from '../../core/semantics/decision';
import { seeded } from './random';
import type { Random } from './random';

const segments = ['a', 'b', 'reviews', 'admin', 'v1', '{id}', '{name}', 'x.json', 'A', "o'k", 'a%20b', 'caf%C3%A9'];
const methods = ['GET', 'POST', 'DELETE', 'HEAD', '*'];
const texts = ['jason', 'jas', 'x', 'true', '1'];
const headerNames = ['end-user', 'x-role', 'x-tenant'];
const namespaces = ['one', 'two'];
const hosts = ['shop.acme.example', '*.books.acme.example', 'beta.books.acme.example', 'idle.acme.example'];

interface Port {
  readonly service: string;
  readonly port: string;
  readonly number: number;
  readonly versions: readonly string[];
  readonly plain: boolean;
}

/** A mesh of `size` services in two namespaces with a gateway and a bare workload. `prod` is its one environment. */
export function generateMesh(seed: number, size: number): MeshIr {
  const evaluated = generateDeclarations(seed, size);
  const { value, diagnostics } = lower(evaluated, 'prod');
  if (!value) throw new Error(`the generator made a mesh that lower refuses, seed ${seed}: ${JSON.stringify(diagnostics[0])}`);
  return value;
}

/** The same before lower. */
export function generateDeclarations(seed: number, size: number): Evaluated {
  const random = seeded(seed);
  const declarations: Declaration[] = [];
  const add = (id: string, value: DeclarationValue): void => void declarations.push({ id, team: id.slice(0, id.indexOf('/')), value });
  add('mesh/mesh', {
    kind: 'mesh',
    trustDomain: 'acme.example',
    environments: ['prod'],
    teams: { t: { namespaces } },
    tags: { tier: ['gold', 'silver'] },
    runs: { envoy: '1.40.0' },
  });
  for (const name of namespaces) add(`t/${name}`, { kind: 'namespace', name, team: 't' });
  add('t/edge', {
    kind: 'gateway',
    namespace: { ref: 't/one' },
    name: 'edge',
    serviceAccount: 'edge',
    listeners: {
      web: {
        port: 8443,
        hosts: { 'shop.acme.example': 't', '*.books.acme.example': 't', 'idle.acme.example': 't' },
        certificate: 'one/edge-tls',
      },
    },
  });
  add('t/job', { kind: 'workload', namespace: { ref: 't/two' }, name: 'job', serviceAccount: 'job' });
  const ports: Port[] = [];
  for (let index = 0; index < size; index++) ports.push(...addService(random, add, index));
  const callers: CallerRef[] = ['t/edge', 't/job', ...new Set(ports.map((port) => port.service))].map((ref) => ({
    kind: 'ref',
    to: { ref },
  }));
  let rules = 0;
  for (const port of ports) {
    for (let count = random.below(4); count > 0; count--) add(`t/rule${rules++}`, accessRule(random, port, callers));
    if (random.chance(60))
      add(`t/route${rules++}`, { kind: 'route', on: { ref: port.service, port: port.port }, ...routeRules(random, port, ports) });
  }
  for (const caller of random.some(callers.slice(1), 1, 4)) {
    if (caller.kind === 'ref')
      add(`t/need${rules++}`, {
        kind: 'need',
        caller: caller.to,
        targets: random.some(ports, 1, 2).map(({ service, port }) => ({ ref: service, port })),
        ...(random.chance(50) ? { timeout: '900ms' } : {}),
        ...(random.chance(30) ? { retry: 'none' as const } : {}),
      });
  }
  addHosts(random, add, ports);
  return { declarations, origins: {}, fuel: 0 };
}

function addService(random: Random, add: (id: string, value: DeclarationValue) => void, index: number): readonly Port[] {
  const id = `t/s${index}`;
  const versions = random.chance(50) ? random.some(['v1', 'v2', 'v3'], 1, 3) : [];
  const names = random.chance(25) ? ['web', 'admin'] : ['web'];
  const ports = names.map((port, place) => ({ service: id, port, number: 9080 + place, versions, plain: random.chance(70) }));
  add(id, {
    kind: 'service',
    namespace: { ref: `t/${random.pick(namespaces)}` },
    name: `s${index}`,
    serviceAccount: `sa-s${index}`,
    versions,
    ...(random.chance(40) ? { tags: { tier: 'gold' } } : {}),
    ports: Object.fromEntries(
      ports.map((port) => [
        port.port,
        {
          protocol: 'http',
          number: port.number,
          urls: port.plain ? ('rfc3986' as const) : random.pick(['servlet', 'case-insensitive'] as const),
        },
      ]),
    ),
  });
  return ports;
}

function accessRule(random: Random, port: Port, callers: readonly CallerRef[]): DeclarationValue {
  const deny = random.chance(15);
  const named = random.some(callers, 1, 3);
  const broad: CallerRef = random.pick([{ kind: 'ref', to: { ref: `t/${random.pick(namespaces)}` } }, ...named]);
  const to = { ref: port.service, port: port.port };
  if (deny) {
    const from: readonly CallerRef[] = random.chance(30) ? [{ kind: 'anyone', except: random.some(callers, 1, 4) }] : named.slice(0, 1);
    return { kind: 'access', action: 'deny', port: to, from, requests: 'any', because: 'generated' };
  }
  return {
    kind: 'access',
    action: 'allow',
    port: to,
    from: random.chance(20) ? [broad] : named,
    requests: random.chance(30) ? 'any' : lines(random, port, 1, 3),
    ...(random.chance(20) ? { headers: fields(random, headerNames) } : {}),
    ...(random.chance(8) ? { hosts: random.some(['shop.acme.example', `${port.service.slice(2)}.one`], 1, 2) } : {}),
    mode: random.chance(10) ? 'shadow' : 'enforce',
  };
}

function lines(random: Random, port: Port, least: number, most: number): readonly string[] {
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

function conditions(random: Random, port: Port): WireConditions {
  const chosen = new Set(random.some(['request', 'headers', 'query', 'cookies'], 1, 2));
  return {
    ...(chosen.has('request') ? { request: lines(random, port, 1, 2) } : {}),
    ...(chosen.has('headers') ? { headers: fields(random, headerNames) } : {}),
    ...(chosen.has('query') ? { query: fields(random, ['q', 'page']) } : {}),
    ...(chosen.has('cookies') ? { cookies: fields(random, ['user', 'session']) } : {}),
  };
}

function routeRules(
  random: Random,
  port: Port,
  ports: readonly Port[],
): { readonly rules: { readonly when: WireConditions; readonly to: WireDestination }[]; readonly otherwise: WireRouteElse } {
  const rules = Array.from({ length: random.below(4) }, () => ({ when: conditions(random, port), to: destination(random, port, ports) }));
  const to = destination(random, port, ports);
  const forwards = to.kind !== 'respond' && to.kind !== 'redirect';
  return {
    rules,
    otherwise: {
      to,
      ...(forwards && random.chance(50)
        ? { timeout: random.pick(['1s', '2s', '5s']), retry: { atMost: 2, perTry: '200ms', on: ['connect-failure', 'reset'] } }
        : {}),
    },
  };
}

function destination(random: Random, port: Port, ports: readonly Port[]): WireDestination {
  const ref = (to: Port): { readonly ref: string; readonly port: string } => ({ ref: to.service, port: to.port });
  switch (random.below(8)) {
    case 0:
      return { kind: 'respond', status: random.pick([200, 404, 418, 503]), body: 'generated' };
    case 1:
      return { kind: 'redirect', path: '/elsewhere', status: random.pick([301, 302, 307, 308]) };
    case 2:
      return { kind: 'target', to: ref(random.pick(ports)) };
    case 3: {
      const other = random.pick(ports);
      if (other.service === port.service && other.port === port.port) return { kind: 'target', to: ref(port) };
      return {
        kind: 'split',
        shares: [
          { to: ref(port), percent: 30 },
          { to: ref(other), percent: 70 },
        ],
      };
    }
    default: {
      const [first, second] = port.versions;
      if (first === undefined) return { kind: 'target', to: ref(port) };
      return second === undefined || random.chance(50)
        ? { kind: 'version', version: first }
        : { kind: 'weights', weights: { [first]: 75, [second]: 25 } };
    }
  }
}

/** Routes of the gateway's hosts, to ports that it may call only: what it may not call its proxy does not hold. */
function addHosts(random: Random, add: (id: string, value: DeclarationValue) => void, ports: readonly Port[]): void {
  const open = random.some(ports, 1, 3);
  for (const [index, port] of open.entries()) {
    add(`t/public${index}`, {
      kind: 'access',
      action: 'allow',
      port: { ref: port.service, port: port.port },
      from: [{ kind: 'outside', name: 'internet', through: { ref: 't/edge' } }],
      requests: random.chance(40) ? 'any' : lines(random, port, 1, 3),
    });
  }
  for (const [index, host] of hosts.slice(0, 3).entries()) {
    if (index > 0 && random.chance(40)) continue;
    const anchor: Port = { service: open[0]?.service ?? '', port: open[0]?.port ?? '', number: 0, versions: [], plain: true };
    add(`t/host${index}`, { kind: 'route', on: { ref: 't/edge', listener: 'web', host }, ...routeRules(random, anchor, open) });
  }
}

/** `n` requests at a mesh: about half are aimed at a rule, the rest miss by a method, a segment, a spelling, a header, a host or a caller. */
export function generateRequests(ir: MeshIr, seed: number, n: number): MeshRequest[] {
  const random = seeded(seed ^ 0x5eed);
  return Array.from({ length: n }, () =>
    ir.hostRoutes.length > 0 && random.chance(20) ? fromOutside(ir, random) : fromWorkload(ir, random),
  );
}

function fromWorkload(ir: MeshIr, random: Random): MeshRequest {
  const callers = ir.workloads.filter((workload) => workload.kind !== 'gateway');
  const caller = random.pick(callers);
  const callable = callablePorts(ir, caller.key);
  const all = ir.services.flatMap((service) => service.ports.map((port) => port.key));
  const to = callable.length > 0 && random.chance(80) ? random.pick(callable) : random.pick(all);
  const rules = ir.routes.find((table) => table.port === to)?.rules ?? [];
  const request = aimed(ir, random, [to, ...targets(rules)], rules);
  const host = random.chance(25) ? random.pick(spellings(ir, to, namespaceOf(caller.key))) : undefined;
  return {
    from: { kind: 'workload', workload: caller.key },
    to,
    ...request,
    headers: { ...request.headers, ...(host === undefined ? {} : { host }) },
  };
}

/** Host values that name the port, in all their spellings. */
function spellings(ir: MeshIr, to: PortKey, callerNamespace: string): readonly string[] {
  const service = ir.services.find((known) => known.key === serviceOfPort(to));
  const port = service?.ports.find((known) => known.key === to);
  if (!service || !port) throw new Error(`no port ${to}`);
  const [name, namespace] = [nameOf(service.key), namespaceOf(service.key)];
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
  const host = table.host.replace('*', random.pick(['x', 'x.y']));
  const request = aimed(ir, random, targets(table.rules), table.rules);
  const header = random.chance(20)
    ? random.pick([
        `${host}:8443`,
        `${host}:x`,
        `${host}:`,
        `nobody.example:.${host}`,
        host.toUpperCase(),
        'shop.acme.example',
        'beta.books.acme.example',
        'nobody.example',
      ])
    : undefined;
  return {
    from: { kind: 'outside', gateway: table.gateway, listener: table.listener, host },
    to: null,
    ...request,
    headers: { ...request.headers, ...(header === undefined ? {} : { host: header }) },
  };
}

const targets = (rules: readonly RouteRule[]): readonly PortKey[] =>
  rules.flatMap((rule) => (rule.action.kind === 'forward' ? rule.action.to.map((target) => target.port) : []));

interface Aimed {
  readonly method: string;
  readonly path: string;
  readonly headers: { readonly [name: string]: string };
}
function aimed(ir: MeshIr, random: Random, ports: readonly PortKey[], rules: readonly RouteRule[]): Aimed {
  const allows = ir.access.filter((rule) => ports.includes(rule.port) && rule.action === 'allow');
  const matches = rules.flatMap((rule) => (rule.match ? [rule.match] : []));
  const classes = [
    ...allows.flatMap((rule) => (rule.requests === 'any' ? [] : rule.requests)),
    ...matches.flatMap((match) => match.requests),
  ];
  const cls = classes.length > 0 && random.chance(85) ? random.pick(classes) : undefined;
  const headers: { [name: string]: string } = {};
  for (const field of [...allows.flatMap((rule) => rule.headers), ...matches.flatMap((match) => match.headers)])
    if (random.chance(60)) headers[field.name] = valueFor(random, field);
  const cookies = matches
    .flatMap((match) => match.cookies)
    .filter(() => random.chance(60))
    .map((field) => `${field.name}=${valueFor(random, field)}`);
  if (cookies.length > 0) headers['cookie'] = cookies.join('; ');
  const query = matches
    .flatMap((match) => match.query)
    .filter(() => random.chance(60))
    .map((field) => `${field.name}=${valueFor(random, field)}`);
  const path = nearMiss(random, cls ? examplePath(random, cls) : random.pick(['/', '/a', '/reviews/7', '/nothing']));
  const suffix = query.length > 0 ? `?${query.join('&')}` : random.pick(['', '', '', '?x=1', '?', '?a=//../;']);
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
export { generatePolicies } from './policy-generator';
