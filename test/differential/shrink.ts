/** From a mesh and a question that differ to the least that still do: what is taken away next, and the loop that takes it. Knows nothing of proxies. */
import { emitEnvoy } from '../../compiler/emit/envoy';
import { lower } from '../../compiler/lower';
import type { Declaration } from '../../core/declarations/declaration';
import { validateDeclarations } from '../../core/declarations/validate';
import { canonicalJson, type Json } from '../../core/lib/json';
import { plainWire, type Question, type RequestQuestion } from '../kit/mesh-generator-requests';
import { decisionOn } from './decision-on';

export interface Candidate {
  readonly declarations: readonly Declaration[];
  readonly question: Question;
}

/**
 * The smallest candidate found for which `differs` holds, asked at most `most` times (each asking may mean a roll-out). Meshes that nobody could have
 * written, and questions that the mesh has no answer to, are passed over without asking.
 */
export async function shrink(start: Candidate, differs: (candidate: Candidate) => Promise<boolean>, most: number): Promise<Candidate> {
  let current = start;
  let asked = 0;
  const seen = new Set<string>([canonicalJson(asJson(start))]);
  const holds = async (candidate: Candidate): Promise<boolean> => {
    const key = canonicalJson(asJson(candidate));
    if (seen.has(key) || asked >= most) return false;
    seen.add(key);
    if (!isPossible(candidate)) return false;
    asked += 1;
    return differs(candidate);
  };
  // coarse steps first: each takes away as much as it can before the next begins, and once all have been through they begin anew
  const steps: readonly ((candidate: Candidate) => Iterable<Candidate>)[] = [
    simplerQuestions,
    fewerRules,
    fewerNouns,
    shorterPaths,
    lessInside,
  ];
  for (let before = ''; before !== canonicalJson(asJson(current)) && asked < most;) {
    before = canonicalJson(asJson(current));
    for (const step of steps) {
      for (let smaller = true; smaller;) {
        smaller = false;
        for (const candidate of step(current)) {
          if (asked >= most) return current;
          if (!(await holds(candidate))) continue;
          current = candidate;
          smaller = true;
          break;
        }
      }
    }
  }
  return current;
}

/** JSON as plain data: a candidate holds nothing else. */
const asJson = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json; // what was just printed is JSON

/** Whether somebody could have written it, it can be put in force, and the definition has an answer. */
export function isPossible({ declarations, question }: Candidate): boolean {
  if (validateDeclarations(declarations.map(({ value }) => value)).length > 0) return false;
  // verified by other authorities than their own, servers of the run are not called, whatever the difference was
  if (declarations.some(({ value }) => value.kind === 'external' && value.trust === undefined)) return false;
  try {
    const ir = lower({ declarations, origins: {}, fuel: 0 }, 'prod').value;
    if (!ir || !emitEnvoy(ir).value) return false;
    decisionOn(ir, question);
    return true;
  } catch {
    return false; // it names something that is not there any more
  }
}

function* simplerQuestions({ declarations, question }: Candidate): Generator<Candidate> {
  if (question.kind === 'connection') {
    if (question.connection.sni !== null)
      yield { declarations, question: { kind: 'connection', connection: { ...question.connection, sni: null } } };
    return;
  }
  if (question.kind === 'connection-from-outside') {
    const { connection, wire } = question;
    const made = (change: Partial<typeof question>): Candidate => ({ declarations, question: { ...question, ...change } });
    if (Object.keys(wire).length > 0) yield made({ wire: {} });
    if (connection.sni !== null) yield made({ connection: { ...connection, sni: null } });
    if (connection.address !== plainAddress) yield made({ connection: { ...connection, address: plainAddress } });
    return;
  }
  const { request, wire } = question;
  const made = (change: Partial<RequestQuestion['request']>): Candidate => ({
    declarations,
    question: { kind: 'request', wire, request: { ...request, ...change } },
  });
  yield { declarations, question: { kind: 'request', request, wire: plainWire } };
  for (const name of Object.keys(wire) as (keyof typeof wire)[])
    // the keys of a literal type
    if (wire[name] !== plainWire[name]) {
      const { [name]: _taken, ...rest } = wire;
      yield { declarations, question: { kind: 'request', request, wire: { ...plainWire, ...rest } } };
    }
  if (request.from.kind === 'outside') {
    const { certificate, ...from } = request.from;
    if (certificate) yield made({ from });
    if (from.address !== plainAddress) yield made({ from: { ...request.from, address: plainAddress } });
  }
  yield made({ headers: {} });
  for (const name of Object.keys(request.headers))
    yield made({ headers: Object.fromEntries(Object.entries(request.headers).filter(([other]) => other !== name)) });
  const [path = '', query] = request.path.split(/\?(.*)/s);
  if (query !== undefined) {
    yield made({ path });
    const parameters = query.split('&');
    if (parameters.length > 1)
      for (const gone of parameters) yield made({ path: `${path}?${parameters.filter((one) => one !== gone).join('&')}` });
  }
  if (request.method !== 'GET') yield made({ method: 'GET' });
  for (const shorter of withoutASegment(path)) yield made({ path: query === undefined ? shorter : `${shorter}?${query}` });
}

