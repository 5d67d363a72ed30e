/**
 * The load of a measurement: constant arrival, and a latency counts from the moment a request was due. A process of its own, so that it can have a core of its
 * own: `node load.js <plan.json>`; prints one JSON line.
 */
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { constantArrival } from '../test/kit/constant-arrival';
import { postReview } from '../test/kit/post-review';

export interface LoadPlan {
  readonly url: string;
  /** PEM. */
  readonly ca: string;
  readonly perSecond: number;
  readonly seconds: number;
  /** Not counted: connections open and code is compiled. */
  readonly warmUpSeconds: number;
  readonly connections: number;
  /** Bodies, taken in turn, with whether each is to be allowed. */
  readonly bodies: readonly { readonly body: string; readonly allowed: boolean }[];
}
export interface LoadResult {
  readonly sent: number;
  readonly failed: number;
  /** Why the first of them did. */
  readonly failure: string | null;
  /** Answered, and with the other verdict. */
  readonly wrong: number;
  /** Answers a second, over the counted time. */
  readonly perSecond: number;
  /** Milliseconds from the moment a request was due. */
  readonly latency: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number };
}

async function run(plan: LoadPlan): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: plan.connections, ca: plan.ca, servername: 'localhost' });
  const url = new URL(plan.url);
  const bodies = plan.bodies.map(({ body, allowed }) => ({ body: Buffer.from(body), allowed }));
  const latencies: number[] = [];
  let failed = 0;
  let failure: string | null = null;
  let wrong = 0;
  let firstDue = 0;
  let lastAnswer = 0;
  const total = Math.round(plan.perSecond * (plan.warmUpSeconds + plan.seconds));
  const uncounted = Math.round(plan.perSecond * plan.warmUpSeconds);

  const send = async (index: number, due: number): Promise<void> => {
    const { body, allowed } = bodies[index % bodies.length] ?? { body: Buffer.alloc(0), allowed: true };
    const answer = await postReview(url, body, { agent });
    if (answer.kind === 'failed') failure ??= answer.why;
    else lastAnswer = Math.max(lastAnswer, answer.at);
    if (index === uncounted) firstDue = due;
    if (index < uncounted) return;
    if (answer.kind === 'failed') {
      failed += 1;
      return;
    }
    latencies.push(answer.at - due);
    if (answer.allowed !== allowed) wrong += 1;
  };
  await constantArrival(plan.perSecond, send, { total }).finished;
  agent.destroy();
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN;
  return {
    sent: total - uncounted,
    failed,
    failure,
    wrong,
    perSecond: latencies.length / ((lastAnswer - firstDue) / 1000),
    latency: { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) },
  };
}

if (require.main === module) {
  run(JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as LoadPlan).then(
    (result) => process.stdout.write(`${JSON.stringify(result)}\n`),
    (error: unknown) => {
      process.stderr.write(`load: ${String(error)}\n`);
      process.exitCode = 2;
    },
  );
}
