/** MW4xxx: what only the whole mesh shows. */
import { defineDiagnostic } from './diagnostic';

const list = (values: readonly string[]): string => values.map((value) => `\`${value}\``).join(', ');

export const analyse = {
  neverMatches: defineDiagnostic<{ rule: string; by: string }>({
    code: 'MW4002',
    slug: 'never-matches',
    severity: 'error',
    summary: 'a route rule that can never match is a mistake',
    message: ({ rule, by }) => `\`${rule}\` never matches: \`${by}\` takes every such request before it`,
    help: () => 'move it up, narrow the rule before it, or remove it',
  }),
  noOneCalls: defineDiagnostic<{ service: string }>({
    code: 'MW4003',
    slug: 'no-one-calls',
    severity: 'warning',
    summary: 'a service that nobody may call is cut off',
    message: ({ service }) => `nobody may call \`${service}\``,
    help: () => 'allow a caller, or declare a `workload` if it is never called',
  }),
  mayNotGo: defineDiagnostic<{ rule: string; caller: string; target: string }>({
    code: 'MW4005',
    slug: 'route-to-refusal',
    severity: 'error',
    summary: 'a route leads to where its caller may call',
    message: ({ rule, caller, target }) => `\`${rule}\` sends \`${caller}\` to \`${target}\`, which does not let it in`,
    help: ({ caller, target }) => `let the owner of \`${target}\` allow \`${caller}\`, or route elsewhere`,
  }),
  needWithoutAllow: defineDiagnostic<{ caller: string; target: string; line: string }>({
    code: 'MW4006',
    slug: 'need-without-allow',
    severity: 'error',
    summary: 'a need is in force when the owner accepts it',
    message: ({ caller, target }) => `no rule lets \`${caller}\` call \`${target}\``,
    help: ({ line }) => `the owner would add: ${line}`,
  }),
  refuted: defineDiagnostic<{ guarantee: string; caller: string; target: string; rule: string; request: string }>({
    code: 'MW4007',
    slug: 'guarantee-refuted',
    severity: 'error',
    summary: 'a guarantee holds for every request, or is refuted with one',
    message: ({ guarantee, caller, target, rule, request }) =>
      `\`${guarantee}\` does not hold: \`${rule}\` lets \`${caller}\` call \`${target}\`, for example with \`${request}\``,
    help: ({ rule }) => `narrow \`${rule}\`, or except the caller in the guarantee`,
  }),
  watchRefuted: defineDiagnostic<{ guarantee: string; caller: string; target: string; rule: string; request: string }>({
    code: 'MW4008',
    slug: 'watch-refuted',
    severity: 'warning',
    summary: 'a guarantee about property of another team is a watch',
    message: ({ guarantee, caller, target, rule, request }) =>
      `the watch \`${guarantee}\` does not hold: \`${rule}\` lets \`${caller}\` call \`${target}\`, for example with \`${request}\``,
    help: () => 'talk to the owner; a guarantee binds when the owner or the platform states it',
  }),
  deniedAnyway: defineDiagnostic<{ rule: string; by: readonly string[] }>({
    code: 'MW4009',
    slug: 'allow-without-effect',
    severity: 'warning',
    summary: 'an allow whose every caller is denied has no effect',
    message: ({ rule, by }) => `\`${rule}\` has no effect: ${list(by)} denies all of its callers`,
    help: () => 'remove the allow, or except its callers in the denial',
  }),
  callsNothing: defineDiagnostic<{ workload: string }>({
    code: 'MW4011',
    slug: 'unreachable-workload',
    severity: 'warning',
    summary: 'a workload that calls nothing and is called by nobody is not part of the mesh',
    message: ({ workload }) => `\`${workload}\` may call nothing and nobody may call it`,
    help: () => 'add the rules it needs, or remove it',
  }),
  sharedAccount: defineDiagnostic<{ rule: string; others: readonly string[]; account: string }>({
    code: 'MW4019',
    slug: 'shared-account',
    severity: 'error',
    summary: 'two workloads under one account are one caller, and a rule cannot tell them apart',
    message: ({ rule, others, account }) => `\`${rule}\` is about ${list(others)} too: it runs as \`${account}\` as well`,
    help: ({ others }) => `give ${list(others)} an account of its own, or name it in the rule`,
  }),
  noSuchFinding: defineDiagnostic<{ code: string }>({
    code: 'MW4051',
    slug: 'waiver-without-use',
    severity: 'warning',
    summary: 'a waiver that waives nothing is out of date',
    message: ({ code }) => `this waiver of ${code} waives nothing`,
    help: () => 'remove it',
  }),
  expiredWaiver: defineDiagnostic<{ code: string; until: string; asOf: string }>({
    code: 'MW4052',
    slug: 'waiver-expired',
    severity: 'error',
    summary: 'a waiver ends on its date',
    message: ({ code, until, asOf }) => `this waiver of ${code} ended on ${until} (today is ${asOf})`,
    help: () => 'repair what it waived, or give a later date with a reason',
  }),
  notWaivable: defineDiagnostic<{ code: string; known: readonly string[] }>({
    code: 'MW4053',
    slug: 'not-waivable',
    severity: 'error',
    summary: 'some findings may not be waived',
    message: ({ code }) => `${code} may not be waived`,
    help: ({ known }) => `repair what it finds and take the waiver away; only ${list(known)} may be waived`,
  }),
  badDate: defineDiagnostic<{ text: string }>({
    code: 'MW4054',
    slug: 'bad-date',
    severity: 'error',
    summary: 'a date is written `2027-01-31`',
    message: ({ text }) => `\`${text}\` is no date`,
    help: () => 'write year, month and day, such as `2027-01-31`',
  }),
  notYoursToWaive: defineDiagnostic<{ team: string; subject: string; owner: string }>({
    code: 'MW4055',
    slug: 'not-yours-to-waive',
    severity: 'error',
    summary: 'who owns a thing, or stated the rule, may waive',
    message: ({ team, subject, owner }) => `team \`${team}\` may not waive at \`${subject}\`: that is for team \`${owner}\``,
    help: ({ owner }) => `ask team \`${owner}\``,
  }),
  noOrder: defineDiagnostic<{ opening: readonly string[]; closing: readonly string[] }>({
    code: 'MW4060',
    slug: 'no-safe-order',
    severity: 'error',
    summary: 'a change rolls out in an order that refuses no request that is legal before and after',
    message: ({ opening, closing }) =>
      `no order of proxies serves every request on the way: ${[...opening, ...closing].slice(0, 4).join('; ')}`,
    help: ({ opening, closing }) =>
      `split it into two commits: first what opens (${opening[0] ?? 'the new access'}), then what closes (${closing[0] ?? 'the old access'})`,
  }),
  identityChanges: defineDiagnostic<{ workload: string; before: string; after: string; ports: readonly string[] }>({
    code: 'MW4061',
    slug: 'identity-changes-under-way',
    severity: 'warning',
    summary: 'a workload that others let in keeps its identity while it runs',
    message: ({ workload, before, after, ports }) =>
      `\`${workload}\` changes from \`${before}\` to \`${after}\`: until its proxies have the new certificate, ${ports.map((port) => `\`${port}\``).join(', ')} refuses them`,
    help: () => 'declare the new account as a workload beside the old one, allow both, move the instances, then remove the old one',
  }),
} as const;
