/** MW308x: what lower refuses of hosts outside the mesh. */
import { defineDiagnostic } from './diagnostic';

export const outside = {
  wildcardOutside: defineDiagnostic<{ host: string }>({
    code: 'MW3080',
    slug: 'wildcard-outside',
    severity: 'error',
    summary:
      'a host outside the mesh is named exactly: of a wildcard, whoever writes the names of that domain would say where in this network calls go',
    message: ({ host }) => `\`${host}\` names no one host outside the mesh`,
    help: () => 'name each host that is called; nobody then sends calls elsewhere by a name that he makes up (ADR 0166)',
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
  routedOutside: defineDiagnostic<{ rule: string; port: string }>({
    code: 'MW3081',
    slug: 'routed-outside',
    severity: 'error',
    summary: 'a route does not cross the border of the mesh: who may call the outside is decided where the outside is addressed',
    message: ({ rule, port }) => `${rule} leads over the border of the mesh to \`${port}\``,
    help: () => 'let callers address the host outside by its own name, and route there to its own port',
  }),
};