const plainAddress = '127.0.0.1';

function* withoutASegment(path: string): Generator<string> {
  const segments = path.split('/').slice(1);
  for (let index = segments.length - 1; index >= 0; index -= 1) yield `/${segments.filter((_, at) => at !== index).join('/')}`;
}

/** Whether nothing can be about a declaration of this kind. */
const isRule = ({ value }: Declaration): boolean =>
  !['mesh', 'namespace', 'service', 'workload', 'gateway', 'issuer', 'external'].includes(value.kind);

/** Without halves, quarters and single ones of the rules. */
function* fewerRules({ declarations, question }: Candidate): Generator<Candidate> {
  const rules = declarations.filter(isRule);
  for (let size = Math.ceil(rules.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
    for (let start = 0; start < rules.length; start += size) {
      const gone = new Set(rules.slice(start, start + size));
      yield { declarations: declarations.filter((one) => !gone.has(one)), question };
    }
}

/** Without one noun and everything that is about it. */
function* fewerNouns({ declarations, question }: Candidate): Generator<Candidate> {
  for (const noun of declarations) {
    if (isRule(noun)) continue;
    const gone = new Set([noun.id]);
    for (let before = 0; before !== gone.size;) {
      before = gone.size;
      for (const one of declarations) if (refersTo(one.value, gone)) gone.add(one.id);
    }
    yield { declarations: declarations.filter(({ id }) => !gone.has(id)), question };
  }
}
function refersTo(value: unknown, ids: ReadonlySet<string>): boolean {
  if (Array.isArray(value)) return value.some((one) => refersTo(one, ids));
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([key, inner]) => (key === 'ref' && typeof inner === 'string' ? ids.has(inner) : refersTo(inner, ids)));
}

/** Without one segment of the path, in the question and in every request line that has it. */
function* shorterPaths({ declarations, question }: Candidate): Generator<Candidate> {
  if (question.kind !== 'request') return;
  const { request, wire } = question;
  for (const segment of new Set(request.path.split(/[/?]/).filter((text) => text !== ''))) {
    const drop = (text: string): string => text.replace(`/${segment}`, '') || '/';
    const path = drop(request.path);
    const lines = (value: Json): Json =>
      typeof value === 'string'
        ? value.replace(/^(\S+) (\/.*)$/s, (_, method: string, line: string) => `${method} ${drop(line)}`)
        : mapJson(value, lines);
    yield {
      declarations: declarations.map((one) => ({ ...one, value: lines(asJson(one.value)) }) as Declaration), // checked against its schema next
      question: { kind: 'request', wire, request: { ...request, path: path.startsWith('/') ? path : `/${path}` } },
    };
  }
}
function mapJson(value: Json, each: (inner: Json) => Json): Json {
  if (Array.isArray(value)) return value.map(each);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, each(inner)]));
}

/** Without one member or entry of one declaration, from the outside in. */
function* lessInside({ declarations, question }: Candidate): Generator<Candidate> {
  for (const [index, declaration] of declarations.entries()) {
    for (const value of without(asJson(declaration.value)))
      yield { declarations: declarations.with(index, { ...declaration, value } as Declaration), question }; // checked against its schema next
  }
}
export function* without(value: Json): Generator<Json> {
  if (Array.isArray(value)) {
    const list: readonly Json[] = value;
    for (const index of list.keys()) yield list.filter((_, at) => at !== index);
    for (const [index, inner] of list.entries()) for (const less of without(inner)) yield list.with(index, less);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  const members = Object.entries(value);
  for (const [name] of members) if (name !== 'kind') yield Object.fromEntries(members.filter(([other]) => other !== name));
  for (const [name, inner] of members) for (const less of without(inner)) yield { ...value, [name]: less };
}
