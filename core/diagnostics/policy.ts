import { type DefinedDiagnostic, type DiagnosticCode, defineDiagnostic } from './diagnostic';

/** What the SDK says, with the place inside the call. */
interface Refusal {
  readonly says: string;
  readonly help: string;
}
const refusal = (code: DiagnosticCode, slug: string, summary: string): DefinedDiagnostic<Refusal> =>
  defineDiagnostic<Refusal>({ code, slug: `sdk-${slug}`, severity: 'error', summary, message: (p) => p.says, help: (p) => p.help });

/** MW2101 to MW2199: what the SDK refuses while a policy module runs. The run-time twins of what the types refuse; the words are the SDK's. */
export const policy = {
  wrongType: refusal('MW2101', 'wrong-kind-of-value', 'A value of another kind was written than the one meant here.'),
  missing: refusal('MW2102', 'missing-key', 'A key or argument that must be said is missing.'),
  unknownKey: refusal('MW2103', 'unknown-key', 'A key that does not exist here; it would have been ignored in silence.'),
  undefinedValue: refusal(
    'MW2104',
    'undefined-value',
    'A key is present and its value is undefined, often because two modules import each other: a condition would drop out without a word.',
  ),
  unreadable: refusal(
    'MW2105',
    'unreadable-value',
    'A value that is no plain data: a getter, a symbol key, an instance of a class, a cycle, or one that is too large.',
  ),
  empty: refusal('MW2106', 'says-nothing', 'An empty list, record or text where nothing must not mean everything.'),
  duration: refusal('MW2107', 'bad-duration', 'A text is not a duration.'),
  percent: refusal('MW2108', 'bad-percentage', 'A text is not a percentage.'),
  format: refusal('MW2109', 'bad-format', 'A text is not a rate, date, version, address or network.'),
  environment: refusal('MW2110', 'unknown-environment', 'An environment that the mesh does not have.'),
  missingEnvironment: refusal('MW2111', 'missing-environment', 'A value by environment leaves one out.'),
  team: refusal('MW2112', 'unknown-team', 'A team that the mesh does not have.'),
  tag: refusal('MW2113', 'unknown-tag', 'A tag, or a value of one, that is not in the vocabulary of the mesh.'),
  port: refusal('MW2114', 'unknown-port', 'A port or listener that the service or gateway does not have.'),
  version: refusal('MW2115', 'unknown-version', 'A version that the service does not have.'),
  contract: refusal('MW2116', 'not-in-the-contract', 'A request that the contract of the port does not have.'),
  request: refusal('MW2117', 'not-a-request', 'A text is not a request line, path, gRPC method or pattern.'),
  layer: refusal('MW2118', 'wrong-protocol', 'A port of another protocol than the one meant here.'),
  forged: refusal('MW2119', 'written-by-hand', 'A record written by hand, or a cast, where only the SDK makes the value.'),
  subject: refusal(
    'MW2120',
    'wrong-subject',
    'A thing of the mesh of another kind than the one meant here, such as a version as a caller.',
  ),
  host: refusal('MW2121', 'unknown-host', 'A host that the listener does not have.'),
  waivable: refusal('MW2122', 'not-waivable', 'A code that may not be waived.'),
  secondMesh: refusal('MW2123', 'second-mesh', 'The mesh is defined twice.'),
  name: refusal('MW2124', 'bad-name', 'A text is not a name of its kind.'),
  range: refusal('MW2125', 'out-of-range', 'A number is outside its range.'),
  duplicate: refusal('MW2126', 'written-twice', 'A name is written twice where each may stand once.'),
  notYours: refusal('MW2127', 'act-on-another-teams-thing', 'An act on something that another team shared.'),
  notInForce: refusal('MW2130', 'not-in-this-version', 'A word of the vocabulary that this version does not read.'),
} as const;
