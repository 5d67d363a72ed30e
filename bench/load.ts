/**
 * Constant arrival: requests are sent when they are due, whether or not the ones before were answered, and a latency counts from the moment a request was
 * due. A closed loop would slow down with the server and hide what waits (coordinated omission). A process of its own, so that it can have a core of its own:
 * `node load.js <plan.json>`; prints one JSON line.
 */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';

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
  let lastAnswer = 0;
  const total = Math.round(plan.perSecond * (plan.warmUpSeconds + plan.seconds));
  const uncounted = Math.round(plan.perSecond * plan.warmUpSeconds);
  const open: Promise<void>[] = [];
  const start = performance.now() + 50;

  const send = (index: number, due: number): Promise<void> =>
    new Promise((resolve) => {
      const { body, allowed } = bodies[index % bodies.length] ?? { body: Buffer.alloc(0), allowed: true };
      const counted = index >= uncounted;
      const fail = (why: string): void => {
        if (counted) failed += 1;
        failure ??= why;
        resolve();
      };
      const sent = request(
        url,
        { method: 'POST', agent, headers: { 'content-type': 'application/json', 'content-length': body.length } },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.once('error', (error) => fail(error.message));
          response.once('end', () => {
            lastAnswer = performance.now();
            if (response.statusCode !== 200)
              return fail(`status ${response.statusCode}: ${Buffer.concat(chunks).toString('utf8', 0, 300)}`);
            if (counted) {
              latencies.push(lastAnswer - due);
              const answer = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { response?: { allowed?: boolean } };
              if (answer.response?.allowed !== allowed) wrong += 1;
            }
            resolve();
          });
        },
      );
      sent.setTimeout(20_000, () => sent.destroy(new Error('no answer')));
      sent.once('error', (error) => fail(error.message));
      sent.end(body);
    });

  for (let index = 0; index < total;) {
    const now = performance.now();
    for (; index < total && start + (index * 1000) / plan.perSecond <= now; index += 1)
      open.push(send(index, start + (index * 1000) / plan.perSecond));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(open);
  agent.destroy();
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN;
  const countedFrom = start + plan.warmUpSeconds * 1000;
  return {
    sent: total - uncounted,
    failed,
    failure,
    wrong,
    perSecond: latencies.length / ((lastAnswer - countedFrom) / 1000),
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
