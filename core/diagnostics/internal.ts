import { defineDiagnostic } from './diagnostic';

/** MW0xxx: faults of the product or of the call, not of a policy. */
export const internal = {
  bug: defineDiagnostic<{ what: string }>({
    code: 'MW0001',
    slug: 'internal-error',
    severity: 'error',
    summary: 'a stage failed in a way that its authors did not foresee; nothing was built, signed or served',
    message: ({ what }) => `internal error: ${what}`,
    help: () => 'report it with the policy that shows it; the release in force stays in force',
  }),
  noSuchEnvironment: defineDiagnostic<{ environment: string; known: readonly string[] }>({
    code: 'MW0002',
    slug: 'no-such-environment',
    severity: 'error',
    summary: 'a command names an environment that mesh.policy.ts does not declare',
    message: ({ environment, known }) =>
      `the mesh has no environment \`${environment}\`; it has ${known.map((name) => `\`${name}\``).join(', ') || 'none'}`,
    help: () => 'name one of them, or add it to `environments` in mesh.policy.ts',
  }),
  noSuchDirectory: defineDiagnostic<{ directory: string; isThere?: boolean; near?: string | undefined }>({
    code: 'MW0003',
    slug: 'no-such-directory',
    severity: 'error',
    summary: 'the folder that should hold the policies is not there',
    message: ({ directory, isThere }) =>
      isThere === true
        ? `there is no mesh.policy.ts in \`${directory}\` or in a \`policies\` folder of it`
        : `there is no folder \`${directory}\``,
    help: ({ near }) =>
      near === undefined
        ? 'give the folder that holds mesh.policy.ts, or make one with `meshwright init`'
        : `\`${near}\` has one: give that folder`,
  }),
} as const;
