/**
 * What to do about an error of the type checker. It is found by the alias and type names that TypeScript shows in its message: they are part
 * of the SDK's surface for this reason.
 */
interface Help {
  readonly when: RegExp;
  readonly codes?: readonly string[];
  readonly help: string | ((match: RegExpExecArray) => string);
}

const helps: readonly Help[] = [
  { when: /Cannot find name '(Date|performance|Temporal)'/, help: 'a policy has no clock: write the date as text' },
  {
    when: /Cannot find name '(fetch|XMLHttpRequest|WebSocket|process|require|Buffer|console|crypto|setTimeout|Promise|Intl|eval)'/,
    help: (m) => `a policy has no \`${m[1]}\`: it reads nothing but this repository and does nothing but declare`,
  },
  { when: /Property 'random' does not exist/, help: 'a policy has no randomness: write the value' },
  {
    when: /has no exported member '(\w+)'/,
    codes: ['TS2305', 'TS2724'],
    help: (m) => `import what the team shares, or ask it to add \`${m[1]}\` to its \`public.ts\``,
  },
  {
    when: /Property '(route|allow|deny|limit|patch|deploys|calls|standard)' does not exist on type '(?:Target|Shared\w+)/,
    help: (m) => `only the owner may \`${m[1]}\`: say what you need with \`calls(...)\`, and ask the owning team`,
  },
  { when: /EveryEnv</, codes: ['TS2741', 'TS2739'], help: "give a value for each environment, or write `mostly('2s', { prod: '1s' })`" },
  { when: /SomeEnvs</, help: 'name environments that `mesh.policy.ts` declares' },
  { when: /exactOptionalPropertyTypes|undefined.*is not assignable/, help: 'leave the key out instead of giving it `undefined`' },
  { when: /\$\{number\}\/[dhms]`/, help: 'write a rate such as `100/s` or `5000/m`' },
  { when: /\$\{number\}(?:ms|s|m|h)`|'Duration'/, help: 'write a duration such as `500ms`, `2s`, `5m` or `1h`' },
  { when: /\$\{number\}%`|'Percent'/, help: 'write a percentage such as `10%` or `0.5%`' },
  { when: /\$\{number\}-\$\{number\}-\$\{number\}`|'IsoDate'/, help: 'write a date such as `2027-01-31`' },
  { when: /\$\{number\}\.\$\{number\}\.\$\{number\}`|'SemVer'/, help: 'write a version of three numbers, such as `1.4.0`' },
  {
    when: /'ProductRange'/,
    help: "give the first version that is taken, the first that is not, or both: `{ min: '1.36.0', below: '1.41.0' }`",
  },
  {
    when: /'Deployer'/,
    help: "name who deploys: `group('sre')`, `githubActions({ ... })`, `kubernetesUser('ada')`, `kubernetesAccount('ci/deployer')`",
  },
  { when: /type '`\$\{string\}\/`'/, help: 'end the prefix with `/`: `ghcr.io/acme/`' },
  { when: /type '`\$\{string\}\/\$\{string\}`'/, help: 'write two names with a slash between them: `acme/books`' },
  { when: /GET \/\$\{string\}|RequestLine/, help: 'write a method, a space and a path: `GET /reviews/{id}`' },
  { when: /GrpcMethod/, help: 'write a gRPC method: `books.v1.Reviews/Get`' },
  { when: /'(?:readonly )?never\[\]'|type '\[\]'|Type '\[\]'|Source has 0 element|source may have fewer/, help: 'give at least one' },
  {
    when: /^Type '"[^']*"' is not assignable to type '"any request" \|/,
    help: "write a list of requests, such as `['GET /reviews/{id}']`",
  },
  {
    when: /"any request" \| NonEmpty<(?:[^]*Did you mean '"([^"']*)"')?/,
    help: (m) =>
      `${m[1] === undefined ? "write a request of the port's contract" : `write \`${m[1]}\``}, or have the owner add this one to the port's \`requests\``,
  },
  { when: /AtLeastOne/, help: 'give at least one of the fields' },
  {
    when: /HostDestination/,
    help: 'a host has no versions: name a port, such as `to: service.ports.web`, or its `version(...)`, or an answer',
  },
  {
    when: /HttpDestination<never>|Weights<never>/,
    help: 'this service has no versions: name a port, such as `to: service.ports.web`, or declare `versions`',
  },
  {
    when: /HttpDestination<|GrpcDestination<|Weights</,
    help: "name a version (`to: 'v2'`), shares of versions (`to: { v1: 90, v2: 10 }`) or a port",
  },
  {
    when: /type 'ListenerSpec'/,
    help: "give the listener a `certificate: secret('namespace/name')`, or say `protocol: 'http'`, `'tls'` or `'tcp'`",
  },
  { when: /type 'Caller'/, help: 'name a service, workload or namespace, `tagged({ ... })`, or `internet.through(gateway)`' },
  { when: /Property '(\w+)' is missing in type/, help: (m) => `add \`${m[1]}\`` },
  { when: /Did you mean (?:to write )?'([^']*)'/, help: (m) => `write \`${m[1]}\`` },
  { when: /may only specify known properties, and '?([^' ]+)'? does not exist/, help: (m) => `remove \`${m[1]}\`, or correct its name` },
  { when: /is a type and must be imported using a type-only import/, help: 'write `import type { ... }`, or `type` before the name' },
];

/** An action for the reader, or undefined where there is none to give. */
export function helpFor(ts: string, message: string): string | undefined {
  for (const { when, codes, help } of helps) {
    if (codes && !codes.includes(ts)) continue;
    const match = when.exec(message);
    if (match) return typeof help === 'string' ? help : help(match);
  }
  return undefined;
}
