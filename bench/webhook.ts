/**
 * What a review costs: `npm run bench:webhook`. The webhook as it is run (TLS, express, state followed from a real API server, 1,000 signed rules), and Open
 * Policy Agent's server with the same checks over the same data, one after the other on the same core; the load comes from the other core at a constant rate.
 * Prints a table for docs/benchmarks.md. Needs Linux's `taskset` and two cores.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { objectResource, releaseResource } from '../core/bundle/custom-resource';
import { apiVersion, type MeshObject } from '../core/bundle/objects';
import { formatTrust } from '../core/bundle/trust';
import { customResourceDefinitions } from '../deploy/crds';
import { temporaryFolder } from '../platform/files';
import { kubeFromFile, kubeObject, resources } from '../platform/kube';
import { startKubernetes, type KubernetesServer } from '../platform/kubernetes-server';
import { freePorts } from '../platform/ports';
import { runCommand, spawnGroup, stopGroup } from '../platform/process';
import { convergedStatus } from '../test/kit/converged';
import { localAuthority } from '../test/kit/serving-certificate';
import { opaData, reviews, rules } from '../test/kit/reviews';
import { newTestSigner, signTestObject, signTestRelease, testRelease } from '../test/kit/signing';
import type { LoadPlan, LoadResult } from './load';
import { obtainOpa } from './opa';

const root = path.resolve(__dirname, '..', '..');
const rates = [200, 1_000, 1_500, 2_000, 3_000];
const [serverCore, loadCore] = ['0', '1'];
const seconds = Number(process.argv[2] ?? 20);

interface Rival {
  readonly name: string;
  readonly url: string;
  readonly process: ChildProcess;
}

async function main(): Promise<void> {
  const folder = await temporaryFolder('bench-webhook');
  const undo: (() => Promise<void>)[] = [() => fs.rm(folder, { recursive: true, force: true })];
  try {
    const authority = await localAuthority();
    const { key, cert } = await authority.serving();
    const file = async (name: string, text: string): Promise<string> => {
      const at = path.join(folder, name);
      await fs.writeFile(at, text, { mode: 0o600 });
      return at;
    };
    const pair = { certFile: await file('tls.crt', cert), keyFile: await file('tls.key', key) };
    const bodies = reviews(500);
    process.stdout.write(
      `reviews of ${Math.round((bodies[0]?.body.length ?? 0) / 100) / 10} kB, ${rules.deploys?.length ?? 0} rules, ${seconds} s for each line\n\n`,
    );
    process.stdout.write(
      '| server | asked a second | answered a second | p50 | p90 | p99 | slowest | failed | wrong | CPU for each answer | memory |\n',
    );
    process.stdout.write('|---|---|---|---|---|---|---|---|---|---|---|\n');
    for (const begin of [() => startWebhook(folder, file, pair, undo), () => startOpa(file, pair, undo)]) {
      const rival = await begin();
      for (const perSecond of rates) {
        const plan: LoadPlan = { url: rival.url, ca: authority.ca, perSecond, seconds, warmUpSeconds: 5, connections: 64, bodies };
        const before = await cpuOf(rival.process.pid ?? 0);
        const result = await loadFrom(await file('plan.json', JSON.stringify(plan)));
        const cpu = (await cpuOf(rival.process.pid ?? 0)) - before;
        if (result.failed === result.sent) throw new Error(`${rival.name} answered nothing: ${result.failure ?? '?'}`);
        const { p50, p90, p99, max } = result.latency;
        const ms = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
        const each = (cpu / (result.sent + perSecond * plan.warmUpSeconds)) * 1000;
        process.stdout.write(
          `| ${rival.name} | ${perSecond} | ${Math.round(result.perSecond)} | ${ms(p50)} | ${ms(p90)} | ${ms(p99)} | ${ms(max)} | ${result.failed} | ${result.wrong} | ${each.toFixed(2)} ms | ${await memoryOf(rival.process.pid ?? 0)} MiB |\n`,
        );
        if (p50 > 1_000) break; // it fell behind: more would only take longer
      }
      await stopGroup(rival.process);
    }
  } finally {
    for (const one of undo.reverse()) await one().catch(() => undefined);
  }
}

type WriteFile = (name: string, text: string) => Promise<string>;
type Pair = { readonly certFile: string; readonly keyFile: string };

/** The webhook beside a real API server that holds its rules. The API server is idle while it is measured. */
async function startWebhook(folder: string, file: WriteFile, pair: Pair, undo: (() => Promise<void>)[]): Promise<Rival> {
  const cluster: KubernetesServer = await startKubernetes({ dir: path.join(folder, 'kubernetes'), controllers: false });
  undo.push(() => cluster.stop());
  const kube = await kubeFromFile(cluster.kubeconfig);
  for (const definition of customResourceDefinitions()) await kube.create(resources.customResourceDefinitions, kubeObject(definition));
  await kube.create(resources.namespaces, { metadata: { name: 'meshwright' } });
  const signer = await newTestSigner();
  const object: MeshObject = {
    apiVersion,
    kind: 'AdmissionRules',
    metadata: { namespace: 'meshwright', name: 'rules' },
    spec: JSON.parse(JSON.stringify(rules)),
  };
  const signed = await signTestObject(signer, object, 'prod');
  const release = await signTestRelease(signer, testRelease([object]));
  await settled(() => kube.create(resources.admissionRules, kubeObject(objectResource(signed, 'prod'))));
  await settled(() => kube.create(resources.releases, kubeObject(releaseResource(release))));
  const status = convergedStatus(release.digest);
  await kube.patch(resources.releases, { namespace: 'meshwright', name: 'prod' }, { status }, { type: 'merge', subresource: 'status' });
  const [port = 0, adminPort = 0] = await freePorts(2);
  const config = await file(
    'webhook.json',
    JSON.stringify({
      environment: 'prod',
      listen: { host: '127.0.0.1', port },
      admin: { host: '127.0.0.1', port: adminPort },
      certificate: pair,
      trustFile: await file('trust.json', formatTrust({ environments: { prod: { keys: [signer.jwk], generationFloor: 0 } } })),
      deployers: [{ kind: 'group', name: 'deployers' }],
      kubeconfig: cluster.kubeconfig,
    }),
  );
  const child = pinned(process.execPath, [path.join(root, 'bin', 'meshwright.js'), 'serve', 'webhook', '--config', config]);
  undo.push(() => stopGroup(child));
  await answers(`http://127.0.0.1:${adminPort}/readyz`);
  return { name: 'meshwright', url: `https://127.0.0.1:${port}/validate`, process: child };
}

