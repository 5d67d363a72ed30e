/** Gateways, and what is outside the mesh. */
import type { DeclarationValue } from '../../core/declarations/declaration';
import { deploysMethod } from './deploy-time';
import { freeze, keysOf } from './intrinsics';
import { type MadePort, hidden, make } from './made';
import { ownNamespace } from './inventory';
import { team } from './mesh-names';
import { anyPortSpec } from './port-specs';
import { handles, ownedPort, portOf } from './ports';
import { routeMethod, versionMethod } from './routes';
import { refuse, under } from './policy-error';
import { type Reader, list, named, record, recordOf, whole, word } from './read';
import { suggest } from './did-you-mean';
import { refTo, register } from './registry';
import { gatewayHandle, madeAs } from './subjects';
import { accountName, cidr, hostOrAddress, hostOrWildcard, name, namespacedName } from './units';
import { verb } from './verb';

export const secret = verb('secret', ['ref'], 1, (given) => make({}, { kind: 'secret', name: namespacedName(given.take(0), given.at(0)) }));
const certificate = madeAs(['secret'], 'a secret', "write `secret('namespace/name')`");
const [port, hosts] = [whole(1, 65_535, 'port'), named(hostOrWildcard, team)];
const hostWithCertificate = record({ team, certificate }, {});
/** `'books'`, or `{ team: 'books', certificate: secret('books/shop-tls') }`. */
const httpsHost: Reader<string | { readonly team: string; readonly certificate: string }> = (value, at) => {
  if (typeof value !== 'object') return team(value, at);
  const own = hostWithCertificate(value, at);
  return freeze({ team: own.team, certificate: own.certificate.name });
};
const proxyProtocol = word('required');
const passedOn = 'a listener that ends no TLS has no certificate: the destination has it';
const listeners = {
  https: record(
    { port, hosts: named(hostOrWildcard, httpsHost), certificate },
    {
      proxyProtocol,
      protocol: word('https'),
      clients: record({ trust: certificate, certificate: word('required', 'optional') }, {}),
      minTls: word('1.2', '1.3'),
    },
    { redirect: "it is a listener with `protocol: 'http'` that redirects" },
  ),
  http: record(
    { protocol: word('http'), port, hosts },
    { proxyProtocol, redirect: word('https') },
    { certificate: 'a listener with a certificate speaks https: leave `protocol` out, or `certificate`' },
  ),
  tls: record({ protocol: word('tls'), port, hosts }, { proxyProtocol }, { certificate: passedOn }),
  tcp: record(
    { protocol: word('tcp'), port, team },
    { proxyProtocol },
    { certificate: passedOn, hosts: 'a connection of TCP names no host: say the `team` of the listener' },
  ),
};
type WireListener = Extract<DeclarationValue, { readonly kind: 'gateway' }>['listeners'][string];
const protocol = word('https', 'http', 'tls', 'tcp');
const listener: Reader<WireListener> = (value, at) => {
  const spoken = recordOf(value, at)['protocol'];
  const speaks = spoken === undefined ? 'https' : protocol(spoken, under(at, 'protocol'));
  if (speaks !== 'https') return listeners[speaks](value, at);
  const { certificate: secretOf, clients, ...read } = listeners.https(value, at);
  return freeze({
    ...read,
    certificate: secretOf.name,
    ...(clients ? { clients: freeze({ trust: clients.trust.name, certificate: clients.certificate }) } : {}),
  });
};
const spec = record({ serviceAccount: accountName }, { listeners: named(name, listener), wayOutOf: list(team) });

export const gateway = verb('gateway', ['namespace', 'name', 'spec'], 3, (given) => {
  const called = name(given.take(1), given.at(1));
  const { serviceAccount, listeners: wire = {}, wayOutOf } = spec(given.take(2), given.at(2));
  const entry = register(
    {
      ...{ kind: 'gateway', namespace: ownNamespace(given.take(0), given.at(0)), name: called, serviceAccount, listeners: wire },
      ...(wayOutOf ? { wayOutOf } : {}),
    },
    given.call,
  );
  const made: Record<string, object> = {};
  for (const key of keysOf(wire)) {
    const one = wire[key];
    if (one) made[key] = listenerHandle(entry, called, key, one);
  }
  return make(
    { listeners: handles(made, 'MW2114', 'listener', called), deploys: deploysMethod(entry, called) },
    { kind: 'gateway', entry, name: called, owned: true },
  );
});

/** What an owner does with connections that come in: their routes. */
const connectionActs = (port: MadePort) => ({ protocol: port.protocol, version: versionMethod(port), route: routeMethod(port) });

