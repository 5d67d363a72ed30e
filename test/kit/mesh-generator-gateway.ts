/** The gateway of generated meshes: what it listens for, where what comes in goes, and who may come from where. */
import type { CallerRef, DeclarationValue } from '../../core/declarations/declaration';
import { lines, type Port, routeRules } from './mesh-generator-rules';
import { userOf } from './mesh-generator-users';
import type { Random } from './random';

/** The gateway of the universe. A mesh declares some of its listeners. */
export const gateway = {
  ...{ name: 'edge', namespace: 'one', serviceAccount: 'edge', listeners: ['web', 'plain', 'pass', 'queue'] },
  certificate: 'one/edge-tls',
  /** The secret with the authorities of clients. */
  trust: 'one/partners',
  hosts: ['shop.acme.example', '*.books.acme.example', 'idle.acme.example'],
} as const;
/** Hosts that are routed where they are served, `*` among them. */
const routed = ['shop.acme.example', '*.books.acme.example', 'beta.books.acme.example', '*'] as const;
/** Server names of connections that go on whole. */
const names = ['a.tls.example', '*.b.tls.example', '*.tls.example', 'idle.tls.example'] as const;
const routedNames = ['a.tls.example', 'x.b.tls.example', '*.b.tls.example', '*.tls.example', '*'] as const;

const network = (name: string, ...addresses: readonly string[]): CallerRef => ({
  kind: 'outside',
  name,
  network: addresses,
  through: { ref: 't/edge' },
});
/** Within each other, beside each other, of both families; some that only a PROXY header can speak of. */
const networks: readonly CallerRef[] = [
  network('office', '127.1.0.0/16', '127.3.0.0/24'),
  network('desk', '127.1.2.0/24'),
  network('seat', '127.1.2.3/32'),
  network('far', '10.0.0.0/8', '2001:db8::/32'),
  network('lab', '2001:db8:1::/48'),
  network('four', '0.0.0.0/0'),
  network('six', '::/0'),
  network('low', '::/8'),
];
/** Clients' own addresses: all of 127.0.0.0/8 is one machine's. */
export const ownAddresses = ['127.0.0.1', '127.1.2.3', '127.1.2.4', '127.1.9.9', '127.2.2.2', '127.3.0.7', '127.3.1.7'];
/** What a PROXY header may say beside those. */
export const saidAddresses = [
  '10.1.2.3',
  '192.0.2.1',
  '2001:db8::1',
  '2001:db8:1::5',
  '2001:db9::1',
  '::1',
  '::ffff:127.1.2.3',
  '::ffff:a01:203',
];

type Add = (id: string, value: DeclarationValue) => void;
type Listeners = Extract<DeclarationValue, { readonly kind: 'gateway' }>['listeners'];

/** The gateway as a mesh declares it. */
export function addGateway(random: Random, add: Add): Listeners {
  const behind = (): { readonly proxyProtocol?: 'required' } => (random.chance(20) ? { proxyProtocol: 'required' } : {});
  const teams = (...hosts: readonly string[]): { readonly [host: string]: string } => Object.fromEntries(hosts.map((host) => [host, 't']));
  const all = random.chance(20) ? ['*'] : [];
  const web = {
    port: random.pick([8443, 8443, 443]),
    hosts: teams(...gateway.hosts, ...all),
    certificate: gateway.certificate,
    ...(random.chance(35) ? { clients: { trust: gateway.trust, certificate: random.pick(['required', 'optional'] as const) } } : {}),
    ...(random.chance(20) ? { minTls: '1.3' as const } : {}),
    ...behind(),
  };
  const redirects = random.chance(12) ? { redirect: 'https' as const } : {};
  const plain = { protocol: 'http' as const, port: 8080, hosts: web.hosts, ...redirects, ...behind() };
  const pass = { protocol: 'tls' as const, port: 8444, hosts: teams(...names, ...(random.chance(25) ? ['*'] : [])), ...behind() };
  const queue = { protocol: 'tcp' as const, port: 5432, team: 't', ...behind() };
  const listeners: Listeners = { web, plain, ...(random.chance(60) ? { pass } : {}), ...(random.chance(60) ? { queue } : {}) };
  add('t/edge', { kind: 'gateway', namespace: { ref: 't/one' }, name: 'edge', serviceAccount: 'edge', listeners });
  return listeners;
}

/** Routes of the gateway's hosts, to ports that it may call only: what it may not call its proxy does not hold. */
export function addHosts(random: Random, add: Add, listeners: Listeners, ports: readonly Port[], users: readonly string[]): void {
  const open = random.some(
    ports.filter(({ protocol }) => protocol === 'http'),
    1,
    3,
  );
  for (const [index, port] of open.entries())
    add(`t/public${index}`, {
      ...{ kind: 'access', action: 'allow', port: { ref: port.service, port: port.port }, from: [internet] },
      requests: random.chance(40) ? 'any' : lines(random, port, 1, 3),
      ...(users.length > 0 && random.chance(15) ? { user: userOf(random, users) } : {}),
    });
  const speaking = listeners['plain']?.redirect === undefined ? ['web', 'web', 'plain'] : ['web'];
  for (const [index, host] of routed.entries()) {
    if ((index > 0 && random.chance(40)) || (host === '*' && listeners['web']?.hosts?.['*'] === undefined)) continue;
    add(`t/host${index}`, {
      kind: 'route',
      on: { ref: 't/edge', listener: random.pick(speaking), host },
      ...routeRules(random, { ...anchorOf(open), protocol: 'http' }, open, { everyone: networks, users, atGateway: true }),
    });
  }
  addConnections(random, add, listeners, ports);
}
const internet: CallerRef = { kind: 'outside', name: 'internet', through: { ref: 't/edge' } };
/** A port as rules of a gateway go by it: a gateway's host has no versions. */
const anchorOf = ([first]: readonly Port[]): Port => ({
  service: '',
  port: '',
  protocol: '',
  ...first,
  number: 0,
  versions: [],
  plain: true,
});

/** Connections that go on whole: of names to TLS, of a whole listener to TCP. Now and then to where the gateway is not let in. */
function addConnections(random: Random, add: Add, listeners: Listeners, ports: readonly Port[]): void {
  for (const [listener, protocol] of [
    ['pass', 'tls'],
    ['queue', 'tcp'],
  ] as const) {
    const open = ports.filter((port) => port.protocol === protocol);
    const served = listeners[listener];
    if (!served || open.length === 0) continue;
    for (const [index, port] of open.entries())
      if (random.chance(85))
        add(`t/${listener}Public${index}`, {
          ...{ kind: 'access', action: 'allow', port: { ref: port.service, port: port.port }, from: [internet], requests: 'any' },
        });
    const hosts = protocol === 'tcp' ? [undefined] : routedNames.filter((host) => host !== '*' || served.hosts?.['*'] !== undefined);
    for (const [index, host] of hosts.entries()) {
      if (random.chance(40)) continue;
      add(`t/${listener}Host${index}`, {
        kind: 'route',
        on: { ref: 't/edge', listener, ...(host === undefined ? {} : { host }) },
        ...routeRules(random, { ...anchorOf(random.some(open, 1, 1)), protocol }, open, {
          ...{ everyone: networks, users: [], atGateway: true },
        }),
      });
    }
  }
}
