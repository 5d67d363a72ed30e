/**
 * A world for the loop that can be killed at any step: storage and every act on the outside count as steps, before and after their effect. After the
 * kill nothing of that life works any more; the next life finds the disk, the branch and the control plane as they were left.
 */
import type { MeshObject, Release, SignedRelease } from '../../core/bundle/objects';
import type { ProxyStatus, RolloutState, RolloutStatus } from '../../core/bundle/status';
import { gitops } from '../../core/diagnostics/gitops';
import type { MeshIr } from '../../core/ir/ir';
import { digestOfJson } from '../../core/lib/digest';
import { Loop } from '../../gitops/reconcile/loop';
import { openJournal, type Journal } from '../../gitops/reconcile/journal';
import { ok, refused, unavailable, type LoopDeps } from '../../gitops/reconcile/deps';
import type { Storage } from '../../gitops/reconcile/storage';
import { openHistory } from '../../gitops/rollout/history';
import { proxyStatus } from './admin-api';

const slowProxies = 40;

export class Killed extends Error {}

/** What a commit holds: `text` decides its objects, `fate` what becomes of it. */
export interface SimulatedCommit {
  readonly text: string;
  /** `stuck`: a proxy never becomes active on it. `slow`: one more proxy is active at each look, until all are. */
  readonly fate?: 'refused' | 'invalid' | 'nacked' | 'stuck' | 'slow';
}

export class SimulatedWorld {
  readonly disk = new Map<string, string>();
  readonly commits = new Map<string, SimulatedCommit>();
  /** Every commit the branch pointed to, in order. */
  readonly branch: string[] = [];
  live: SignedRelease | null = null;
  state: RolloutState = 'idle';
  /** Releases the control plane took, in order. */
  readonly taken: Release[] = [];
  /** How often each commit was compiled. */
  readonly compiled = new Map<string, number>();
  readonly violations: string[] = [];
  /** Legs that fail for outside reasons, once each. */
  readonly trouble: string[] = [];
  /** Called at each step of the current life, with its name. */
  onStep: (name: string) => void = () => undefined;
  /** Looks at the roll-out that is under way. */
  private looks = 0;
  private clock = 1_000;

  push(commit: string, content: SimulatedCommit): void {
    this.commits.set(commit, content);
    this.branch.push(commit);
  }

  /** Dependencies that never die. */
  dependencies(): LoopDeps {
    return this.deps((name) => this.onStep(name));
  }

  /** One life of the loop. `dieAt`: the step it does not survive, from 1; answers the loop and whether it is dead by now. */
  async life(dieAt = Infinity): Promise<{ readonly loop: Loop; readonly journal: Journal; readonly dead: () => boolean }> {
    let steps = 0;
    let dead = false;
    const step = (name: string): void => {
      if (dead) throw new Killed();
      this.onStep(name);
      steps += 1;
      if (steps >= dieAt) {
        dead = true;
        throw new Killed(name);
      }
    };
    const storage = this.storage(step);
    const journal = await openJournal(storage, { now: () => this.clock++, snapshotEvery: 7 });
    const history = await openHistory(storage, 4);
    const loop = new Loop(this.deps(step), journal, history, {
      monotonic: () => this.clock++,
      convergeTimeoutMs: 60_000,
      supersedeAfterMs: 1_000,
      sleep: async (ms, signal) => {
        this.clock += ms;
        await new Promise((resolve) => setImmediate(resolve));
        signal.throwIfAborted();
      },
    });
    return { loop, journal, dead: () => dead };
  }

  private storage(step: (name: string) => void): Storage {
    const { disk } = this;
    return {
      list: () => Promise.resolve([...disk.keys()].sort()),
      read: (name) => Promise.resolve(disk.get(name) ?? null),
      write: async (name, text) => {
        step(`write ${name}`);
        disk.set(name, text);
        step(`written ${name}`);
      },
      append: async (name, text) => {
        const before = disk.get(name) ?? '';
        // A kill in the middle of a write leaves a part of it.
        disk.set(name, before + text.slice(0, Math.floor(text.length / 2)));
        step(`append ${name}`);
        disk.set(name, before + text);
        step(`appended ${name}`);
      },
      rename: async (from, to) => {
        step(`rename ${from}`);
        disk.set(to, disk.get(from) ?? '');
        disk.delete(from);
      },
      remove: async (name) => {
        step(`remove ${name}`);
        disk.delete(name);
      },
      close: () => Promise.resolve(),
    };
  }

