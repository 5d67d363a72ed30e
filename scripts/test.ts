/**
 * `npm test`: obtains Envoy and Pulumi, runs every suite, and ends with `N passed, N failed`. Suites that start real proxies and engines run one at
 * a time, the others beside each other. Arguments are patterns of test files: `npm test -- core test/property`.
 */
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawn } from 'node:child_process';
import { temporaryFolder } from '../platform/files';

const root = path.resolve(__dirname, '..', '..');
/** Folders whose suites start Envoy, Pulumi or whole meshes: these share the machine badly. */
const heavy = [
  'test/e2e/',
  'test/differential/',
  'test/hostile/',
  'test/conformance/',
  'test/kubernetes/',
  'test/types/',
  'deploy/',
  'gitops/',
  'runtime-proxy/',
  'platform/tools/',
  'platform/kube',
  'webhook/',
  'compiler/emit/',
];

interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
}

/** The part of jest's `--json` report that is counted. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numRuntimeErrorTestSuites: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

/** How long jest may take to end once its report is written: longer, and a suite left something open that would keep this waiting for ever. */
const endMs = 120_000;

/** Runs jest; how it ended: its exit code, or that it was ended here. */
async function run(args: readonly string[], report: string): Promise<{ readonly code: number; readonly hung: boolean }> {
  const child = spawn('jest', ['--json', `--outputFile=${report}`, '--passWithNoTests', ...args], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, CI: process.env['CI'] ?? 'true' },
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (exit) => resolve(exit ?? 1));
  });
  let written: number | null = null;
  for (;;) {
    const code = await Promise.race([ended, sleep(1_000, null)]);
    if (code !== null) return { code, hung: false };
    written ??= await fs.access(report).then(
      () => performance.now(),
      () => null,
    );
    if (written !== null && performance.now() - written > endMs) {
      child.kill('SIGKILL');
      return { code: await ended, hung: true };
    }
  }
}

async function jest(args: readonly string[], report: string): Promise<Tally> {
  const { code, hung } = await run(args, report);
  if (hung)
    process.stderr.write(
      `test: jest did not end within ${endMs / 1000} s of its last test: a suite left something open. Ended it; that is a failure\n`,
    );
  const text = await fs.readFile(report, 'utf8').catch(() => null);
  if (text === null) return { passed: 0, failed: code === 0 ? 0 : 1, skipped: [] };
  const read = JSON.parse(text) as Report; // jest's own documented format
  const failed = read.numFailedTests + read.numRuntimeErrorTestSuites + (hung ? 1 : 0);
  return {
    passed: read.numPassedTests,
    failed: code !== 0 && failed === 0 ? 1 : failed,
    skipped: read.testResults.flatMap((suite) =>
      suite.assertionResults.filter((test) => test.status === 'pending' || test.status === 'todo').map((test) => test.fullName),
    ),
  };
}

/** What the suites need and npm does not carry. A tool that cannot be had, asked for three times, is named here; the suites that need it then fail, never skip. */
async function obtainTools(): Promise<void> {
  const { obtainEnvoy } = await import('../platform/tools/envoy.js');
  const { obtainNft } = await import('../platform/tools/nft.js');
  const { obtainPulumi } = await import('../platform/tools/pulumi.js');
  const { obtainHelm, obtainKubectl, obtainKubernetes } = await import('../platform/tools/kubernetes.js');
  const { obtainKafka, obtainMariadb, obtainMongo, obtainPostgres, obtainQpid, obtainValkey } =
    await import('../platform/tools/test-servers.js');
  const servers = [obtainKafka, obtainMariadb, obtainMongo, obtainPostgres, obtainQpid, obtainValkey];
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  for (const obtain of [obtainEnvoy, obtainNft, obtainPulumi, obtainKubectl, obtainHelm, obtainKubernetes, ...servers]) {
    for (let tries = 1; ; tries += 1) {
      const got = await obtain({ say }).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
      say(got instanceof Error ? got.message : got);
      if (!(got instanceof Error) || tries === 3) break;
      await sleep(5_000 * tries); // a registry may be away for a moment
    }
  }
}

async function main(patterns: readonly string[]): Promise<number> {
  const begun = performance.now();
  await obtainTools();
  const folder = await temporaryFolder('test');
  try {
    const isHeavy = heavy.map((prefix) => `<rootDir>/${prefix}`);
    const ignore = ['/node_modules/', '/dist/', '\\.policy\\.test\\.ts$'];
    const runs: (readonly string[])[] =
      patterns.length > 0
        ? [['--runInBand', ...patterns]]
        : [
            [`--maxWorkers=${Math.max(1, os.availableParallelism())}`, '--testPathIgnorePatterns', ...ignore, ...isHeavy],
            ['--runInBand', '--testPathPatterns', ...heavy.map((prefix) => `^${root}/${prefix}`)],
          ];
    const tallies: Tally[] = [];
    for (const [index, args] of runs.entries()) tallies.push(await jest(args, path.join(folder, `${index}.json`)));
    const sum = (pick: (tally: Tally) => number): number => tallies.reduce((total, tally) => total + pick(tally), 0);
    const skipped = tallies.flatMap((tally) => tally.skipped);
    for (const name of skipped) process.stdout.write(`skipped: ${name}\n`);
    process.stdout.write(`${((performance.now() - begun) / 1000).toFixed(0)} s\n`);
    const [passed, failed] = [sum((tally) => tally.passed), sum((tally) => tally.failed)];
    process.stdout.write(`${passed} passed, ${failed} failed\n`);
    return failed === 0 && passed > 0 ? 0 : 1;
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    process.stderr.write(`test: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.stdout.write('0 passed, 1 failed\n');
    process.exitCode = 2;
  },
);
