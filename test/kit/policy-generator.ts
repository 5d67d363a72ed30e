/** TypeScript sources of large meshes, for scale tests and the bench. */

const perTeam = 20;

/**
 * `services` services in teams of 20, each called by `fanOut` others (the next ones in a ring, so that teams call each other; a function: by the
 * service's number), with a route each. Keys are paths under policies/.
 */
export function generatePolicies(services: number, fanOut: number | ((index: number) => number)): ReadonlyMap<string, string> {
  const callers = typeof fanOut === 'number' ? (): number => fanOut : fanOut;
  const files = new Map<string, string>();
  const teams = Math.ceil(services / perTeam);
  const teamOf = (index: number): number => Math.floor(index / perTeam);
  files.set(
    'mesh.policy.ts',
    [
      "import { defineMesh } from 'meshwright/policy';",
      '',
      'export const mesh = defineMesh({',
      "  trustDomain: 'acme.example',",
      "  environments: ['dev', 'prod'],",
      '  teams: {',
      ...Array.from({ length: teams }, (_, team) => `    team${team}: { namespaces: ['ns${team}'] },`),
      '  },',
      "  runs: { envoy: '1.40.0' },",
      '});',
      '',
      "declare module 'meshwright/policy' {",
      '  interface Register {',
      '    mesh: typeof mesh;',
      '  }',
      '}',
      '',
    ].join('\n'),
  );
  for (let team = 0; team < teams; team++) {
    const own = Array.from({ length: perTeam }, (_, place) => team * perTeam + place).filter((index) => index < services);
    files.set(
      `team${team}/services.policy.ts`,
      [
        "import { http, namespace, service } from 'meshwright/policy';",
        '',
        `export const ns = namespace('ns${team}', { team: 'team${team}' });`,
        ...own.map(
          (index) =>
            `export const s${index} = service(ns, 's${index}', { serviceAccount: 's${index}', ports: { web: http(8080, { requests: ['GET /items/{id}', 'POST /items', 'GET /health'] }) }, versions: ['v1', 'v2'] });`,
        ),
        '',
      ].join('\n'),
    );
    files.set(
      `team${team}/public.ts`,
      [
        "import { share } from 'meshwright/policy';",
        "import * as own from './services.policy';",
        '',
        `export const { ${own.map((index) => `s${index}`).join(', ')} } = share(own);`,
        '',
      ].join('\n'),
    );
    const callersOf = (index: number): readonly number[] =>
      Array.from({ length: Math.min(callers(index), services - 1) }, (_, step) => (index + step + 1) % services);
    const foreign = [...new Set(own.flatMap(callersOf))].filter((index) => teamOf(index) !== team).sort((a, b) => a - b);
    const byTeam = new Map<number, number[]>();
    for (const index of foreign) byTeam.set(teamOf(index), [...(byTeam.get(teamOf(index)) ?? []), index]);
    files.set(
      `team${team}/access.policy.ts`,
      [
        ...[...byTeam].map(([other, indexes]) => `import { ${indexes.map((index) => `s${index}`).join(', ')} } from '#team${other}';`),
        `import { ${own.map((index) => `s${index}`).join(', ')} } from './services.policy';`,
        '',
        ...own.flatMap((index) =>
          callersOf(index).map(
            (caller) =>
              `export const s${caller}Calls${index} = s${index}.ports.web.allow({ from: s${caller}, requests: ['GET /items/{id}', 'POST /items'] });`,
          ),
        ),
        ...own.map(
          (index) =>
            `export const routes${index} = s${index}.ports.web.route({ rules: [{ when: { headers: { 'x-canary': 'yes' } }, to: 'v2' }], otherwise: { to: { v1: 90, v2: 10 }, timeout: '2s' } });`,
        ),
        '',
      ].join('\n'),
    );
  }
  return files;
}
