/** Questions to the mesh, answered by core/semantics through the host. */
import type { ConnectionDecision } from '../../core/semantics/decide-connection';
import type { Decision } from '../../core/semantics/decision';
import { freeze, getProperty, parse, secrets, stringify } from '../policy/intrinsics';
import { madeOf } from '../policy/made';
import { environment } from '../policy/mesh-names';
import { handleOf, refTo } from '../policy/registry';
import { type Reader, recordOf, record, named, text, word } from '../policy/read';
import { madeAs, target } from '../policy/subjects';
import { cidr, grpcMethod, headerName, requestLine } from '../policy/units';
import { type Place, refuse } from '../policy/policy-error';
import type { Plain } from '../policy/plain';
import { verb } from '../policy/verb';
import { TestFailure, currentEnvironment } from './run';

/** The host's side: one JSON text in, one out. Supplied as a global before any test runs. */
type Host = (question: string) => string;
/** A thing of the mesh by rule id, as the host names it. `port` for a port of a service. */
export interface Named {
  readonly id: string;
  readonly port?: string;
}

export interface Arrival {
  readonly ref: string;
  readonly port: string;
  /** The gateway by which a host outside is called, as policies name it. */
  readonly through?: string | null;
}
/** What the host said to a question. */
export interface Answered {
  readonly decision: Decision & Partial<Pick<ConnectionDecision, 'idleMs'>>;
  /** Of each destination of the decision, the port as policies name it. */
  readonly targets: readonly Arrival[];
  /** The same of each mirror. */
  readonly mirrors: readonly Arrival[];
  /** The question in words. */
  readonly asked: string;
}

const answers = secrets<object, Answered>();
const things = secrets<object, Named>();
export const answeredOf = (answer: unknown): Answered | undefined =>
  typeof answer === 'object' && answer !== null ? answers.get(answer) : undefined;

function askHost(question: object): { readonly [key: string]: unknown } {
  const host: unknown = getProperty(globalThis, '__meshwrightAsk');
  if (typeof host !== 'function') throw new TestFailure('questions are answered by `meshwright test` only');
  const answer: unknown = parse((host as Host)(stringify(question)));
  if (typeof answer !== 'object' || answer === null) throw new TestFailure('the host did not answer');
  if ('error' in answer) throw new TestFailure(`${answer.error}`);
  return { ...answer };
}

/** Who or what a value is, by rule id; undefined for what is no handle. */
export function nameOf(value: unknown): Named | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const answered = things.get(value);
  if (answered) return answered;
  const made = madeOf(value);
  const ref = made?.kind === 'port' ? made.ref : undefined;
  const entry = handleOf(value);
  if (!ref && entry === undefined) return undefined;
  const { id } = askHost({ op: 'idOf', of: { ref: ref?.ref ?? refTo(entry ?? 0) } });
  if (typeof id !== 'string') throw new TestFailure('this is not in force: export it from a `*.policy.ts`');
  return ref?.port !== undefined ? { id, port: ref.port } : { id };
}

const asker = madeAs(
  ['service', 'workload', 'gateway', 'east-west', 'outside-through'],
  'one who asks',
  'name a service, a workload, a gateway, or `internet.through(gateway)`',
);
const askerRef = (value: Plain, at: Place): object => {
  const made = asker(value, at);
  return made.kind === 'outside-through' ? { outside: made.caller } : { ref: refTo(made.entry) };
};
/** A request as on the wire: a method and a path, with a query where there is one. */
const request = (value: Plain, at: Place): string => {
  const given = text(value, at);
  const path = given.slice(given.indexOf(' ') + 1);
  if (!given.startsWith('/') && /^(GET|HEAD|POST|PUT|PATCH|DELETE) \/\S*$/.test(given) && !path.includes('{')) return given;
  if (/^\S+\.\S+\/\S+$/.test(given)) return grpcMethod(value, at);
  requestLine(value, at);
  return refuse(
    at,
    'MW2117',
    `\`${given.slice(0, 80)}\` is a class of requests, not one request`,
    'ask with a method and a path as on the wire: `GET /reviews/7`',
  );
};
/** Of a token that is valid, with its `iss`; or that it is not. */
const claims = (value: Plain, at: Place): Plain => {
  if (value === 'invalid') return value;
  if (typeof recordOf(value, at)['iss'] !== 'string')
    return refuse(at, 'MW2101', 'claims without an `iss`', "write `{ iss: 'https://accounts.example', role: 'admin' }`, or 'invalid'");
  return value;
};
/** An address, without a port: the port is asked about. */
const address: Reader<string> = (value, at) => {
  const given = text(value, at);
  cidr(`${given}/${given.includes(':') ? 128 : 32}`, at);
  return given;
};
const question = record(
  { from: askerRef, to: target },
  { request, headers: named(headerName, text), claims, sni: text, address, certificate: word('valid', 'invalid'), env: environment },
  { as: 'say what the token says: `claims: { iss: ..., role: ... }`' },
);

/** What the mesh says to one request. @throws PolicyError for what is no question, TestFailure for what cannot be answered. */
export const ask = verb('ask', ['spec'], 1, (given) => {
  recordOf(given.take(0), given.at(0));
  const { from, to, request: line, headers, claims: said, sni, address: dialled, certificate, env } = question(given.take(0), given.at(0));
  const answer = askHost({
    op: 'ask',
    from,
    to: to.ref,
    request: line ?? 'GET /',
    headers: headers ?? {},
    ...(said === undefined ? {} : { claims: said }),
    ...(sni === undefined ? {} : { sni }),
    ...(dialled === undefined ? {} : { address: dialled }),
    ...(certificate === undefined ? {} : { certificate }),
    env: env ?? currentEnvironment(),
  });
  const { decision, targets, mirrors, asked } = answer as unknown as Answered; // the host's word, made by compiler/answer.ts
  const handle = freeze({ decision: decision.outcome, because: freeze([...decision.because]) });
  answers.set(handle, { decision, targets, mirrors, asked });
  return handle;
});

const thing = (name: Named): object => {
  const handle = freeze({ ...name });
  things.set(handle, freeze({ ...name }));
  return handle;
};
const idsIn = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map((one) => `${one}`) : []);

/** Everyone who can reach the port with some request: the exhaustive form of a test. */
export const callersOf = verb('callersOf', ['to', 'env'], 1, (given) => {
  const to = target(given.take(0), given.at(0));
  const env = given.has(1) ? environment(given.take(1), given.at(1)) : currentEnvironment();
  return freeze(idsIn(askHost({ op: 'callersOf', to: to.ref, env })['callers']).map((id) => thing({ id })));
});
/** Every port that the caller can reach with some request. */
export const reachableFrom = verb('reachableFrom', ['from', 'env'], 1, (given) => {
  const from = askerRef(given.take(0), given.at(0));
  const env = given.has(1) ? environment(given.take(1), given.at(1)) : currentEnvironment();
  const targets = askHost({ op: 'reachableFrom', from, env })['targets'];
  const named = Array.isArray(targets) ? targets : [];
  return freeze(
    named.map((one: unknown) => {
      const ref = typeof one === 'object' && one !== null && 'ref' in one ? `${one.ref}` : '';
      const port = typeof one === 'object' && one !== null && 'port' in one ? `${one.port}` : undefined;
      return thing(port === undefined ? { id: ref } : { id: ref, port });
    }),
  );
});
