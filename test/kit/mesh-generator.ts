/**
 * Whole meshes from a seed, for property and differential tests. They are made as declarations and lowered, so that every one is a mesh that somebody
 * could have written. All lie in one universe of services, so that what runs can stay where it is while policies change.
 */
import { lower } from '../../compiler/lower';
import type { CallerRef, Declaration, DeclarationValue, Evaluated } from '../../core/declarations/declaration';
import type { MeshIr } from '../../core/ir/ir';
import { addGateway, addHosts } from './mesh-generator-gateway';
import { addStrangers } from './mesh-generator-outside';
import { accessRule, type Port, routeRules, settings } from './mesh-generator-rules';
import { issuersOf } from './mesh-generator-users';
import { seeded } from './random';
import type { Random } from './random';
export { generateQuestions, generateRequests } from './mesh-generator-requests';
export { generatePolicies } from './policy-generator';

const namespaces = ['one', 'two'];

/** Where a service of the universe runs, and as what: policies may speak of less. */
export interface Place {
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly versions: readonly string[];
  /** By name: the protocol. */
  readonly ports: { readonly [name: string]: string };
}
export function placeOf(index: number): Place {
  return {
    name: `s${index}`,
    namespace: index % 2 === 0 ? 'one' : 'two',
    serviceAccount: `sa-s${index}`,
    versions: [['v1', 'v2'], ['v1'], []][index % 3] ?? [],
    ports:
      [
        { web: 'http', admin: 'http', raw: 'tcp', chat: 'websocket' },
        { web: 'http', admin: 'http', rpc: 'grpc', sni: 'tls', chat: 'websocket' },
        { web: 'http', rpc: 'grpc', raw: 'tcp', sni: 'tls' },
      ][index % 3] ?? {},
  };
}
/** Workloads of the universe that are not services. */
export const callers = [{ name: 'job', namespace: 'two', serviceAccount: 'job' }] as const;
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

/** Without the rules that only a look at the whole mesh refuses (a need that is wider than its owner). What is no rule stays, and is somebody else's to explain. */
function lowerable(declarations: readonly Declaration[]): readonly Declaration[] {
  // a declaration's place is its id, by which what is refused is told
  const origins = Object.fromEntries(declarations.map(({ id }) => [id, { span: { file: id, line: 1, column: 1 }, chain: [] }]));
  let left = declarations;
  for (;;) {
    const { diagnostics } = lower({ declarations: left, origins, fuel: 0 }, 'prod');
    const refused = new Set(diagnostics.flatMap(({ severity, span }) => (severity === 'error' && span ? [span.file] : [])));
    const next = left.filter(({ id, value }) => !(rules.has(value.kind) && refused.has(id)));
    if (next.length === left.length) return left;
    left = next;
  }
}
const rules: ReadonlySet<string> = new Set(['access', 'route', 'need']);

export function proposedDeclarations(seed: number, size: number): readonly Declaration[] {
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
  const listeners = addGateway(random, add);
  for (const { name, namespace, serviceAccount } of callers)
    add(`t/${name}`, { kind: 'workload', namespace: { ref: `t/${namespace}` }, name, serviceAccount });
  const issuers = random.chance(50) ? issuersOf(random) : [];
  for (const [id, value] of issuers) add(id, value);
  const users = issuers.map(([id]) => id);
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
    // who is never let in shows nothing of what lies behind
    if (random.chance(40))
      add(`t/open${count++}`, {
        kind: 'access',
        action: 'allow',
        port: { ref: port.service, port: port.port },
        from: everyone.slice(1),
        requests: 'any',
      });
    for (let more = random.below(4); more > 0; more--) add(`t/rule${count++}`, accessRule(random, port, everyone, users));
    if (random.chance(60))
      add(`t/route${count++}`, {
        kind: 'route',
        on: { ref: port.service, port: port.port },
        ...routeRules(random, port, ports, { everyone, users }),
      });
  }
  const all = [...ports, ...addStrangers(random, add, everyone, users)];
  for (const caller of random.some(everyone.slice(1), 1, 4)) {
    if (caller.kind !== 'ref') continue;
    const targets = random.some(all, 1, 2);
    // a connection has neither a timeout nor a second try
    const stricter = targets.every(({ protocol }) => protocol === 'http' || protocol === 'grpc');
    add(`t/need${count++}`, {
      kind: 'need',
      caller: caller.to,
      targets: targets.map(({ service, port }) => ({ ref: service, port })),
      ...(stricter && random.chance(50) ? { timeout: '12s' } : {}),
      ...(stricter && random.chance(50)
        ? { retry: random.pick(['none' as const, { atMost: 1, perTry: '8s', on: ['reset'], budget: '10%' }]) }
        : {}),
    });
  }
  addHosts(random, add, listeners, ports, users);
  return declarations;
}

function addService(random: Random, add: (id: string, value: DeclarationValue) => void, index: number): readonly Port[] {
  const id = `t/s${index}`;
  const place = placeOf(index);
  const versions = place.versions.length > 0 && random.chance(70) ? random.some(place.versions, 1, place.versions.length) : [];
  const ports = Object.entries(place.ports)
    .filter(([port]) => port === 'web' || random.chance(50))
    .map(([port, protocol], at): Port => ({
      service: id,
      port,
      // to rules it is HTTP, and its requests may go where those go
      protocol: protocol === 'websocket' ? 'http' : protocol,
      number: 9080 + at,
      versions,
      plain: protocol !== 'http' || random.chance(70),
    }));
  add(id, {
    kind: 'service',
    namespace: { ref: `t/${place.namespace}` },
    name: place.name,
    serviceAccount: place.serviceAccount,
    versions,
    ...(random.chance(40) ? { tags: { tier: 'gold' } } : {}),
    ...(random.chance(40) ? { settings: settings(random, ports) } : {}),
    ports: Object.fromEntries(
      ports.map((port) => [
        port.port,
        {
          protocol: place.ports[port.port] ?? '',
          number: port.number,
          ...(place.ports[port.port] === 'websocket' && random.chance(50) ? { maxAge: '60s' } : {}),
          ...(port.protocol === 'http'
            ? { urls: port.plain ? ('rfc3986' as const) : random.pick(['servlet', 'case-insensitive'] as const) }
            : {}),
        },
      ]),
    ),
  });
  return ports;
}
