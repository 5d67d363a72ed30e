/** The whole path on one machine, told as a story that checks itself: `npm run demo`. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunningMesh } from '../../cli/up/launch';
import { checkGit } from '../../platform/git';
import { obtainEnvoy } from '../../platform/tools/envoy';
import { obtainPulumi } from '../../platform/tools/pulumi';
import { help, parseOptions, type Options } from './options';
import { summary, teller, type Teller } from './report';
import { cleanups, root, setUp, type Cleanup } from './set-up';
import type { Stage } from './stage';
import { revokesAccess } from './story/access';
import { ignoresComments, returnsToStable } from './story/rejection';
import { refusesBadCommits } from './story/refusals';
import { shiftsTraffic } from './story/split';
import { meetsTrouble } from './story/trouble';
import { comesUp } from './story/up';

async function portFree(port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const probe = createServer();
    probe.once('error', () => reject(new Error(`port ${port} is taken: end what listens there, or give another with --port`)));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve()));
  });
}

/** Logs of a run that did not go well are kept. */
let wentWell = false;

async function main(options: Options, cleanup: Cleanup): Promise<boolean> {
  const write = (line: string): void => void (options.json ? process.stderr : process.stdout).write(`${line}\n`);
  const tell = teller(write, !options.json && process.stdout.isTTY === true && !process.env['NO_COLOR']);

  // What can be missing is asked for before anything starts.
  const git = await checkGit();
  if (!git.value) throw new Error(git.diagnostics.map((one) => `${one.message}: ${one.help ?? ''}`).join('; '));
  if (options.port !== undefined) await portFree(options.port);
  const envoy = await obtainEnvoy();
  if (options.pulumi) process.env['MESHWRIGHT_PULUMI'] = await obtainPulumi();
  else write('without Pulumi (--no-pulumi): the loop puts releases out by itself; nothing else is different');
  process.env['MESHWRIGHT_ENVOY'] = envoy;

  const scratch = await mkdtemp(join(tmpdir(), 'mw-'));
  cleanup.add(async () => {
    if (!wentWell) {
      const kept = join(tmpdir(), `meshwright-demo-${process.pid}-logs`);
      await cp(join(scratch, 'mesh', 'logs'), kept, { recursive: true }).then(
        () => process.stderr.write(`logs are kept in ${kept}\n`),
        () => undefined,
      );
    }
    await rm(scratch, { recursive: true, force: true });
  });
  const { mesh, stage, firstCommit, gitUrl } = await setUp(options, scratch, write, cleanup);

  const told = (letter: string): boolean => options.steps.includes(letter);
  await tell.step('a', 'the mesh comes up', (step) => comesUp(stage, step, firstCommit));
  if (told('b')) await tell.step('b', 'a push shifts half the traffic to v3', (step) => shiftsTraffic(stage, step));
  if (told('c')) await tell.step('c', 'bad commits are refused', (step) => refusesBadCommits(stage, step));
  if (told('d')) await tell.step('d', 'access is revoked under an open connection', (step) => revokesAccess(stage, step));
  if (told('e')) await tell.step('e', 'what Envoy rejects returns to stable', (step) => returnsToStable(stage, step));
  if (told('f')) await tell.step('f', 'a comment moves nothing', (step) => ignoresComments(stage, step));
  if (told('g')) await tell.step('g', 'trouble is one clear line', (step) => meetsTrouble(root, scratch, step));

  wentWell = tell.reports.every((report) => report.ok);
  close(options, tell, mesh, stage, gitUrl, write);
  if (options.keep) {
    write('\neverything keeps running; Ctrl-C ends it');
    await new Promise(() => setInterval(() => undefined, 1 << 30));
  }
  return wentWell;
}

function close(options: Options, tell: Teller, mesh: RunningMesh, stage: Stage, gitUrl: string, write: (line: string) => void): void {
  const ok = tell.reports.every((report) => report.ok);
  write('');
  for (const line of summary(tell.reports)) write(line);
  write(`\nstatus page: ${mesh.statusUrl}`);
  if (!options.json) return;
  const { edge } = stage.layout;
  process.stdout.write(
    `${JSON.stringify({ ok, pulumi: options.pulumi, statusPage: mesh.statusUrl, edge: `https://${edge.host}:${edge.port}`, repository: gitUrl, steps: tell.reports })}\n`,
  );
}

async function start(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') return void process.stdout.write(help);
  // Every process the demo starts carries the mark, so that one can look for what is left.
  process.env['MESHWRIGHT_DEMO'] = String(process.pid);
  const cleanup = cleanups();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => void cleanup.run().then(() => process.exit(signal === 'SIGINT' ? 130 : 143)));
  try {
    process.exitCode = (await main(options, cleanup)) ? 0 : 1;
  } finally {
    await cleanup.run();
  }
}

start().then(
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(`demo: ${error instanceof Error ? error.message.split('\n').join(' ') : String(error)}\n`);
    process.exit(2);
  },
);
