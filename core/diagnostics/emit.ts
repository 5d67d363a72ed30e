import { defineDiagnostic } from './diagnostic';

/** What the mesh says and a target cannot carry. Nothing is dropped in silence: it is emitted, or it is one of these. */
export const emit = {
  patchField: defineDiagnostic<{ rule: string; field: string; direction: string }>({
    code: 'MW5001',
    slug: 'patch-unknown-field',
    severity: 'error',
    summary: 'a patch sets a field that Envoy does not have there',
    message: ({ rule, field, direction }) => `patch \`${rule}\` sets \`${field}\`, which no ${direction} message of Envoy has`,
    help: ({ direction }) => (direction === 'inbound' ? 'use a field of HttpConnectionManager or Listener' : 'use a field of Cluster'),
  }),
  patchValue: defineDiagnostic<{ rule: string; field: string; words: string }>({
    code: 'MW5002',
    slug: 'patch-bad-value',
    severity: 'error',
    summary: "a patch's value does not fit the field",
    message: ({ rule, field, words }) => `patch \`${rule}\` gives \`${field}\` a value that does not fit: ${words}`,
    help: () => "write the value as Envoy's JSON has it, a duration as `'5s'`",
  }),
  patchReserved: defineDiagnostic<{ rule: string; field: string }>({
    code: 'MW5003',
    slug: 'patch-reserved-field',
    severity: 'error',
    summary: 'a patch sets a field that carries identity, access or addressing',
    message: ({ rule, field }) => `patch \`${rule}\` sets \`${field}\`, which carries identity, access or addressing`,
    help: () => 'say it in the policy language, which has this',
  }),
  patchUnproved: defineDiagnostic<{ rule: string; field: string; port: string }>({
    code: 'MW5004',
    slug: 'patch-unproved',
    severity: 'warning',
    summary: 'a patch sets a field outside the allow-list, so nothing is proved about the proxy any more',
    message: ({ rule, field, port }) =>
      `patch \`${rule}\` sets \`${field}\` of ${port}, which is not on the list of safe fields: guarantees about it no longer hold`,
    help: () => 'keep to timeouts, buffers and socket options',
  }),
  patchVersion: defineDiagnostic<{ rule: string; range: string; runs: string }>({
    code: 'MW5005',
    slug: 'patch-other-envoy',
    severity: 'error',
    summary: 'a patch is for another Envoy than the mesh runs',
    message: ({ rule, range, runs }) => `patch \`${rule}\` is for Envoy ${range}, and the mesh runs ${runs}`,
    help: () => 'check the patch against the new version and widen its range, or remove it',
  }),
  envoyVersion: defineDiagnostic<{ runs: string; range: string }>({
    code: 'MW5006',
    slug: 'envoy-not-supported',
    severity: 'error',
    summary: 'the mesh runs an Envoy that this compiler does not emit for',
    message: ({ runs, range }) => `the mesh says it runs Envoy \`${runs}\`, and this compiler emits for ${range}`,
    help: ({ range }) => `run an Envoy in ${range}, or use the compiler of that version`,
  }),
  denyByRegex: defineDiagnostic<{ rule: string; header: string }>({
    code: 'MW5007',
    slug: 'deny-by-regex',
    severity: 'error',
    summary: 'a denial looks at a header by regular expression, which a byte outside UTF-8 slips past',
    message: ({ rule, header }) =>
      `rule \`${rule}\` denies by a regular expression on header \`${header}\`, which a byte outside UTF-8 slips past`,
    help: () => 'deny by an exact value, a prefix or presence, or allow only what is wanted',
  }),
  cookieRegex: defineDiagnostic<{ rule: string; cookie: string }>({
    code: 'MW5008',
    slug: 'cookie-by-regex',
    severity: 'error',
    summary: 'a route matches a cookie by regular expression, which Envoy would read over the whole header',
    message: ({ rule, cookie }) =>
      `route rule \`${rule}\` matches cookie \`${cookie}\` by regular expression, which would read across other cookies`,
    help: () => 'match the cookie exactly, by prefix or by presence, or by a plain expression of letters, digits, classes and repetition',
  }),
  longBody: defineDiagnostic<{ rule: string; bytes: number }>({
    code: 'MW5009',
    slug: 'long-response-body',
    severity: 'error',
    summary: 'a direct response has a longer body than Envoy takes',
    message: ({ rule, bytes }) => `route rule \`${rule}\` responds with a body of ${bytes} bytes; 4096 is the most`,
    help: () => 'serve it from an application',
  }),
  retryWord: defineDiagnostic<{ rule: string; word: string }>({
    code: 'MW5010',
    slug: 'unknown-retry-condition',
    severity: 'error',
    summary: 'a retry condition that Envoy does not have',
    message: ({ rule, word }) => `\`${rule}\` retries on \`${word}\`, which Envoy does not have`,
    help: () => 'use one of the conditions that the type lists',
  }),
  sharedBudget: defineDiagnostic<{ cluster: string; budgets: string; used: number }>({
    code: 'MW5011',
    slug: 'shared-retry-budget',
    severity: 'warning',
    summary: 'rules with different retry budgets go to one destination, where Envoy keeps one budget',
    message: ({ cluster, budgets, used }) =>
      `rules that go to ${cluster} have the retry budgets ${budgets}, and Envoy keeps one for each destination: ${used}% is used`,
    help: () => 'give the rules of one destination one budget',
  }),
  adoption: defineDiagnostic<{ namespace: string; adoption: string }>({
    code: 'MW5014',
    slug: 'adoption-not-emitted',
    severity: 'error',
    summary: 'an adoption mode that the Envoy target does not carry',
    message: ({ namespace, adoption }) =>
      `namespace ${namespace} is adopted as \`${adoption}\`, and Envoy configuration is emitted for \`enforce\` only`,
    help: () => 'put single rules in shadow mode, or leave the namespace out of the mesh until it is enforced',
  }),
  hostMatch: defineDiagnostic<{ rule: string; host: string }>({
    code: 'MW5015',
    slug: 'host-not-exact',
    severity: 'error',
    summary: 'an access rule names a host that is not exact',
    message: ({ rule, host }) => `rule \`${rule}\` names the host \`${host}\`, which is not an exact name`,
    help: () => 'name the hosts one by one',
  }),
  innerServerName: defineDiagnostic<{ rule: string; port: string }>({
    code: 'MW5070',
    slug: 'server-name-inside',
    severity: 'error',
    summary: 'an access rule asks for the server name of TLS that only the application ends',
    message: ({ rule, port }) =>
      `rule \`${rule}\` asks for a server name at ${port}, whose TLS is passed on as it is: the proxy there sees the mesh's own around it`,
    help: () => 'leave `sni` out of the rule, and give each server name that has other callers a port of its own',
  }),
  numberOfNames: defineDiagnostic<{ caller: string; port: string; number: number; named: string }>({
    code: 'MW5018',
    slug: 'number-of-names',
    severity: 'error',
    summary: 'at one port number a captured connection is known by what it says or by its address, not by either',
    message: ({ caller, port, number, named }) =>
      `\`${caller}\` may call \`${port}\` by address and \`${named}\` by name, both at port ${number}: a connection there does not say which is meant`,
    help: ({ port, named }) =>
      `let the workload call one of the two, or write the host that it needs of \`${port}\` like \`${named}\`, by name`,
  }),
  envoyRefuses: defineDiagnostic<{ object: string; words: string }>({
    code: 'MW5020',
    slug: 'envoy-refuses',
    severity: 'error',
    summary: 'Envoy itself refuses a configuration, asked before any live proxy sees it',
    message: ({ object, words }) => `envoy refuses ${object}: ${words}`,
    help: ({ object }) => `\`meshwright why ${object}\` prints the policy lines it comes from; a patch is the usual cause`,
  }),
  envoyTooSlow: defineDiagnostic<{ object: string; seconds: number }>({
    code: 'MW5021',
    slug: 'envoy-validation-too-slow',
    severity: 'error',
    summary: 'Envoy took too long to validate a configuration',
    message: ({ object, seconds }) => `envoy did not say within ${seconds} s whether it takes ${object}`,
    help: () => 'try again on a machine with less to do, or raise the time limit',
  }),
  incompleteSet: defineDiagnostic<{ object: string; missing: string }>({
    code: 'MW5022',
    slug: 'validation-incomplete-set',
    severity: 'error',
    summary: 'a proxy names a service configuration that is not among the objects',
    message: ({ object, missing }) => `${object} names ServiceConfig \`${missing}\`, which is not among the objects`,
    help: () => 'give all objects of the release, and the names of those that changed',
  }),
  versionLabel: defineDiagnostic<{ service: string; label: string }>({
    code: 'MW5101',
    slug: 'version-label-not-admitted',
    severity: 'warning',
    summary: 'the webhook reads declared versions from the label `version` only',
    message: ({ service, label }) =>
      `${service} tells its versions apart by the label \`${label}\`, and the webhook reads \`version\`: it does not check them`,
    help: () => 'leave `versionLabel` out and give the pods the label `version`',
  }),
} as const;
