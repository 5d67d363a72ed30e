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
  mayNotCopy: defineDiagnostic<{ rule: string; caller: string; target: string }>({
    code: 'MW4062',
    slug: 'mirror-to-refusal',
    severity: 'error',
    summary: 'a copy goes to where its caller may call',
    message: ({ rule, caller, target }) => `\`${rule}\` copies requests of \`${caller}\` to \`${target}\`, which does not let it in`,
    help: ({ caller, target }) => `let the owner of \`${target}\` allow \`${caller}\`, or copy elsewhere`,
  }),
  abortsAll: defineDiagnostic<{ rule: string; status: string }>({
    code: 'MW4063',
    slug: 'aborts-everything',
    severity: 'warning',
    summary: 'a fault that hits every request leaves the rest of its rule without effect',
    message: ({ rule, status }) => `\`${rule}\` answers ${status} to every request, and sends none on`,
    help: () => 'write a smaller share, or an answer (`respond`, `respondGrpc`) where that is meant',
  }),
  unusedDelegation: defineDiagnostic<{ delegation: string; team: string; path: string }>({
    code: 'MW4064',
    slug: 'unused-delegation',
    severity: 'warning',
    summary: 'paths that were given away and are not routed are still routed by their owner',
    message: ({ delegation, team, path }) => `\`${delegation}\` gives \`${path}\` to team \`${team}\`, which routes nothing under it`,
    help: ({ delegation }) =>
      `let the team write \`routeUnder(${delegation.slice(delegation.indexOf('/') + 1)}, { ... })\`, or take it back`,
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
  deploysNothing: defineDiagnostic<{ rule: string; namespace: string }>({
    code: 'MW4101',
    slug: 'deploys-nothing',
    severity: 'warning',
    summary: 'a rule about deployment is about workloads that policy declares',
    message: ({ rule, namespace }) =>
      `\`${rule}\` is about nothing: policy declares no workload in \`${namespace}\`, so nothing may be deployed there`,
    help: ({ namespace }) => `declare the services and workloads of \`${namespace}\`, or remove the rule`,
  }),
  noVersionLeft: defineDiagnostic<{ workload: string; rules: readonly string[] }>({
    code: 'MW4102',
    slug: 'no-version-left',
    severity: 'error',
    summary: 'every rule over a workload holds, so there must be a version that all of them take',
    message: ({ workload, rules }) => `no version of \`${workload}\` satisfies ${list(rules)} at once`,
    help: () => 'let the ranges overlap',
  }),
  nobodyLeft: defineDiagnostic<{ workload: string; rules: readonly string[] }>({
    code: 'MW4103',
    slug: 'nobody-left-to-deploy',
    severity: 'error',
    summary: 'every rule over a workload holds, so there must be somebody whom all of them name',
    message: ({ workload, rules }) => `nobody may deploy \`${workload}\`: nobody is named by ${list(rules)} at once`,
    help: ({ rules }) => `name one deployer in ${rules.length === 2 ? 'both' : 'all of them'}`,
  }),
  noImageLeft: defineDiagnostic<{ workload: string; rules: readonly string[] }>({
    code: 'MW4104',
    slug: 'no-image-left',
    severity: 'error',
    summary: 'every rule over a workload holds, so there must be a place of images that all of them take',
    message: ({ workload, rules }) => `no image of \`${workload}\` satisfies ${list(rules)} at once`,
    help: () => 'let one prefix lie in the other',
  }),
  jobsAlone: defineDiagnostic<{ rule: string }>({
    code: 'MW4105',
    slug: 'ci-jobs-alone',
    severity: 'warning',
    summary: 'the cluster knows a CI job only where its API server authenticates the tokens of jobs',
    message: ({ rule }) =>
      `\`${rule}\` names CI jobs alone: where the API server does not authenticate their tokens, nobody may change these workloads`,
    help: () =>
      "set the webhook's `jobUsernamePrefix`, or name the account as well that the job has in the cluster: `kubernetesAccount('ci/deployer')`",
  }),
  takenInAnyway: defineDiagnostic<{ rule: string; what: string; by: string }>({
    code: 'MW4106',
    slug: 'taken-in-anyway',
    severity: 'warning',
    summary: 'a deployer or prefix that another one of the same rule takes in changes nothing',
    message: ({ rule, what, by }) => `\`${what}\` of \`${rule}\` changes nothing: \`${by}\` takes it in`,
    help: ({ what, by }) => `remove \`${what}\`, or \`${by}\` if it is too wide`,
  }),
  noProductVersion: defineDiagnostic<{ product: string; rules: readonly string[] }>({
    code: 'MW4107',
    slug: 'no-product-version-left',
    severity: 'error',
    summary: 'every rule about a product holds, so there must be a version that all of them take',
    message: ({ product, rules }) => `no version of ${product} satisfies ${list(rules)} at once`,
    help: () => 'let the ranges overlap',
  }),
  impossibleSkew: defineDiagnostic<{ rule: string; of: string; behind: string; minor: number; ranges: readonly [string, string] }>({
    code: 'MW4108',
    slug: 'impossible-skew',
    severity: 'error',
    summary: 'there are versions of two products that are within their ranges and as close as they must be',
    message: ({ rule, of, behind, minor, ranges }) =>
      `\`${rule}\` wants ${of} at most ${minor} minor versions behind ${behind}, and no ${of} ${ranges[0]} is that close to ${behind} ${ranges[1]}`,
    help: () => 'let the ranges come closer, or allow more minor versions',
  }),
  strangersOnly: defineDiagnostic<{ rule: string; target: string; allows: readonly string[]; tokenGoes: boolean }>({
    code: 'MW4130',
    slug: 'strangers-only',
    severity: 'error',
    summary: 'a route leads to where some of its users are let in',
    message: ({ rule, target, allows, tokenGoes }) =>
      tokenGoes
        ? `\`${rule}\` takes the token off what it sends to \`${target}\`, where ${list(allows)} asks for one`
        : `\`${rule}\` sends users to \`${target}\` who are never those of ${list(allows)}`,
    help: ({ target, tokenGoes }) =>
      tokenGoes ? 'leave `authorization` on the request' : `let the owner of \`${target}\` allow these users, or route them elsewhere`,
  }),
  nearWithoutEyes: defineDiagnostic<{ port: string }>({
    code: 'MW4050',
    slug: 'near-without-eyes',
    severity: 'warning',
    summary: 'who prefers the near endpoints has to see when they fail',
    message: ({ port }) => `callers of \`${port}\` prefer what is near, and nothing tells them that it fails`,
    help: () => 'add `eject` or `health`: without either they move on only when discovery takes an endpoint away',
  }),
  ejectedIntoPanic: defineDiagnostic<{ port: string; atMost: string; panic: string }>({
    code: 'MW4056',
    slug: 'ejected-into-panic',
    severity: 'warning',
    summary: 'ejection stops where panic begins',
    message: ({ port, atMost, panic }) =>
      `\`${port}\` may lose ${atMost} of its endpoints to ejection, and below ${panic} healthy ones all are called again`,
    help: () => 'lower `eject.atMost` or `panicBelow`, so that the two add up to at most 100%',
  }),
} as const;
