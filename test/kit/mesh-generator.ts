/**
 * Whole meshes from a seed, for property and differential tests. They are made as declarations and lowered, so that every one is a mesh that somebody
 * could have written. All lie in one universe of services, so that what runs can stay where it is while policies change.
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
import type { MeshIr } from '../../core/ir/ir';
import { seeded } from './random';
import type { Random } from './random';
export { generateQuestions, generateRequests } from './mesh-generator-requests';
export { generatePolicies } from './policy-generator';

const segments = ['a', 'b', 'reviews', 'admin', 'v1', '{id}', '{name}', 'x.json', 'A', "o'k", 'a%20b', 'caf%C3%A9'];
const methods = ['GET', 'POST', 'DELETE', 'HEAD', '*'];
const texts = ['jason', 'jas', 'x', 'true', '1'];
const headerNames = ['end-user', 'x-role', 'x-tenant'];
const namespaces = ['one', 'two'];
const hosts = ['shop.acme.example', '*.books.acme.example', 'beta.books.acme.example', 'idle.acme.example'];

/** Where a service of the universe runs, and as what: policies may speak of less. */
export interface Place {
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly versions: readonly string[];
  readonly ports: readonly string[];
}
export function placeOf(index: number): Place {
  return {
    name: `s${index}`,
    namespace: index % 2 === 0 ? 'one' : 'two',
    serviceAccount: `sa-s${index}`,
    versions: [['v1', 'v2'], ['v1'], []][index % 3] ?? [],
    ports: ['web', 'admin'],
  };
}
/** Workloads of the universe that are not services. */
export const callers = [{ name: 'job', namespace: 'two', serviceAccount: 'job' }] as const;
export const gateway = {
  ...{ name: 'edge', namespace: 'one', serviceAccount: 'edge', listeners: ['web'], certificate: 'one/edge-tls' },
  hosts: ['shop.acme.example', '*.books.acme.example', 'idle.acme.example'],
} as const;

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
  const declarations = lowerable(proposedDeclarations(seed, size));
  return { declarations, origins: {}, fuel: 0 };
}

/** Without the rules that only a look at the whole mesh refuses (a need that is wider than its owner): few of many, in order. */
function lowerable(declarations: readonly Declaration[]): readonly Declaration[] {
  const faults = (list: readonly Declaration[]): number =>
    lower({ declarations: list, origins: {}, fuel: 0 }, 'prod').diagnostics.filter(({ severity }) => severity === 'error').length;
  let left = declarations;
  for (let before = faults(left); before > 0;) {
    const gone =
      left.find((one) => rules.has(one.value.kind) && faults(left.filter((other) => other !== one)) < before) ??
      left.find((one) => one.value.kind === 'need'); // one may hide another
    if (!gone) return left;
    left = left.filter((one) => one !== gone);
    before = faults(left);
  }
  return left;
}
const rules: ReadonlySet<string> = new Set(['access', 'route', 'need']);

function proposedDeclarations(seed: number, size: number): readonly Declaration[] {
  const random = seeded(seed);
  const declarations: Declaration[] = [];
  const add = (id: string, value: DeclarationValue): void => void declarations.push({ id, team: id.slice(0, id.indexOf('/')), value });
  add('mesh/mesh', {
    kind: 'mesh',
    trustDomain: 'mesh.test',
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
        hosts: Object.fromEntries(gateway.hosts.map((host) => [host, 't'])),
        certificate: gateway.certificate,
      },
    },
  });
  for (const { name, namespace, serviceAccount } of callers)
    add(`t/${name}`, { kind: 'workload', namespace: { ref: `t/${namespace}` }, name, serviceAccount });
  const ports: Port[] = [];
  for (let index = 0; index < size; index++) ports.push(...addService(random, add, index));
  const everyone: CallerRef[] = ['t/edge', ...callers.map(({ name }) => `t/${name}`), ...new Set(ports.map((port) => port.service))].map(
    (ref) => ({
      kind: 'ref',
      to: { ref },
    }),
  );
  let count = 0;
  for (const port of ports) {
    for (let more = random.below(4); more > 0; more--) add(`t/rule${count++}`, accessRule(random, port, everyone));
    if (random.chance(60))
      add(`t/route${count++}`, { kind: 'route', on: { ref: port.service, port: port.port }, ...routeRules(random, port, ports) });
  }
  for (const caller of random.some(everyone.slice(1), 1, 4)) {
    if (caller.kind === 'ref')
      add(`t/need${count++}`, {
        kind: 'need',
        caller: caller.to,
        targets: random.some(ports, 1, 2).map(({ service, port }) => ({ ref: service, port })),
        ...(random.chance(50) ? { timeout: '900ms' } : {}),
        ...(random.chance(50)
          ? { retry: random.pick(['none' as const, { atMost: 1, perTry: '100ms', on: ['reset'], budget: '10%' }]) }
          : {}),
      });
  }
  addHosts(random, add, ports);
  return declarations;
}

function addService(random: Random, add: (id: string, value: DeclarationValue) => void, index: number): readonly Port[] {
  const id = `t/s${index}`;
  const place = placeOf(index);
  const versions = place.versions.length > 0 && random.chance(70) ? random.some(place.versions, 1, place.versions.length) : [];
  const names = random.chance(30) ? place.ports : place.ports.slice(0, 1);
  const ports = names.map((port, place) => ({ service: id, port, number: 9080 + place, versions, plain: random.chance(70) }));
  add(id, {
    kind: 'service',
    namespace: { ref: `t/${place.namespace}` },
    name: place.name,
    serviceAccount: place.serviceAccount,
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
      return {
        kind: 'redirect',
        ...random.pick([{ path: '/elsewhere' }, { host: 'other.example' }, { host: 'other.example', path: '/' }]),
        status: random.pick([301, 302, 307, 308]),
      };
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