async function startOpa(file: WriteFile, pair: Pair, undo: (() => Promise<void>)[]): Promise<Rival> {
  const [port = 0, healthPort = 0] = await freePorts(2);
  const opa = await obtainOpa();
  const data = await file('data.json', JSON.stringify(opaData));
  const child = pinned(
    opa,
    [
      'run',
      '--server',
      '--disable-telemetry',
      '--log-level=error',
      `--addr=https://127.0.0.1:${port}`,
      `--diagnostic-addr=http://127.0.0.1:${healthPort}`,
      `--tls-cert-file=${pair.certFile}`,
      `--tls-private-key-file=${pair.keyFile}`,
      path.join(root, 'bench', 'opa', 'policy.rego'),
      data,
    ],
    { GOMAXPROCS: '1' },
  );
  undo.push(() => stopGroup(child));
  await answers(`http://127.0.0.1:${healthPort}/health`);
  // Its v0 data API takes the review as the input document and answers with the document alone, as an API server needs it.
  return { name: 'Open Policy Agent 1.9', url: `https://127.0.0.1:${port}/v0/data/system/main`, process: child };
}

const pinned = (command: string, args: readonly string[], env: Record<string, string> = {}): ChildProcess =>
  spawnGroup('taskset', ['--cpu-list', serverCore, command, ...args], {
    stdio: 'ignore',
    env: { ...process.env, ...env },
  });

async function loadFrom(plan: string): Promise<LoadResult> {
  const child = spawn('taskset', ['--cpu-list', loadCore, process.execPath, path.join(__dirname, 'load.js'), plan], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString('utf8')));
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error(`the load ended with ${code}`);
  return JSON.parse(out) as LoadResult;
}

/** A definition is established a moment after it is created. */
async function settled(create: () => Promise<unknown>): Promise<void> {
  for (let turn = 0; ; turn += 1) {
    try {
      await create();
      return;
    } catch (error) {
      if (turn >= 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function answers(url: string): Promise<void> {
  for (let turn = 0; turn < 300; turn += 1) {
    if (
      await fetch(url).then(
        (answer) => answer.ok,
        () => false,
      )
    )
      return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${url} did not answer`);
}

/** Seconds of CPU that a process has had, all its threads (proc(5): utime and stime, in ticks of 10 ms). */
async function cpuOf(pid: number): Promise<number> {
  const stat = await fs.readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function memoryOf(pid: number): Promise<string> {
  const { stdout } = await runCommand('grep', ['VmRSS', `/proc/${pid}/status`]);
  return String(Math.round(Number(/(\d+) kB/.exec(stdout)?.[1] ?? Number.NaN) / 1024));
}

main().catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 2;
});
