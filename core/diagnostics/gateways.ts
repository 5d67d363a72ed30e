/** MW308x: what lower refuses of gateways. */
import { defineDiagnostic } from './diagnostic';

export const gateways = {
  hostOfTwoTeams: defineDiagnostic<{ host: string; team: string; other: string; listener: string }>({
    code: 'MW3082',
    slug: 'host-of-two-teams',
    severity: 'error',
    summary: 'one name belongs to one team at all listeners of a gateway',
    message: ({ host, team, other, listener }) =>
      `\`${host}\` is given to \`${team}\` here, and to \`${other}\` at listener \`${listener}\``,
    help: ({ host }) => `give \`${host}\` to one team`,
  }),
  notFromThere: defineDiagnostic<{ key: string }>({
    code: 'MW3084',
    slug: 'not-from-there',
    severity: 'error',
    summary: 'whoever comes to a gateway has no identity of the mesh: a route there speaks of networks through it',
    message: ({ key }) => `\`from\` of a route of \`${key}\` names somebody who does not come there by an address`,
    help: () => "name networks through this gateway, `network('office', ['192.0.2.0/24']).through(edge)`, or leave `from` out",
  }),
  numberOfTwoListeners: defineDiagnostic<{ port: number; listener: string; first: string }>({
    code: 'MW3086',
    slug: 'number-of-two-listeners',
    severity: 'error',
    summary: 'a number of a gateway belongs to one listener, which has all hosts of it',
    message: ({ port, listener, first }) => `listener \`${listener}\` has the number ${port}, which is that of listener \`${first}\``,
    help: ({ first }) =>
      `give its hosts to \`${first}\`; one with a certificate of its own says so there, \`{ team, certificate: secret('namespace/name') }\``,
  }),
  redirectToNowhere: defineDiagnostic<{ host: string; listener: string }>({
    code: 'MW3083',
    slug: 'redirect-to-nowhere',
    severity: 'error',
    summary: 'a listener that redirects to https leads to one that serves the host there',
    message: ({ host, listener }) => `listener \`${listener}\` redirects \`${host}\` to https, where no listener of the gateway serves it`,
    help: ({ host }) => `add \`${host}\` to a listener with a certificate`,
  }),
};
