/** Everything the story needs, running. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { launchMesh, lastWords, type RunningMesh } from '../../cli/up/launch';
import { supervise } from '../../cli/up/supervisor';
import { systemClock } from '../../platform/clock';
import { startGitServer, type GitServer } from '../../platform/git-server';
import { silentLog } from '../../platform/log';
import { holdIdentity } from '../../runtime-proxy/ca/client';
import type { Identity } from './client';
import { accounts, layOut, type Layout } from './layout';
import { seedPolicyRepository, type PolicyRepository } from './policy-repository';
import { createStage, type Stage } from './stage';

export const host = 'shop.acme.example';
export const trustDomain = 'acme.example';
export const environment = 'prod';
export const root = join(__dirname, '..', '..', '..');

export interface Cleanup {
  add(undo: () => Promise<void>): void;
  /** Undoes everything, the last first; once, however often it is asked for. */
  run(): Promise<void>;
}
export function cleanups(): Cleanup {
  const undos: (() => Promise<void>)[] = [];
  let running: Promise<void> | null = null;
  return {
    add: (undo) => void undos.push(undo),
    run: () =>
      (running ??= (async () => {
        for (const undo of undos.reverse()) await undo().catch(() => undefined);
      })()),
  };
}

export interface SetUp {
  readonly mesh: RunningMesh;
  readonly stage: Stage;
  readonly firstCommit: string;
  readonly gitUrl: string;
}

/** How the product's processes are started: each ends with this one. */
export const guarded = [process.execPath, '--require', join(root, 'dist', 'cli', 'up', 'parent-guard.js')] as const;
export const productProgram = { program: guarded[0], arguments: [...guarded.slice(1), join(root, 'bin', 'meshwright.js')] };

/** The Git server with the policies in it. */
export async function startRepository(
  scratch: string,
  write: (line: string) => void,
  cleanup: Cleanup,
): Promise<{ readonly gitServer: GitServer; readonly policies: PolicyRepository; readonly firstCommit: string }> {
  const gitServer: GitServer = await startGitServer({ dir: join(scratch, 'git') });
  cleanup.add(() => gitServer.close());
  const policies = await seedPolicyRepository('git', root, join(scratch, 'clone'), gitServer.url);
  write(`the policy repository is at ${gitServer.url}`);
  return { gitServer, policies, firstCommit: await policies.head() };
}

/** The sample applications, as one process. */
export async function startApplications(layout: Layout, scratch: string, write: (line: string) => void, cleanup: Cleanup): Promise<void> {
  const applications = supervise({ program: guarded[0], arguments: guarded.slice(1) }, join(scratch, 'applications'));
  cleanup.add(() => applications.stop());
  const file = join(scratch, 'applications', 'applications.json');
  await writeFile(file, JSON.stringify(layout.applications));
  const sample = applications.start({
    name: 'bookinfo',
    arguments: [join(root, 'dist', 'scripts', 'demo', 'applications.js'), file],
    restart: true,
  });
  await listening(() => sample.tail());
  write(`${layout.applications.length} sample applications are up`);
}

/** An SVID of any workload, as a process beside it would get one. */
export function visitor(mesh: Pick<RunningMesh, 'ca' | 'joinToken'>): (workload: string) => Promise<Identity> {
  let visitors = 0;
  return async (workload) => {
    visitors += 1;
    const token = await mesh.joinToken(`visitor-${visitors}`, workload);
    const holder = await holdIdentity(
      { trustDomain, address: mesh.ca.address, trust: await readFile(mesh.ca.trustFile, 'utf8'), token: () => Promise.resolve(token) },
      { clock: systemClock, log: silentLog },
    );
    const { key, chain, trust } = holder.current();
    holder.close();
    return { certificatePem: chain, keyPem: key, trustPem: trust };
  };
}

/** Starts the sample applications, the Git server with the policies in it, and the mesh around them. What was started is handed to `cleanup` as it starts. */
export async function setUp(
  options: { readonly port?: number | undefined; readonly pulumi: boolean; readonly svidLifetimeMs?: number },
  scratch: string,
  write: (line: string) => void,
  cleanup: Cleanup,
): Promise<SetUp> {
  const layout = await layOut(options.port);
  const { gitServer, policies, firstCommit } = await startRepository(scratch, write, cleanup);
  await startApplications(layout, scratch, write, cleanup);
  const mesh = await launchMesh(
    {
      dir: join(scratch, 'mesh'),
      trustDomain,
      environment,
      inventory: layout.inventory,
      repositoryUrl: gitServer.url,
      accounts,
      certificates: { 'platform/edge-tls': { hosts: [host], workloads: ['platform/edge'] } },
      pulumi: options.pulumi,
      ...(options.svidLifetimeMs === undefined ? {} : { svidLifetimeMs: options.svidLifetimeMs }),
    },
    { program: productProgram, say: write, onBegin: (stop) => cleanup.add(stop) },
  );
  gitServer.setHook({ url: mesh.hookUrl, secret: mesh.hookSecret });
  const edgeTrust = (): Promise<string> => readFile(mesh.ca.trustFile, 'utf8');
  const stage = createStage({ root, mesh, layout, policies, host, edgeTrust, identity: visitor(mesh) });
  return { mesh, stage, firstCommit, gitUrl: gitServer.url };
}

async function listening(tail: () => string): Promise<void> {
  for (let turn = 0; turn < 2_400; turn += 1) {
    if (tail().includes('"listening"')) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`the sample applications did not come up: ${lastWords(tail())}`);
}
