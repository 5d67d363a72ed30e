/** Rules of a generated mesh: who may call a port with what, and where its requests or connections go. */
import type {
  CallerRef,
  DeclarationValue,
  WireConditions,
  WireDestination,
  WireRouteElse,
  WireRouteRule,
  WireTextFields,
  WireTextMatch,
} from '../../core/declarations/declaration';
import type { Random } from './random';

/** A port of a generated service. */
export interface Port {
  readonly service: string;
  readonly port: string;
  readonly protocol: string;
  readonly number: number;
  readonly versions: readonly string[];
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

export function accessRule(random: Random, port: Port, callers: readonly CallerRef[]): DeclarationValue {
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
  switch (port.protocol) {
    case 'tcp':
      return { ...common, requests: 'any', mode };
    case 'tls':
      return { ...common, requests: 'any', mode };
    case 'grpc':
      return { ...common, requests: random.chance(30) ? 'any' : random.some(grpcMethods, 1, 2), mode };
    default:
      return {
        ...common,
        requests: random.chance(30) ? 'any' : lines(random, port, 1, 3),
        ...(random.chance(20) ? { headers: fields(random, headerNames) } : {}),
        ...(random.chance(8) ? { hosts: random.some(['shop.acme.example', `${port.service.slice(2)}.one`], 1, 2) } : {}),
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

function conditions(random: Random, port: Port, everyone: readonly CallerRef[]): WireConditions {
  switch (port.protocol) {
    case 'tcp':
      return { from: callersOf(random, everyone) };
    case 'tls': {
      const chosen = new Set(random.some(['sni', 'from'], 1, 2));
      return {
        ...(chosen.has('sni') ? { sni: random.some(serverNames, 1, 2) } : {}),
        ...(chosen.has('from') ? { from: callersOf(random, everyone) } : {}),
      };
    }
    case 'grpc': {
      const chosen = new Set(random.some(['request', 'headers'], 1, 2));
      return {
        ...(chosen.has('request') ? { request: random.some(grpcMethods, 1, 2) } : {}),
        ...(chosen.has('headers') ? { headers: fields(random, headerNames) } : {}),
      };
    }
    default: {
      const chosen = new Set(random.some(['request', 'headers', 'query', 'cookies'], 1, 2));
      return {
        ...(chosen.has('request') ? { request: lines(random, port, 1, 2) } : {}),
        ...(chosen.has('headers') ? { headers: fields(random, headerNames) } : {}),
        ...(chosen.has('query') ? { query: fields(random, ['q', 'page']) } : {}),
        ...(chosen.has('cookies') ? { cookies: fields(random, ['user', 'session']) } : {}),
      };
    }
  }
}
/** Services and workloads: routes of a port know no callers from outside. */
const callersOf = (random: Random, everyone: readonly CallerRef[]): readonly CallerRef[] => random.some(everyone.slice(1), 1, 2);

export function routeRules(
  random: Random,
  port: Port,
  ports: readonly Port[],
  everyone: readonly CallerRef[],
): { readonly rules: WireRouteRule[]; readonly otherwise: WireRouteElse } {
  return {
    rules: Array.from({ length: random.below(4) }, () => ({ when: conditions(random, port, everyone), ...action(random, port, ports) })),
    otherwise: action(random, port, ports),
  };
}

function action(random: Random, port: Port, ports: readonly Port[]): WireRouteElse {
  const to = destination(random, port, ports);
  if (to.kind === 'respond' || to.kind === 'redirect' || to.kind === 'respondGrpc') return { to };
  if (port.protocol === 'tcp' || port.protocol === 'tls') return { to, ...(random.chance(30) ? { idle: '10s' } : {}) };
  return {
    to,
    ...(random.chance(30)
      ? { timeout: random.pick(['1s', '2s', '5s']), retry: { atMost: 2, perTry: '200ms', on: ['connect-failure', 'reset'] } }
      : {}),
  };
}

function destination(random: Random, port: Port, ports: readonly Port[]): WireDestination {
  const ref = (to: Port): { readonly ref: string; readonly port: string } => ({ ref: to.service, port: to.port });
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
    case 1:
      return {
        kind: 'redirect',
        ...random.pick([{ path: '/elsewhere' }, { host: 'other.example' }, { host: 'other.example', path: '/' }]),
        status: random.pick([301, 302, 307, 308]),
      };
    case 2:
      return { kind: 'target', to: ref(random.pick(alike)) };
    case 3: {
      const other = random.pick(alike);
      if (other.service === port.service && other.port === port.port) return asItself;
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
      if (first === undefined) return asItself;
      return second === undefined || random.chance(50)
        ? { kind: 'version', version: first }
        : { kind: 'weights', weights: { [first]: 75, [second]: 25 } };
    }
  }
}
