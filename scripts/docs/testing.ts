/** docs/reference/testing.md: how policies are tested, with the matchers as their types say them. */
import type { Verb } from '../../cli/command';
import { entriesOf } from './language';

/** Methods of an interface with the comment above each. */
function methodsOf(text: string): readonly { readonly signature: string; readonly comment: string }[] {
  const methods: { signature: string; comment: string }[] = [];
  let comment = '';
  for (const line of text.split('\n').slice(1)) {
    const said = /^\s*\/\*\* (.*) \*\/$/.exec(line)?.[1];
    const signature = /^\s*(\w+\(.*\)): void;$/.exec(line)?.[1];
    if (said !== undefined) comment = said;
    if (signature !== undefined) {
      methods.push({ signature, comment });
      comment = '';
    }
  }
  return methods;
}

/** @param types sdk/types/testing.d.ts. @param verb `test`. @param example a policy test of a new repository. */
export function testingReference(types: string, verb: Verb, example: string): string {
  const entries = new Map(entriesOf(types).map((entry) => [entry.name, entry.text]));
  const table = (name: string): readonly string[] => [
    '| matcher | holds when |',
    '|---|---|',
    ...methodsOf(entries.get(name) ?? '').map(
      ({ signature, comment }) => `| \`${signature.replaceAll('|', '\\|')}\` | ${comment.replaceAll('|', '\\|')} |`,
    ),
  ];
  return [
    '# Testing policies',
    '',
    'A `*.policy.test.ts` lies beside the policies of its team and asks the mesh what it would do. Questions are answered by the executable definition',
    '(core/semantics), the same that Envoy is compared with; no proxy runs. Each test runs once in each environment, in the sandbox of the policies: no clock, no network,',
    'no promise. `meshwright init` writes one to begin with:',
    '',
    '```ts',
    example.trimEnd(),
    '```',
    '',
    '```console',
    ...(verb.examples ?? []).map((line) => `$ ${line}`),
    '```',
    '',
    '## Questions',
    '',
    '- `ask({ from, to, request, headers, env })` sends one request, as on the wire: a method and a path, or a gRPC method. `from` is a service, a workload, a gateway, or',
    '  `internet.through(gateway)`; `to` a port, or a host of a listener. Without `env` it is asked in the environment that the test runs in.',
    '- `callersOf(port)` and `reachableFrom(caller)` give everybody: the exhaustive form, which a rule added later breaks.',
    '',
    '## Answers',
    '',
    ...table('AnswerMatchers'),
    '',
    '`expect(...).not` has the same matchers and holds when they do not. Of what is no answer:',
    '',
    ...table('ValueMatchers'),
    '',
    'A failure says what was expected and what is so, then the question, the answer, and the line of each rule that decided:',
    '',
    '```console',
    'FAIL the web front reads carts and does not write them  dev prod',
    '     policies/shop/access.policy.test.ts:6:80  expected it to be denied, and it is allowed: shop/webReadsCarts lets shop/web call shop/cart.http',
    '       asked     GET /cart/7 from shop/web to shop/cart.http',
    '       answered  allowed: shop/webReadsCarts lets shop/web call shop/cart.http',
    '       by        shop/webReadsCarts  policies/shop/access.policy.ts:4:45',
    '       by        shop/cartRoutes.otherwise  policies/shop/traffic.policy.ts:4:42',
    '```',
    '',
    '## Coverage',
    '',
    '`--coverage` prints which access rules, route rules (`otherwise` among them) and guarantees no passing test decided, each with its line; `--json` has the same under',
    '`coverage`. `--coverage-min <percent>` makes it a gate: exit code 1 below it.',
    '',
    '- An access rule is covered when a question was allowed or denied by it; a route rule when a question took it.',
    '- A guarantee is covered when a caller it speaks of asked a port it speaks of, or `callersOf` or `reachableFrom` asked about one of them. (It is proved by `check` in any',
    '  case: the test shows what it is for.)',
    '- A rule in shadow decides nothing and is not counted; what is only in one environment counts like the rest.',
    '',
    '## Watching',
    '',
    '`--watch` runs again when a file below the policies changes. A changed test file alone runs alone, with the modules that it imports, and the other results stay; everything is',
    'type-checked beside it. Policies that do not compile are said with their lines, and the tests go on against the mesh as it last compiled. Ctrl-C ends with exit code 0.',
    '',
    '## In CI',
    '',
    '`--junit <file>` writes a suite for each file, a case for each test with time, place and failure. Policies that do not compile, and a test that ends the run, are an error in it.',
    'Exit codes: 0 all passed; 1 a test failed, the policies do not compile, there is no test, or too little is covered; 2 a wrong call.',
    '',
    'A test that never ends is stopped by the work it does, and one that asks without end after 10,000 questions, not by a clock; it is named, the tests before it have their',
    'results, and those after it are said to be left.',
    '',
  ].join('\n');
}
