/**
 * What a change costs while it is live: `npm run bench:live`. A whole mesh on loopback (the demo's), a number of pushes that each shift a split,
 * and for each leg the median; then resident memory of each server, idle and under the example's traffic. Prints a table for docs/benchmarks.md.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { obtainEnvoy } from '../platform/tools/envoy';
import { obtainPulumi } from '../platform/tools/pulumi';
import { connect, load } from '../scripts/demo/client';
import { cleanups, setUp } from '../scripts/demo/set-up';
import type { Stage } from '../scripts/demo/stage';
import { median } from './median';

const pushes = 11;
/** Resident memory of a process in MiB; null when it is gone. */
async function resident(pid: number | null): Promise<number | null> {
  const status = pid === null ? '' : await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kib === undefined ? null : Math.round(Number(kib) / 1024);
}

/** The Envoy of an agent: its one child. */
async function envoyOf(agent: number | null): Promise<number | null> {
  const children = agent === null ? '' : await readFile(`/proc/${agent}/task/${agent}/children`, 'utf8').catch(() => '');
  return Number(children.trim().split(' ')[0]) || null;
}

async function memory(stage: Stage): Promise<ReadonlyMap<string, number | null>> {
  const { supervisor } = stage.mesh;
  const agent = supervisor.get('agent-productpage-1')?.pid() ?? null;
  const found = new Map<string, number | null>();
  for (const name of ['ca', 'signer', 'control-plane', 'gitops']) found.set(name, await resident(supervisor.get(name)?.pid() ?? null));
  found.set('agent (productpage-1)', await resident(agent));
  found.set('its Envoy', await resident(await envoyOf(agent)));
  return found;
}

async function main(): Promise<void> {
  process.env['MESHWRIGHT_ENVOY'] = await obtainEnvoy();
  process.env['MESHWRIGHT_PULUMI'] = await obtainPulumi();
  const cleanup = cleanups();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void cleanup.run().then(() => process.exit(130)));
  const scratch = await mkdtemp(join(tmpdir(), 'mw-'));
  cleanup.add(() => rm(scratch, { recursive: true, force: true }));
  try {
    const { stage, firstCommit } = await setUp({ pulumi: true }, scratch, (line) => void process.stderr.write(`${line}\n`), cleanup);
    await stage.finished(firstCommit);
    // One wave and no hold: what is timed is the machinery, not the caution that a policy asks for.
    await stage.pushed('one wave', [
      { file: 'policies/platform/rollout.policy.ts', replace: ["waves: ['50%', '100%']", "waves: ['100%']"] },
    ]);
    const idle = await memory(stage);
    const legs = new Map<string, number[]>();
    const add = (name: string, ms: number): void => void legs.set(name, [...(legs.get(name) ?? []), ms]);
    let weight = 40;
    let from = "    to: 'v1',";
    for (let turn = 0; turn < pushes; turn += 1) {
      weight += 1;
      const to = `    to: { v1: ${weight}, v3: ${100 - weight} },`;
      const attempt = await stage.pushed(`split ${weight}`, [{ file: 'policies/books/traffic.policy.ts', replace: [from, to] }]);
      if (attempt.outcome !== 'live') throw new Error(`a push ended as ${attempt.outcome ?? '?'}`);
      from = to;
      for (const [leg, ms] of Object.entries(attempt.legs)) add(leg, ms);
      const toBundle = ['fetch', 'compile', 'diff', 'validate', 'sign'].reduce((sum, leg) => sum + (attempt.legs[leg] ?? 0), 0);
      add('push seen to signed bundle', toBundle);
      const { startedAt, convergedAt } = await stage.rollout();
      if (startedAt !== null && convergedAt !== null) add('release taken to last proxy active', convergedAt - startedAt);
    }
    process.stdout.write('| leg | median | slowest |\n|---|---|---|\n');
    for (const [leg, values] of legs)
      process.stdout.write(`| ${leg} | ${Math.round(median(values))} ms | ${Math.round(Math.max(...values))} ms |\n`);

    const { trustPem } = await stage.identity('platform/edge');
    const traffic = load(
      4,
      2,
      async (connection) => (await connection.send(stage.host, '/productpage')).status,
      () => connect(stage.layout.edge, { ca: trustPem, serverName: stage.host }),
    );
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    const busy = await memory(stage);
    const counts = await traffic.stop();
    process.stdout.write(`\n| process | idle | after ${pushes} releases, under traffic |\n|---|---|---|\n`);
    for (const [name, mib] of idle) process.stdout.write(`| ${name} | ${mib ?? '?'} MiB | ${busy.get(name) ?? '?'} MiB |\n`);
    process.stdout.write(`\nrequests by status: ${JSON.stringify(counts)}\n`);
  } finally {
    await cleanup.run();
  }
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
