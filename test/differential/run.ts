/** A run: meshes from seeds, questions to each, what differs made small. */
import type { EmittedEnvoy } from '../../compiler/emit/envoy';
import type { MeshIr } from '../../core/ir/ir';
import { type PortKey, serviceOfPort } from '../../core/mesh/ids';
import type { Decision } from '../../core/semantics/decision';
import { upgradeOf } from '../../core/semantics/upgrade';
import { generateDeclarations, generateQuestions } from '../kit/mesh-generator';
import { isWild } from '../kit/mesh-generator-outside';
import type { Question } from '../kit/mesh-generator-requests';
import { ask, type Observed, type ObservedRequest } from './ask';
import { expectedOf, type Case } from './cases';
import { decisionOn } from './decision-on';
import { difference, lostCopy } from './difference';
import { type Trial, trialsOf } from './distribution';
import { shrink, type Candidate } from './shrink';
import { size, type World } from './world';

export interface RunOptions {
  readonly firstSeed: number;
  readonly meshes: number;
  readonly requestsEach: number;
  /** How many differences are made small; the rest are told as they are. */
  readonly shrinkAtMost: number;
  /** A fault to plant in what was emitted. */
  readonly plant?: (emitted: EmittedEnvoy) => EmittedEnvoy;
  /** Told now and then how far it is. */
  readonly say?: (line: string) => void;
  /** Stops after the first mesh with a difference. */
  readonly untilFound?: boolean;
}
export interface Run {
  readonly meshes: number;
  readonly requests: number;
  /** Each difference with its seed, in a line. */
  readonly found: readonly string[];
  readonly cases: readonly Case[];
  /** How requests were answered: `inbound allow`, `canonical deny 400`. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** What was left to chance, and how it fell. */
  readonly trials: readonly Trial[];
}

const atOnce = 10;
/** Askings that making one difference small may take. */
const shrinkAskings = 240;

