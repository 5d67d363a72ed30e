/** What the steps of the story share: the mesh, the policy repository, and ways to look at both. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import type { RolloutStatus } from '../../core/bundle/status';
import type { RunningMesh } from '../../cli/up/launch';
import type { Address, Instance } from '../../runtime-proxy/inventory';
import { once, type Identity, type Reply } from './client';
import type { Layout } from './layout';
import type { PolicyRepository } from './policy-repository';

/** As the loop's status has it; decoded loosely on purpose: the story reads, it does not depend. */
export interface AttemptView {
  readonly commit: string;
  readonly phase: string;
  readonly outcome: string | null;
  readonly legs: Readonly<Record<string, number>>;
  readonly diagnostics: readonly Diagnostic[];
  readonly summary: string | null;
}
/** Of a running mesh what the story looks at and acts on. */
export type StageMesh = Pick<RunningMesh, 'dir' | 'statusUrl' | 'rollout' | 'loop' | 'restartLoop' | 'supervisor'>;
export interface Stage {
  readonly root: string;
  readonly mesh: StageMesh;
  readonly layout: Layout;
  readonly policies: PolicyRepository;
  readonly host: string;
  /** The product page by the edge, as somebody outside asks for it. */
  page(): Promise<Reply>;
  /** A caller's own Envoy: what its application would call. */
  outbound(instance: string): Address;
  inbound(instance: string): Address;
  /** An SVID of a workload, as a process beside it would get one. */
  identity(workload: string): Promise<Identity>;
  /** Waits until the loop has finished with a commit. */
  finished(commit: string): Promise<AttemptView>;
  /** Pushes, and waits until the loop has finished with the commit. */
  pushed(message: string, edits: Parameters<PolicyRepository['push']>[1]): Promise<AttemptView>;
  reverted(message: string): Promise<AttemptView>;
  /** xDS responses by instance. */
  responses(): Promise<ReadonlyMap<string, number>>;
  rollout(): Promise<RolloutStatus>;
  /** The command line of the product, as a user calls it. */
  meshwright(...args: string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }>;
  /** What the proxy beside an instance logged, newest last. */
  accessLog(instance: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

const commitWithinMs = 180_000;

export function createStage(parts: {
  readonly root: string;
  readonly mesh: StageMesh;
  readonly layout: Layout;
  readonly policies: PolicyRepository;
  readonly host: string;
  /** What the story calls an instance of the mesh; default its own name. */
  readonly storyName?: (instance: string) => string;
  readonly edgeTrust: () => Promise<string>;
  readonly identity: (workload: string) => Promise<Identity>;
}): Stage {
  const { root, mesh, layout, policies, host } = parts;
  const instance = (id: string): Instance => {
    const found = layout.inventory.instances.find((one) => one.id === id);
    if (!found) throw new Error(`the layout has no instance \`${id}\``);
    return found;
  };
  const needed = (address: Address | undefined, what: string): Address => {
    if (!address) throw new Error(`there is no ${what}`);
    return address;
  };
  const rollout = async (): Promise<RolloutStatus> => {
    const status = await mesh.rollout();
    const { storyName = (name) => name } = parts;
    return { ...status, proxies: status.proxies.map((proxy) => ({ ...proxy, instance: storyName(proxy.instance) })) };
  };
  const finished = async (commit: string): Promise<AttemptView> => {
    const deadline = process.uptime() + commitWithinMs / 1000;
    let last: AttemptView | undefined;
    while (process.uptime() < deadline) {
      const status = (await mesh.loop().catch(() => null)) as { attempts?: readonly AttemptView[] } | null;
      last = status?.attempts?.find(
        (attempt) => attempt.commit === commit && attempt.outcome !== 'failed' && attempt.outcome !== 'interrupted',
      );
      if (last?.outcome) return last;
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    throw new Error(`the loop has not finished with ${commit.slice(0, 12)}${last ? `: it is at ${last.phase}` : ''}`);
  };
  return {
    root,
    mesh,
    layout,
    policies,
    host,
    page: async () => once(layout.edge, host, '/productpage', { ca: await parts.edgeTrust(), serverName: host }),
    outbound: (id) => needed(instance(id).outbound, `outbound listener at ${id}`),
    inbound: (id) => needed(instance(id).inbound['web'], `inbound listener at ${id}`),
    identity: parts.identity,
    finished,
    pushed: async (message, edits) => finished(await policies.push(message, edits)),
    reverted: async (message) => finished(await policies.revert(message)),
    responses: async () => new Map((await rollout()).proxies.map((proxy) => [proxy.instance, proxy.responses])),
    rollout,
    meshwright: (...args) =>
      new Promise((resolve) => {
        execFile(
          process.execPath,
          [join(root, 'bin', 'meshwright.js'), ...args],
          { timeout: 180_000, maxBuffer: 16 << 20 },
          (error, out, err) => {
            const code = error && typeof error.code === 'number' ? error.code : error ? 2 : 0;
            resolve({ code, out, err });
          },
        );
      }),
    accessLog: async (id) => {
      const text = await readFile(join(mesh.dir, 'logs', `agent-${id}.log`), 'utf8');
      return text.split('\n').flatMap((line) => {
        if (!line.startsWith('{') || !line.includes('"rule"')) return [];
        try {
          return [JSON.parse(line) as Record<string, unknown>];
        } catch {
          return []; // a line cut in two by the reader, not by the writer
        }
      });
    },
  };
}

/** How often each version of reviews answers the page. */
export async function versionsSeen(stage: Stage, times: number): Promise<Readonly<Record<string, number>>> {
  const seen: Record<string, number> = {};
  for (let turn = 0; turn < times; turn += 1) {
    const reply = await stage.page();
    const body = reply.status === 200 ? (JSON.parse(reply.body) as { reviews?: { body?: { version?: string } } }) : null;
    const version = body?.reviews?.body?.version ?? `status ${reply.status}`;
    seen[version] = (seen[version] ?? 0) + 1;
  }
  return seen;
}

/** The first error of an attempt as one line: code, place, message. */
export function firstError(attempt: AttemptView): { readonly code: string; readonly place: string; readonly message: string } {
  const found = attempt.diagnostics.find((one) => one.severity === 'error');
  return {
    code: found?.code ?? 'none',
    place: found?.span ? `${found.span.file}:${found.span.line}:${found.span.column}` : '',
    message: found?.message ?? '',
  };
}
