/** MW308x: what lower refuses of hosts outside the mesh. */
import { defineDiagnostic } from './diagnostic';

export const outside = {
  wildcardOutside: defineDiagnostic<{ host: string; port: string; protocol: string }>({
    code: 'MW3080',
    slug: 'wildcard-outside',
    severity: 'error',
    summary:
      'a wildcard leads wherever the names of that domain say, so a proxy has to make the TLS: the certificate alone proves who is there',
    message: ({ host, port, protocol }) =>
      `\`${host}\` names no one host, and on \`${port}\`, which speaks ${protocol}, no proxy would ask who is there`,
    help: () => 'speak `https` or `grpcs` on all ports of it, or name each host that is called (ADR 0189)',
  }),
  badPlace: defineDiagnostic<{ network: string; why: string }>({
    code: 'MW3088',
    slug: 'bad-place',
    severity: 'error',
    summary: 'names under a wildcard lead nowhere that each machine has for itself, whoever says so',
    message: ({ network, why }) => `\`${network}\` is no network for a host to be in: ${why}`,
    help: () => 'write the networks that the hosts are in, and no wider: `10.20.0.0/16`',
  }),
  manyByAddress: defineDiagnostic<{ port: string; protocol: string; hosts: readonly string[] }>({
    code: 'MW3085',
    slug: 'many-by-address',
    severity: 'error',
    summary: 'a connection that is not TLS names no host, so a port of it stands for one',
    message: ({ port, protocol, hosts }) =>
      `\`${port}\` speaks ${protocol}, where nothing says which of ${hosts.map((host) => `\`${host}\``).join(', ')} is meant`,
    help: () => 'declare an `external` of its own for each host',
  }),
  notItsWayOut: defineDiagnostic<{ team: string; gateway: string; owner: string }>({
    code: 'MW3087',
    slug: 'not-its-way-out',
    severity: 'error',
    summary: 'a gateway dials from its own place in the network, so its owner says whose hosts it dials',
    message: ({ team, gateway, owner }) =>
      `the hosts of team \`${team}\` may not be called through \`${gateway}\`, which is \`${owner}\`'s`,
    help: ({ team, owner }) => `ask team \`${owner}\` to write \`wayOutOf: ['${team}']\` at the gateway, or take one of your own`,
  }),
  badRange: defineDiagnostic<{ range: string; why: string }>({
    code: 'MW3091',
    slug: 'bad-range',
    severity: 'error',
    summary: 'a range of addresses outside is written by its first address, and is of machines outside',
    message: ({ range, why }) => `\`${range}\` is no range of addresses outside: ${why}`,
    help: () => 'write the first address and the length of the prefix of what is called: `192.0.2.0/24`, `2001:db8::/48`',
  }),
  rangeOfMachine: defineDiagnostic<{ range: string; why: string; team: string }>({
    code: 'MW3092',
    slug: 'range-of-the-machine',
    severity: 'error',
    summary: 'what each machine finds on its link, or is told by its cloud, is for a platform to open: credentials are there',
    message: ({ range, why, team }) => `team \`${team}\` may not open \`${range}\`: ${why}`,
    help: () => 'ask the platform team to declare it, with an `allow` for who needs it',
  }),
  rangesOverlap: defineDiagnostic<{ narrow: string; of: string; team: string; wide: string; number: number; other: string; owner: string }>(
    {
      code: 'MW3093',
      slug: 'ranges-overlap',
      severity: 'error',
      summary: 'an address and a port outside are of one team: the narrower range would take them from the rules of the wider',
      message: ({ narrow, of, team, wide, number, other, owner }) =>
        `\`${narrow}\` of \`${of}\` (team \`${team}\`) lies in \`${wide}\` of \`${other}\` (team \`${owner}\`), both at port ${number}`,
      help: () => 'let one team declare both, or the ranges of each without those of the other',
    },
  ),
  nameOfAnother: defineDiagnostic<{ host: string; of: string; team: string; wildcard: string; other: string; owner: string }>({
    code: 'MW3094',
    slug: 'name-of-another',
    severity: 'error',
    summary:
      "a name under a team's wildcard is that team's: another would take its requests, with what they carry, from the rules of the first",
    message: ({ host, of, team, wildcard, other, owner }) =>
      `\`${host}\` of \`${of}\` (team \`${team}\`) lies under \`${wildcard}\` of \`${other}\` (team \`${owner}\`)`,
    help: () => 'let one team declare both, or ask the platform team to declare the name',
  }),
  routedOutside: defineDiagnostic<{ rule: string; port: string }>({
    code: 'MW3081',
    slug: 'routed-outside',
    severity: 'error',
    summary: 'a route does not cross the border of the mesh: who may call the outside is decided where the outside is addressed',
    message: ({ rule, port }) => `${rule} leads over the border of the mesh to \`${port}\``,
    help: () => 'let callers address the host outside by its own name, and route there to its own port',
  }),
};