function listenerHandle(entry: number, owner: string, key: string, one: WireListener): object {
  const place = { ref: refTo(entry), listener: key };
  const spoken = one.protocol === 'tls' || one.protocol === 'tcp' ? one.protocol : 'http';
  const atGateway = { atGateway: true } as const;
  if (spoken === 'tcp') {
    const all = portOf(place, `${owner}.listeners.${key}`, { protocol: spoken, number: 1 }, [], atGateway);
    const host = verb(`${owner}.listeners.${key}.host`, ['name'], 1, (given) =>
      refuse(given.at(0), 'MW2121', `a connection at \`${key}\` names no host`, 'write the routes of the listener itself'),
    );
    return make(hidden(connectionActs(all), { host }), all);
  }
  const served = keysOf(one.hosts ?? {});
  const atHost = verb(`${owner}.listeners.${key}.host`, ['name'], 1, (given) => {
    const asked = hostOrWildcard(given.take(0), given.at(0));
    const covered = served.some((one) => one === asked || one === '*' || (one.startsWith('*.') && asked.endsWith(one.slice(1))));
    if (!covered) return refuse(given.at(0), 'MW2121', `\`${asked}\` is no host of this listener`, suggest(asked, served, 'host'));
    const host = portOf(
      { ...place, host: asked },
      `${owner}.listeners.${key}.host('${asked}')`,
      { protocol: spoken, number: 1 },
      [],
      atGateway,
    );
    if (one.redirect !== undefined) return redirectedHost(host, key);
    return spoken === 'tls' ? make(connectionActs(host), host) : ownedPort(host);
  });
  return make({ host: atHost }, { kind: 'listener', ref: freeze(place) });
}

/** A host that has no routes but the one that nobody writes: there is nothing to do with it, and questions may be about it. */
function redirectedHost(host: MadePort, listener: string): object {
  const route = verb(`${host.owner}.route`, ['spec'], 1, (given) =>
    refuse(given.at(0), 'MW2121', `\`${listener}\` redirects every request itself`, 'leave `redirect` out, and write routes'),
  );
  return make(hidden({ protocol: host.protocol, version: versionMethod(host) }, { route }), host);
}

const besideAddresses = {
  hosts: 'a connection is known by a name or by its address: declare an `external` for each',
  at: 'it is of names under a wildcard: leave `at` out',
  through: 'a gateway is not told which address was dialled: leave `through` out',
  trust: 'an address has no name to verify: leave `trust` out',
};
const externalSpec = record(
  { team, ports: named(name, anyPortSpec) },
  {
    hosts: list(hostOrAddress),
    at: list(cidr, { unique: 'network' }),
    addresses: list(cidr, { unique: 'range' }),
    trust: madeAs(['secret'], 'a secret', "write `secret('namespace/name')`"),
    through: gatewayHandle,
  },
  { address: "write `addresses: ['192.0.2.0/24']`, or the address as one of `hosts`" },
);
/** A host that somebody else runs, or ranges of addresses. `https` and `grpcs` are HTTP and gRPC to the proxy, and TLS from the proxy on. */
export const external = verb('external', ['name', 'spec'], 2, (given) => {
  const called = name(given.take(0), given.at(0));
  const { team: owner, hosts, at, addresses, ports, trust, through } = externalSpec(given.take(1), given.at(1));
  if (addresses)
    for (const [word, said] of [
      ['hosts', hosts],
      ['at', at],
      ['through', through],
      ['trust', trust],
    ] as const)
      if (said) return refuse(under(given.at(1), word), 'MW2103', `\`${word}\` beside \`addresses\``, besideAddresses[word]);
  if (!hosts && !addresses)
    return refuse(given.at(1), 'MW2102', '`hosts` is missing', 'say where it is: `hosts`, by name, or `addresses`, by range');
  const wire = Object.fromEntries(
    Object.entries(ports).map(([key, one]) => [key, one.outsideOnly ? { ...one.port, protocol: `${one.port.protocol}s` } : one.port]),
  );
  const entry = register(
    {
      kind: 'external',
      name: called,
      team: owner,
      ...(hosts ? { hosts } : {}),
      ...(at ? { at } : {}),
      ...(addresses ? { addresses } : {}),
      ports: wire,
      ...(trust ? { trust: trust.name } : {}),
      ...(through ? { through: { ref: refTo(through.entry) } } : {}),
    },
    given.call,
  );
  const made: Record<string, object> = {};
  for (const port of keysOf(ports)) {
    const declared = ports[port];
    if (declared)
      made[port] = ownedPort(portOf({ ref: refTo(entry), port }, `${called}.ports.${port}`, declared.port, [], { outside: true }));
  }
  return make({ ports: handles(made, 'MW2114', 'port', called) }, { kind: 'external', entry, name: called, owned: true });
});