export async function run(world: World, options: RunOptions): Promise<Run> {
  const found: string[] = [];
  const cases: Case[] = [];
  const outcomes = new Map<string, number>();
  const trials: Trial[] = [];
  let [meshes, requests] = [0, 0];
  for (let seed = options.firstSeed; seed < options.firstSeed + options.meshes; seed += 1) {
    meshes += 1;
    const { declarations } = generateDeclarations(seed, size);
    let ir: MeshIr;
    try {
      ir = await world.put(declarations, options.plant);
    } catch (error) {
      found.push(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`);
      continue;
    }
    const differing: { readonly question: Question; readonly says: string }[] = [];
    const questions = generateQuestions(ir, seed, options.requestsEach);
    const delays = new Delays(await world.delays());
    for (let at = 0; at < questions.length; at += atOnce)
      await Promise.all(
        questions.slice(at, at + atOnce).map(async (question) => {
          requests += 1;
          const decision = decisionOn(ir, question);
          const kind = kindOf(ir, question, decision);
          outcomes.set(kind, (outcomes.get(kind) ?? 0) + 1);
          const { says, observed } = await judged(world, ir, question, decision, delays);
          trials.push(...trialsOf(world, decision, observed));
          if (says !== null) differing.push({ question, says });
        }),
      );
    const wrong = delays.wrong(await world.delays());
    if (wrong !== null) found.push(`seed ${seed}: ${wrong}`);
    // in the order of the questions, not of the answers: a run is the same wherever it runs
    differing.sort((a, b) => questions.indexOf(a.question) - questions.indexOf(b.question));
    for (const { question, says } of differing) {
      found.push(`seed ${seed}: ${JSON.stringify(question)}: ${says}`);
      if (cases.length < options.shrinkAtMost) cases.push(await smallest(world, { declarations, question }, options, `seed ${seed}`));
    }
    if (meshes % 20 === 0) options.say?.(`${meshes} of ${options.meshes} meshes, ${requests} requests, ${found.length} differences`);
    if (options.untilFound && differing.length > 0) break;
  }
  return { meshes, requests, found, cases, outcomes, trials };
}

/** How many of the questions had to wait on purpose, and how many might: when an answer came says little on a busy machine. */
class Delays {
  #least = 0;
  #most = 0;
  constructor(private readonly before: number) {}
  note({ fault }: Decision, { answer }: ObservedRequest): void {
    if (!fault?.delay) return;
    this.#most += 1;
    if (fault.delay.percent === 100 && typeof answer !== 'string') this.#least += 1;
  }
  wrong(after: number): string | null {
    const delayed = after - this.before;
    return delayed >= this.#least && delayed <= this.#most ? null : `${delayed} were delayed, not ${this.#least} to ${this.#most}`;
  }
}

/**
 * What was seen of a question, and how it differs. A copy is sent once and nobody waits for it (Envoy: RequestMirrorPolicy, "fire and forget"): on a busy
 * machine one may be lost, but not each time.
 */
export async function judged(
  world: World,
  ir: MeshIr,
  question: Question,
  decision: Decision,
  delays?: Delays,
): Promise<{ readonly says: string | null; readonly observed: Observed }> {
  for (let left = 2; ; left -= 1) {
    const observed = await ask(world, ir, question, decision);
    if (observed.kind === 'request') delays?.note(decision, observed);
    const says = difference(world, ir, question, decision, observed);
    if (left === 0 || !says?.includes(lostCopy)) return { says, observed };
  }
}

function kindOf(ir: MeshIr, question: Question, { stage, outcome, status, route }: Decision): string {
  const isOutside = (to: PortKey | null): boolean => ir.services.some((one) => one.outside && one.ports.some(({ key }) => key === to));
  const to = question.kind === 'connection' ? question.connection.to : question.kind === 'request' ? question.request.to : null;
  const isConnection = question.kind !== 'request';
  const taken = route && [...ir.hostRoutes, ...ir.hostConnections].flatMap(({ rules }) => [...rules]).find(({ id }) => id === route.rule);
  return [
    ...(isConnection ? ['connection'] : []),
    ...(question.kind === 'connection-from-outside' ? ['at the gateway'] : []),
    ...(question.kind === 'request' && upgradeOf(question.request.headers) !== null ? ['upgrade'] : []),
    ...(isOutside(to) ? ['outside'] : []),
    ...(to !== null && isWild(serviceOfPort(to)) ? ['by a wildcard or closer'] : []),
    ...((taken?.match?.sources ?? []).length > 0 ? ['by network'] : []),
    stage,
    outcome,
    ...(status === null && outcome === 'deny' && stage !== 'inbound' && !isConnection ? ['closed'] : status === null ? [] : [status]),
  ].join(' ');
}

/** What is different for a candidate, null when nothing is: puts it in force and asks. */
export async function differs(world: World, { declarations, question }: Candidate, plant: RunOptions['plant']): Promise<string | null> {
  const ir = await world.put(declarations, plant);
  const decision = decisionOn(ir, question);
  // where a share decides what is seen, one answer that fits says little
  const isLeftToChance = decision.destinations.length > 1 || decision.fault !== null || decision.mirrors.some(({ share }) => share < 100);
  let says: string | null = null;
  for (let again = isLeftToChance ? 8 : 1; says === null && again > 0; again -= 1) ({ says } = await judged(world, ir, question, decision));
  return says;
}

async function smallest(world: World, start: Candidate, { plant }: RunOptions, about: string): Promise<Case> {
  let got = '';
  const { declarations, question } = await shrink(
    start,
    async (candidate) => {
      const says = await differs(world, candidate, plant).catch(() => null); // what cannot be rolled out is another difference
      if (says !== null) got = says;
      return says !== null;
    },
    shrinkAskings,
  );
  const ir = await world.put(declarations, plant);
  return { about, declarations, question, expected: expectedOf(decisionOn(ir, question)), got };
}
