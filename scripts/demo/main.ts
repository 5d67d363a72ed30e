/** The whole path on one machine, told as a story that checks itself: `npm run demo`. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkGit } from '../../platform/git';
import { obtainEnvoy } from '../../platform/tools/envoy';
import { obtainPulumi } from '../../platform/tools/pulumi';
import { people } from './kubernetes/people';
import { setUpCluster } from './kubernetes/set-up';
import { letsNothingIn } from './kubernetes/story/objects';
import { previewsWhatUpdates } from './kubernetes/story/preview';
import { survivesKills } from './kubernetes/story/replicas';
import { judgesWorkloads } from './kubernetes/story/workloads';
import { help, parseOptions, type Options } from './options';
import { summary, teller, type Step, type Teller } from './report';
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
  else if (options.kubernetes) write('without Pulumi (--no-pulumi): the loop applies releases by itself; nothing else is different');
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
  const { stage, gitUrl, steps } = options.kubernetes
    ? await onKubernetes(options, scratch, write, cleanup)
    : await onOneMachine(options, scratch, write, cleanup);
  for (const { letter, title, tell: body } of steps) if (options.steps.includes(letter)) await tell.step(letter, title, body);

  wentWell = tell.reports.every((report) => report.ok);
  close(options, tell, stage, gitUrl, write);
  if (options.keep) {
    write('\neverything keeps running; Ctrl-C ends it');
    await new Promise(() => setInterval(() => undefined, 1 << 30));
  }
  return wentWell;
}

interface Telling {
  readonly letter: string;
  readonly title: string;
  readonly tell: (step: Step) => Promise<void>;
}
interface Prepared {
  readonly stage: Stage;
  readonly gitUrl: string;
  readonly steps: readonly Telling[];
}

/** What is told wherever the mesh runs. */
const common = (stage: Stage, firstCommit: string): readonly Telling[] => [
  { letter: 'a', title: 'the mesh comes up', tell: (step) => comesUp(stage, step, firstCommit) },
  { letter: 'b', title: 'a push shifts half the traffic to v3', tell: (step) => shiftsTraffic(stage, step) },
  { letter: 'c', title: 'bad commits are refused', tell: (step) => refusesBadCommits(stage, step) },
  { letter: 'd', title: 'access is revoked under an open connection', tell: (step) => revokesAccess(stage, step) },
  { letter: 'e', title: 'what Envoy rejects returns to stable', tell: (step) => returnsToStable(stage, step) },
  { letter: 'f', title: 'a comment moves nothing', tell: (step) => ignoresComments(stage, step) },
];

async function onOneMachine(options: Options, scratch: string, write: (line: string) => void, cleanup: Cleanup): Promise<Prepared> {
  const { stage, firstCommit, gitUrl } = await setUp(options, scratch, write, cleanup);
  const trouble: Telling = { letter: 'g', title: 'trouble is one clear line', tell: (step) => meetsTrouble(root, scratch, step) };
  return { stage, gitUrl, steps: [...common(stage, firstCommit), trouble] };
}

async function onKubernetes(options: Options, scratch: string, write: (line: string) => void, cleanup: Cleanup): Promise<Prepared> {
  const running = await setUpCluster(options, scratch, write, cleanup);
  const { stage, firstCommit, gitUrl } = running;
  const who = await people(running.cluster);
  return {
    stage,
    gitUrl,
    steps: [
      ...common(stage, firstCommit),
      { letter: 'h', title: 'nothing gets in by hand', tell: (step) => letsNothingIn(running, who, step) },
      { letter: 'i', title: 'workloads are judged by policy', tell: (step) => judgesWorkloads(running, who, step) },
      { letter: 'j', title: 'servers are killed under traffic', tell: (step) => survivesKills(running, who, step) },
      ...(options.pulumi
        ? [{ letter: 'k', title: 'a preview is an update that is not made', tell: (step: Step) => previewsWhatUpdates(running, who, step) }]
        : []),
    ],
  };
}

function close(options: Options, tell: Teller, stage: Stage, gitUrl: string, write: (line: string) => void): void {
  const ok = tell.reports.every((report) => report.ok);
  write('');
  for (const line of summary(tell.reports)) write(line);
  write(`\nstatus page: ${stage.mesh.statusUrl}`);
  if (!options.json) return;
  const { edge } = stage.layout;
  process.stdout.write(
    `${JSON.stringify({ ok, kubernetes: options.kubernetes, pulumi: options.pulumi, statusPage: stage.mesh.statusUrl, edge: `https://${edge.host}:${edge.port}`, repository: gitUrl, steps: tell.reports })}\n`,
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