  private deps(step: (name: string) => void): LoopDeps {
    const troubled = (leg: string): boolean => {
      const at = this.trouble.indexOf(leg);
      if (at >= 0) this.trouble.splice(at, 1);
      return at >= 0;
    };
    const wrong = (leg: string): ReturnType<typeof unavailable> => unavailable(gitops.legFailed({ leg, reason: 'the wire is cut' }));
    return {
      fetch: async () => {
        step('fetch');
        const head = this.branch.at(-1);
        return troubled('fetch') || head === undefined ? wrong('fetch') : ok(head);
      },
      compile: async (commit) => {
        step('compile');
        this.compiled.set(commit, (this.compiled.get(commit) ?? 0) + 1);
        if (troubled('compile')) return wrong('compile');
        const content = this.content(commit);
        if (content.fate === 'refused') return refused(gitops.configInvalid({ field: commit, reason: 'is bad' }));
        return ok({ commit, ir: irOf(content.text), objects: [objectOf(content)], sources: {} });
      },
      plan: async (compiled, previous) => {
        step('plan');
        const [object] = compiled.objects;
        const release: Release = {
          apiVersion: 'meshwright.dev/v1alpha1',
          kind: 'Release',
          environment: 'test',
          generation: (previous?.release.generation ?? 0) + 1,
          parent: previous?.digest ?? null,
          commit: compiled.commit,
          repository: 'r',
          compiler: '0',
          asOf: '2026-11-22',
          notAfter: '2026-11-23T00:00:00Z',
          stable: previous ? previous.release[previous.inForce] : {},
          candidate: { 'AdmissionRules/n/p': digestOfJson(object) },
          steps: [],
          waves: [100],
          holdMs: 0,
        };
        return ok({ release, summary: 'differs', diff: '' });
      },
      validate: async (compiled) => {
        step('validate');
        return this.content(compiled.commit).fate === 'invalid'
          ? refused(gitops.configInvalid({ field: 'x', reason: 'is rejected' }))
          : ok(null);
      },
      sign: async (release, objects, sources) => {
        step('sign');
        if (troubled('sign')) return wrong('sign');
        return ok({
          release: { release, digest: digestOfJson(release), jws: 'jws' },
          objects: objects.map((object) => ({ object, digest: digestOfJson(object), jws: 'jws' })),
          sources,
        });
      },
      preview: async () => {
        step('preview');
        return ok({ summary: '' });
      },
      update: async ({ release }) => {
        step('update');
        if (troubled('update')) return wrong('update');
        const answer = this.take(release);
        step('updated');
        if (troubled('update answer')) return wrong('update');
        return answer ? ok(null) : wrong('update');
      },
      converge: async (_generation, signal) => {
        step('converge');
        if (troubled('converge')) return wrong('converge');
        for (this.finish(); this.state === 'rolling'; this.finish()) {
          await new Promise((resolve) => setImmediate(resolve));
          signal.throwIfAborted();
          step('waiting');
        }
        step('converged');
        return ok(this.status());
      },
      finishUpdate: async () => {
        step('finish update');
        return [];
      },
      liveRelease: async () => {
        step('live release');
        return ok(this.live);
      },
      rolloutStatus: async () => {
        step('status');
        this.looks += 1;
        return ok(this.status());
      },
      restore: async (_objects, release) => {
        step('restore');
        return this.take(release) ? ok(null) : wrong('restore');
      },
      abort: async () => {
        step('abort');
        if (this.state === 'rolling') this.state = 'aborted';
        return ok(null);
      },
      promote: async () => ok(null),
      recover: async () => {
        step('recover');
        return ok(null);
      },
    };
  }

  /** The control plane's own rule: the next generation, by the right parent, while nothing rolls. */
  private take(signed: SignedRelease): boolean {
    const { release } = signed;
    if (this.state === 'rolling') this.violations.push(`release ${release.generation} while ${this.live?.release.generation} rolls`);
    // Where nothing is live the signer's floor decides: no generation is signed twice.
    const [last, parent] = this.live
      ? [this.live.release.generation, this.live.digest]
      : [this.taken.at(-1)?.generation ?? 0, release.parent];
    if (release.generation !== last + 1 || release.parent !== parent) return false;
    this.taken.push(release);
    this.live = signed;
    this.state = 'rolling';
    this.looks = 0;
    return true;
  }

  private finish(): void {
    if (this.state !== 'rolling' || !this.live) return;
    const { fate } = this.content(this.live.release.commit);
    if (fate === 'stuck' || (fate === 'slow' && this.looks < slowProxies)) return;
    this.state = fate === 'nacked' ? 'aborted' : 'converged';
  }

  private content(commit: string): SimulatedCommit {
    const content = this.commits.get(commit);
    if (!content) throw new Error(`no commit ${commit}`);
    return content;
  }

  status(): RolloutStatus {
    return {
      environment: 'test',
      generation: this.live?.release.generation ?? 0,
      release: this.live?.digest ?? null,
      commit: this.live?.release.commit ?? null,
      state: this.state,
      step: null,
      steps: 0,
      wave: null,
      message: this.state,
      proxies: this.proxies(),
      updatedAt: 0,
      startedAt: null,
      convergedAt: null,
    };
  }

  private proxies(): readonly ProxyStatus[] {
    const fate = this.live && this.commits.get(this.live.release.commit)?.fate;
    if (this.state !== 'rolling' || (fate !== 'slow' && fate !== 'stuck')) return [];
    const active = fate === 'slow' ? this.looks : 1;
    return Array.from({ length: slowProxies }, (_, index) => proxyStatus(`p${index}`, 'candidate', index < active ? 'active' : 'sent'));
  }

  /** The commit whose objects are in force. */
  inForce(): string | undefined {
    if (!this.live) return undefined;
    const set = this.state === 'aborted' ? this.live.release.stable : this.live.release.candidate;
    return [...this.commits.values()].find((content) => digestOfJson(objectOf(content)) === set['AdmissionRules/n/p'])?.text;
  }
}

// A bad commit's objects are its own: what comes back after an abort is told from it.
const objectOf = (content: SimulatedCommit): MeshObject => ({
  apiVersion: 'meshwright.dev/v1alpha1',
  kind: 'AdmissionRules',
  metadata: { namespace: 'n', name: 'p' },
  spec: { text: content.text },
});
const irOf = (text: string): MeshIr => ({
  version: 'meshwright.ir/1',
  environment: 'test',
  trustDomain: text,
  runs: { envoy: '1.40' },
  teams: [],
  namespaces: [],
  workloads: [],
  services: [],
  gateways: [],
  access: [],
  routes: [],
  hostConnections: [],
  connectionRoutes: [],
  issuers: [],
  hostRoutes: [],
  needs: [],
  guarantees: [],
  patches: [],
  deploys: [],
  products: [],
  rollout: { waves: [100], holdMs: 0 },
});
