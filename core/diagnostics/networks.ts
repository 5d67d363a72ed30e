/** MW311x and MW411x: several networks, and what is exported from one to the others. */
import { defineDiagnostic } from './diagnostic';

export const networks = {
  exportedOutside: defineDiagnostic<{ port: string }>({
    code: 'MW3110',
    slug: 'exported-outside',
    severity: 'error',
    summary: 'what is exported stands in the mesh, since its own proxy judges who comes',
    message: ({ port }) => `\`${port}\` is outside the mesh, and no gateway passes anybody on to it`,
    help: () => 'export a port of a service; a host outside is called from each network by its own name',
  }),
  oneServerName: defineDiagnostic<{ port: string; first: string; second: string; serverName: string }>({
    code: 'MW3111',
    slug: 'one-server-name',
    severity: 'error',
    summary: 'each version of an exported port has a server name of its own',
    message: ({ port, first, second, serverName }) =>
      `versions \`${first}\` and \`${second}\` of \`${port}\` have one server name, \`${serverName}\`, and a gateway could not tell them apart`,
    help: () => 'rename one of the versions: in a server name case means nothing',
  }),
  exportedForNobody: defineDiagnostic<{ port: string }>({
    code: 'MW4110',
    slug: 'exported-for-nobody',
    severity: 'warning',
    summary: 'what is exported has a caller',
    message: ({ port }) => `\`${port}\` is exported, and no rule lets anybody in`,
    help: ({ port }) => `allow a caller into \`${port}\`, or take the export back`,
  }),
  passesNothing: defineDiagnostic<{ gateway: string }>({
    code: 'MW4111',
    slug: 'passes-nothing',
    severity: 'warning',
    summary: 'an east-west gateway has something to pass on',
    message: ({ gateway }) => `nothing is exported through \`${gateway}\`, which listens to nobody`,
    help: () => 'export a port through it, or remove it',
  }),
};
