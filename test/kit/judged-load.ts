/**
 * Reviews at a constant rate (fewer on a machine that cannot do so many), each answer compared with what is right at that moment. While something changes, both the old and the new verdict are right; an
 * answer is right when it was right at some moment between its request and itself.
 */
import { Agent } from 'node:https';
import { KubeError } from '../../platform/kube';
import { constantArrival } from './constant-arrival';
import { postReview } from './post-review';

/** What is right, from one moment to the next. `Truth` says what may be the case now. */
export interface Moments<Truth> {
  /** From now on this, too or instead, is right. */
  set(truth: Truth): void;
  mark(): number;
  since(mark: number): readonly Truth[];
}
export function moments<Truth>(first: Truth): Moments<Truth> {
  const all = [first];
  return {
    set: (truth) => void all.push(truth),
    mark: () => all.length - 1,
    since: (mark) => all.slice(mark),
  };
}

export interface Question<Truth> {
  readonly what: string;
  readonly body: Buffer;
  /** Whether this verdict may be the answer. */
  readonly isRight: (allowed: boolean, truth: Truth) => boolean;
}
export interface Failure {
  readonly by: 'fresh' | 'kept' | 'api';
  readonly why: string;
  /** `performance.now()` */
  readonly sentAt: number;
  readonly failedAt: number;
  /** Of the client's connection; null when there was none, or it is not known. */
  readonly clientPort: number | null;
}
export interface LoadReport {
  /** Answers with a verdict. */
  readonly answered: { readonly fresh: number; readonly kept: number; readonly api: number };
  readonly failed: readonly Failure[];
  readonly wrong: readonly string[];
}
export interface JudgedLoadOptions<Truth> {
  readonly url: URL;
  readonly servername: string;
  /** PEM of what is trusted at this moment. */
  readonly trusted: () => string;
  readonly moments: Moments<Truth>;
  /** Asked in turn, each second one on a connection of its own. */
  readonly questions: readonly Question<Truth>[];
  readonly perSecond: number;
  /** Through an API server: resolves, or rejects with KubeError. */
  readonly writes: readonly {
    readonly what: string;
    readonly write: () => Promise<unknown>;
    readonly isRight: Question<Truth>['isRight'];
  }[];
  readonly writesPerSecond: number;
}

export interface JudgedLoad {
  /** Resolves when everything that is under way now was answered. */
  settled(): Promise<void>;
  stop(): Promise<LoadReport>;
}

/** Under way at once. More of them would wait for longer than a server lets anybody begin a handshake, on a machine that cannot do so many a second. */
const mostQuestions = 32;
const mostWrites = 8;

/** Begins at once. */
export function judgedLoad<Truth>(options: JudgedLoadOptions<Truth>): JudgedLoad {
  const { url, servername, trusted, questions, writes } = options;
  const kept = new Agent({ keepAlive: true, maxSockets: 32, maxCachedSessions: 0 });
  const answered = { fresh: 0, kept: 0, api: 0 };
  const failed: Failure[] = [];
  const wrong: string[] = [];
  const judge = (
    by: Failure['by'],
    mark: number,
    what: string,
    isRight: Question<Truth>['isRight'],
    allowed: boolean,
    why: string,
  ): void => {
    answered[by] += 1;
    if (!options.moments.since(mark).some((truth) => isRight(allowed, truth)))
      wrong.push(`${by}: ${what}: ${allowed ? 'allowed' : `denied: ${why}`}`);
  };
  const ask = async (index: number): Promise<void> => {
    const question = questions[Math.floor(index / 2) % questions.length];
    if (question === undefined) throw new Error('there is nothing to ask');
    const by = index % 2 === 0 ? 'fresh' : 'kept';
    const mark = options.moments.mark();
    const sentAt = performance.now();
    const answer = await postReview(url, question.body, { agent: by === 'fresh' ? false : kept, ca: trusted(), servername });
    if (answer.kind === 'failed') {
      const { why, clientPort } = answer;
      failed.push({ by, why, sentAt, failedAt: performance.now(), clientPort });
    } else if (answer.allowed === undefined) wrong.push(`${by}: ${question.what}: no verdict`);
    else judge(by, mark, question.what, question.isRight, answer.allowed, answer.message);
  };
  const write = async (index: number): Promise<void> => {
    const one = writes[index % writes.length];
    if (one === undefined) throw new Error('there is nothing to write');
    const mark = options.moments.mark();
    const sentAt = performance.now();
    try {
      await one.write();
      judge('api', mark, one.what, one.isRight, true, '');
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      if (error.status === 422) judge('api', mark, one.what, one.isRight, false, error.message);
      else failed.push({ by: 'api', why: `${error.status} ${error.message}`, sentAt, failedAt: performance.now(), clientPort: null });
    }
  };
  const both = [
    constantArrival(options.perSecond, ask, { mostUnderWay: mostQuestions }),
    constantArrival(options.writesPerSecond, write, { mostUnderWay: mostWrites }),
  ];
  return {
    async settled() {
      await Promise.all(both.map((arrivals) => arrivals.settled()));
    },
    async stop() {
      await Promise.all(both.map((arrivals) => arrivals.stop()));
      kept.destroy();
      return { answered, failed, wrong };
    },
  };
}
