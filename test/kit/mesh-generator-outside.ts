/** Hosts outside the mesh of generated meshes: called by the caller's own proxy, or through the gateway. Their names and addresses lead to this machine. */
import type { CallerRef, DeclarationValue } from '../../core/declarations/declaration';
import { outsideNamespace, workloadKey, type WorkloadKey } from '../../core/mesh/ids';
import { userOf } from './mesh-generator-users';
import { accessRule, type Port, routeRules } from './mesh-generator-rules';
import type { Random } from './random';

/** What somebody else runs. Numbers are those that policies speak of; where a server of a test listens is the test's to say. */
export interface Stranger {
  readonly name: string;
  readonly key: WorkloadKey;
  readonly hosts: readonly string[];
  /** By name: the protocol and the number. */
  readonly ports: { readonly [name: string]: readonly [protocol: string, number: number] };
  readonly through: string | null;
  /** Where names under its wildcards may lead. */
  readonly at?: readonly string[];
}
/** The domain of hosts that are somebody's by wildcards, in each other and beside what is named closer. All are one server's, at the number that requests say. */
export const wildDomain = 'wild.example';
/** Of this process or another on this machine: whoever serves names there has an address of its own. */
const wildNetworks = ['127.64.0.0/10'];
export const wildNumber = 8443;
/** Names under it that somebody serves. */
export const servedNames = ['any', 'docs', 'files', 'a.b', 'special', 'deep', 'any.deep', 'x.deep'].map((name) => `${name}.${wildDomain}`);
/** Names under it that nobody gets to: whose server proves another name, which lead to an address that is in none of the networks, or to none. */
export const lostNames = {
  forged: `forged.${wildDomain}`,
  strayed: `strayed.${wildDomain}`,
  nobodys: `nobodys.deep.${wildDomain}`,
} as const;
/** What a request may say that is for one of them, or nearly. */
export const wildHosts: readonly string[] = [
  ...[...servedNames, ...servedNames, ...Object.values(lostNames)].map((name) => `${name}:${wildNumber}`),
  `DOCS.${wildDomain}:${wildNumber}`,
  `docs.${wildDomain}`,
  `docs.${wildDomain}:443`,
  `docs.${wildDomain}.:${wildNumber}`,
  `${wildDomain}:${wildNumber}`,
  `deep.${wildDomain}:${wildNumber}`,
  `not${wildDomain}:${wildNumber}`,
];
/** The secret with the authorities of their certificates. */
export const outsideTrust = 'one/outside';
export const strangers: readonly Stranger[] = [
  {
    ...{ name: 'direct', key: workloadKey(outsideNamespace, 'direct'), through: null },
    hosts: ['api.direct.localhost', 'files.direct.localhost'],
    ports: { web: ['http', 80], secure: ['https', 443], rpc: ['grpc', 50_051], rpcs: ['grpcs', 50_052], pass: ['tls', 8443] },
  },
  {
    ...{ name: 'distant', key: workloadKey(outsideNamespace, 'distant'), through: 't/edge' },
    hosts: ['api.distant.localhost', 'files.distant.localhost'],
    ports: { web: ['http', 80], secure: ['https', 443], rpc: ['grpc', 50_051], rpcs: ['grpcs', 50_052], pass: ['tls', 8443] },
  },
  // a port of TCP stands for one host
  {
    ...{ name: 'rows', key: workloadKey(outsideNamespace, 'rows'), through: null },
    hosts: ['192.0.2.7'],
    ports: { raw: ['tcp', 5432] },
  },
  {
    ...{ name: 'ledger', key: workloadKey(outsideNamespace, 'ledger'), through: 't/edge' },
    hosts: ['ledger.distant.localhost'],
    ports: { raw: ['tcp', 5432] },
  },
];
/** Called each with a wildcard or closer, by whoever may. */
const wild: readonly Stranger[] = [
  { name: 'wild', hosts: [`*.${wildDomain}`], at: wildNetworks },
  { name: 'deep', hosts: [`*.deep.${wildDomain}`], at: wildNetworks },
  { name: 'closer', hosts: [`special.${wildDomain}`, `x.deep.${wildDomain}`] },
].map((one) => ({
  ...one,
  ...{ key: workloadKey(outsideNamespace, one.name), ports: { secure: ['https', wildNumber] }, through: null },
}));
export const isWild = (key: string): boolean => wild.some((one) => one.key === key);
/** What a proxy speaks to them. */
const spoken: { readonly [protocol: string]: string } = { grpc: 'grpc', grpcs: 'grpc', tls: 'tls', tcp: 'tcp' };

/** Some of them, with who may call them and where requests go there; the ports that they have. */
export function addStrangers(
  random: Random,
  add: (id: string, value: DeclarationValue) => void,
  everyone: readonly CallerRef[],
  users: readonly string[],
): readonly Port[] {
  let count = 0;
  return [...strangers, ...wild].flatMap(({ name, hosts, ports: known, through, at }) => {
    if (random.chance(at ? 60 : 50)) return [];
    const service = `t/${name}`;
    const ports = random.some(Object.entries(known), 1, 3).map(([port, [protocol, number]]): Port => ({
      // rules speak of hosts by whole names
      ...{ service, port, number, hosts: hosts.flatMap(namesUnder), versions: [], plain: true },
      protocol: spoken[protocol] ?? 'http',
    }));
    add(service, {
      ...{ kind: 'external', name, team: 't', hosts, trust: outsideTrust },
      ports: Object.fromEntries(ports.map(({ port, number }) => [port, { protocol: known[port]?.[0] ?? '', number }])),
      ...(through === null ? {} : { through: { ref: through } }),
      ...(at ? { at } : {}),
    });
    for (const port of ports) {
      const to = { ref: service, port: port.port };
      if (random.chance(50))
        add(`t/leave${count++}`, { kind: 'access', action: 'allow', port: to, from: everyone.slice(1), requests: 'any' });
      if (through !== null && users.length > 0 && random.chance(60))
        add(`t/outUser${count++}`, {
          ...{ kind: 'access', action: 'allow', port: to, from: everyone.slice(1), requests: 'any' },
          user: userOf(random, users),
        });
      for (let more = 1 + random.below(3); more > 0; more--)
        add(`t/out${count++}`, accessRule(random, port, everyone.slice(1), through === null ? [] : users));
      // requests go to the host that they address
      if (random.chance(60))
        add(`t/outRoute${count++}`, { kind: 'route', on: to, ...routeRules(random, port, [port], { everyone, users: [] }) });
    }
    return ports;
  });
}
const namesUnder = (host: string): readonly string[] =>
  host.startsWith('*') ? servedNames.filter((name) => name.endsWith(host.slice(1))) : [host];
