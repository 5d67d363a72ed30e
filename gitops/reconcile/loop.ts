/**
 * One turn of the loop: the newest commit of the branch, from fetch to convergence, one release at a time. Everything that matters is in the journal
 * before it happens; what is live is asked of the control plane, never remembered. `driver.ts` decides when a turn is due.
 */
import { objectName, type MeshObject, type ReleaseSet } from '../../core/bundle/objects';
import type { RolloutStatus } from '../../core/bundle/status';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { gitops } from '../../core/diagnostics/gitops';
import { digestOfJson } from '../../core/lib/digest';
import { reasonOf } from '../../core/lib/reason';
import type { MeshIr } from '../../core/ir/ir';
import type { History } from '../rollout/history';
import { inForce, sameSet } from '../rollout/in-force';
import { ok, unavailable, type CompiledCommit, type LegResult, type LoopDeps, type Plan, type Previous } from './deps';
import type { Journal } from './journal';
import type { AttemptOutcome, Leg, LoopState, Trigger } from './state';
import { superseding } from './supersede';

export interface LoopOptions {
  /** Milliseconds, never backwards. */
  readonly monotonic: () => number;
  /** How long a roll-out may take before it is aborted. */
  readonly convergeTimeoutMs: number;
  /** How long no further proxy may become active before a newer commit takes the roll-out's place. */
  readonly supersedeAfterMs: number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly onLeg?: (leg: Leg, ms: number) => void;
  readonly onOutcome?: (outcome: AttemptOutcome) => void;
}
/** `idle`: nothing was to do. `retry`: something outside the commit is in the way; come back later. */
export type TurnResult =
  | { readonly kind: 'idle' }
  | { readonly kind: 'ended'; readonly outcome: AttemptOutcome; readonly diagnostics: readonly Diagnostic[] }
  | { readonly kind: 'retry'; readonly diagnostics: readonly Diagnostic[] };
interface Ending {
  readonly outcome: AttemptOutcome;
  readonly diagnostics: readonly Diagnostic[];
}
export interface RollbackRequest {
  /** Generation to go back to; absent: the one that was live before this. */
  readonly to?: number;
  readonly reason: string;
}

export class Loop {
  private hint = false;
  /** Newer commits that were looked at while a roll-out was stuck, and would not go out. */
  private readonly foundBad = new Set<string>();
  private readonly stopping = new AbortController();

  constructor(
    private readonly deps: LoopDeps,
    private readonly journal: Journal,
    private readonly history: History,
    private readonly options: LoopOptions,
  ) {}

  get state(): LoopState {
    return this.journal.state;
  }

  /** Tells a running turn that the branch may have moved: it looks before it releases anything. */
  branchMayHaveMoved(): void {
    this.hint = true;
  }

  /** Ends what only waits, and writes nothing more: the next start takes up what was in flight. */
  async stop(): Promise<void> {
    const closed = this.journal.close();
    this.stopping.abort(new Error('the loop stops'));
    await closed;
  }

  /** Once, before the first turn: ends what was in flight when the loop died, by what the control plane says. */
  async recover(): Promise<TurnResult> {
    const freed = await guard('recover', () => this.deps.recover());
    if (freed.kind !== 'ok') return { kind: 'retry', diagnostics: freed.diagnostics };
    const attempt = this.state.inFlight;
    if (!attempt) return { kind: 'idle' };
    if (!attempt.intent) return this.end({ outcome: 'interrupted', diagnostics: [] });
    const live = await guard('recover', () => this.deps.liveRelease());
    if (live.kind !== 'ok') return { kind: 'retry', diagnostics: live.diagnostics };
    if (live.value?.digest === attempt.intent.release) return this.end(await this.follow());
    const foreign =
      live.value && live.value.release.generation >= attempt.intent.generation
        ? [gitops.releaseForeign({ ours: attempt.intent.generation, live: live.value.release.generation })]
        : [];
    return this.end({ outcome: 'interrupted', diagnostics: foreign });
  }

  /** Brings the newest commit of the branch into force, unless it is there already or known to be bad. */
  async turn(trigger: Trigger): Promise<TurnResult> {
    this.hint = false;
    const start = this.options.monotonic();
    const fetched = await guard<string, { commit?: string }>('fetch', () => this.deps.fetch());
    const commit = fetched.kind === 'ok' ? fetched.value : fetched.commit;
    if (fetched.kind === 'unavailable' || commit === undefined) return { kind: 'retry', diagnostics: fetched.diagnostics };
    const ms = this.options.monotonic() - start;
    if (commit !== this.state.head) await this.journal.write({ kind: 'head', commit });
    if (this.state.quarantined[commit] || this.state.settled === commit) {
      const kept = await this.keepState();
      return kept.kind === 'ok' ? { kind: 'idle' } : { kind: 'retry', diagnostics: kept.diagnostics };
    }

    await this.journal.write({
      kind: 'begin',
      attempt: this.state.nextAttempt,
      commit,
      trigger: this.state.pardoned === commit ? 'retry' : trigger,
    });
    await this.legDone('fetch', ms);
    if (fetched.kind === 'refused') return this.end({ outcome: 'refused', diagnostics: fetched.diagnostics });
    await this.note(null, fetched.diagnostics);
    return this.end(await this.travel(commit));
  }

  /** A new, higher release that names the objects of an old one. The commit that was live is held until a new one is pushed. */
  async rollback(request: RollbackRequest): Promise<TurnResult> {
    const settled = await this.settledWorld(() => Promise.resolve(null));
    if (settled.kind !== 'ok') return { kind: 'retry', diagnostics: settled.diagnostics };
    const previous = settled.value;
    const converged = this.history.list().filter((entry) => entry.outcome === 'live');
    const target = converged.find((entry) =>
      request.to === undefined
        ? previous !== null && entry.generation < previous.release.generation && entry.commit !== previous.release.commit
        : entry.generation === request.to,
    );
    const bundle = target && (await this.history.bundle(target.generation));
    const ir = target && (await this.history.ir(target.generation, target.digest));
    if (!previous || !target || !bundle || !ir) {
      const wanted = request.to === undefined ? 'no earlier release is kept' : `release ${request.to} is not kept whole`;
      return {
        kind: 'ended',
        outcome: 'refused',
        diagnostics: [gitops.noRollback({ wanted, known: converged.map((entry) => entry.generation).join(', ') || 'none' })],
      };
    }
    const held = new Set(
      [previous.release.commit, ...(this.state.head ? [this.state.head] : [])].filter((commit) => commit !== target.commit),
    );
    const id = this.state.nextAttempt;
    await this.journal.write({ kind: 'begin', attempt: id, commit: target.commit, trigger: 'rollback' });
    for (const commit of held) await this.journal.write({ kind: 'hold', commit, attempt: id });
    await this.note(`rolls back to release ${target.generation}`, [
      gitops.rolledBack({ commit: previous.release.commit, generation: target.generation, reason: request.reason }),
    ]);
    const compiled = { commit: target.commit, ir, objects: bundle.objects.map((signed) => signed.object), sources: bundle.sources };
    if (inForceAlready(previous, setOf(compiled.objects))) return this.end({ outcome: 'unchanged', diagnostics: [] });
    const planned = await this.leg('diff', () => this.deps.plan(compiled, previous));
    if (planned.kind !== 'ok') return this.end(endingOf(planned));
    return this.end(await this.release(planned.value, compiled, () => Promise.resolve(false)));
  }

  /** Lets a commit that was held or refused be tried again. */
  async pardon(commit: string): Promise<void> {
    await this.journal.write({ kind: 'pardon', commit });
  }

  private async travel(commit: string): Promise<Ending> {
    const superseded = async (): Promise<boolean> => {
      if (!this.hint) return false;
      this.hint = false;
      const newest = await guard<string, { commit?: string }>('fetch', () => this.deps.fetch());
      const now = newest.kind === 'ok' ? newest.value : newest.commit;
      return now !== undefined && now !== commit;
    };
    const compiling = await this.leg('compile', () => this.deps.compile(commit));
    if (compiling.kind !== 'ok') return endingOf(compiling);
    const compiled = compiling.value;
    if (await superseded()) return { outcome: 'superseded', diagnostics: [] };

    const settled = await this.settledWorld(async () => ((await this.wouldGo(compiled)) === 'yes' ? commit : null));
    if (settled.kind !== 'ok') return endingOf(settled);
    const previous = settled.value;
    const wanted = setOf(compiled.objects);
    if (previous && inForceAlready(previous, wanted)) {
      await this.note('changes no object', []);
      return { outcome: 'unchanged', diagnostics: [] };
    }
    // It was released before, and given up while nobody was there to note it down.
    if (
      previous &&
      this.state.pardoned !== commit &&
      previous.aborted &&
      previous.release.commit === commit &&
      sameSet(wanted, previous.release.candidate)
    ) {
      return {
        outcome: 'aborted',
        diagnostics: [gitops.rolloutAborted({ generation: previous.release.generation, reason: 'it was given up before' })],
      };
    }
    const planned = await this.leg('diff', () => this.deps.plan(compiled, previous));
    if (planned.kind !== 'ok') return endingOf(planned);
    await this.note(planned.value.summary, []);
    const validated = await this.leg('validate', () => this.deps.validate(compiled, previous));
    if (validated.kind !== 'ok') return endingOf(validated);
    if (await superseded()) return { outcome: 'superseded', diagnostics: [] };
    return this.release(planned.value, compiled, superseded);
  }

  /** Sign, preview, update, converge: the same for a commit and for a rollback. */
  private async release({ release, diff }: Plan, compiled: CompiledCommit, superseded: () => Promise<boolean>): Promise<Ending> {
    const signed = await this.leg('sign', () => this.deps.sign(release, compiled.objects, compiled.sources));
    if (signed.kind !== 'ok') return endingOf(signed);
    const bundle = signed.value;
    const previewed = await this.leg('preview', () => this.deps.preview({ bundle, diff }));
    if (previewed.kind !== 'ok') return endingOf(previewed);
    if (await superseded()) return { outcome: 'superseded', diagnostics: [] };

    await this.history.record(bundle, compiled.ir);
    const attempt = this.state.inFlight?.id ?? 0;
    await this.journal.write({ kind: 'intent', attempt, generation: release.generation, release: bundle.release.digest });
    const updated = await this.leg('update', () => this.deps.update(bundle));
    if (updated.kind !== 'ok') {
      // Whatever went wrong on the way, only the control plane knows whether the release arrived.
      const live = await guard('update', () => this.deps.liveRelease());
      if (live.kind !== 'ok' || live.value?.digest !== bundle.release.digest) return endingOf(updated);
      await this.note(
        null,
        updated.diagnostics.map((diagnostic) => ({ ...diagnostic, severity: 'warning' as const })),
      );
    }
    return this.follow();
  }

  /** Follows the attempt's release to its end. */
  private async follow(): Promise<Ending> {
    const generation = this.state.inFlight?.intent?.generation ?? 0;
    const followed = await this.leg('converge', () => this.converge(generation, () => this.newerCommit()));
    const start = this.options.monotonic();
    const left = await this.deps.finishUpdate().catch((error: unknown) => [gitops.legFailed({ leg: 'update', reason: reasonOf(error) })]);
    await this.legDone('update', this.options.monotonic() - start);
    if (followed.kind !== 'ok') return endingOf(followed);
    // The release is out whatever became of the rest: what the control plane says counts.
    await this.note(
      null,
      left.map((one) => ({ ...one, severity: 'warning' as const })),
    );
    return this.endingOfRollout(generation, followed.value);
  }

  private async endingOfRollout(generation: number, status: RolloutStatus): Promise<Ending> {
    if (status.state === 'aborted') {
      await this.history.settle(generation, 'aborted');
      // Nothing is known against it but that proxies kept it waiting: it may come back.
      if (this.state.inFlight?.supersededBy) return { outcome: 'superseded', diagnostics: [] };
      return { outcome: 'aborted', diagnostics: [gitops.rolloutAborted({ generation, reason: status.message })] };
    }
    await this.history.settle(generation, 'live');
    return { outcome: 'live', diagnostics: status.state === 'unproven' ? [gitops.rolloutUnproven({ generation })] : [] };
  }

  /** Waits for the end of a roll-out; one that takes too long is aborted, and so is one that is stuck once `newer` names a commit for its place. */
  private async converge(generation: number, newer: () => Promise<string | null>): Promise<LegResult<RolloutStatus>> {
    const limit = this.options.convergeTimeoutMs;
    const first = await this.within(limit, (signal) => this.untilOver(generation, newer, signal));
    if (first !== 'late') return first;
    const status = await this.deps.rolloutStatus();
    const waiting = status.kind === 'ok' ? status.value.message : 'the control plane does not answer';
    const late = gitops.rolloutTimedOut({ generation, afterMs: limit, waiting });
    const aborted = await this.deps.abort(`it did not converge within ${limit} ms: ${waiting}`);
    if (aborted.kind !== 'ok') return { kind: 'unavailable', diagnostics: [late, ...aborted.diagnostics] };
    const second = await this.within(limit, (signal) => this.deps.converge(generation, signal));
    return second === 'late'
      ? unavailable(late)
      : second.kind === 'ok'
        ? { ...second, diagnostics: [late, ...second.diagnostics] }
        : second;
  }

  private async untilOver(generation: number, newer: () => Promise<string | null>, signal: AbortSignal): Promise<LegResult<RolloutStatus>> {
    const over = new AbortController();
    const watched = AbortSignal.any([signal, over.signal]);
    const watching = superseding(
      {
        deps: this.deps,
        ...this.options,
        newer: async () => this.state.inFlight?.supersededBy ?? newer(),
        decided: async (by, waiting) => {
          const { inFlight } = this.state;
          if (inFlight?.intent?.generation !== generation || inFlight.supersededBy) return;
          const diagnostic = gitops.rolloutSuperseded({ generation, by, afterMs: this.options.supersedeAfterMs, waiting });
          await this.journal.write({ kind: 'supersede', attempt: inFlight.id, by, diagnostic });
        },
      },
      watched,
    );
    try {
      // What watches ends the roll-out by aborting it, or by a throw; its own end is none.
      return await Promise.race([this.deps.converge(generation, watched), watching.then(() => new Promise<never>(() => undefined))]);
    } finally {
      over.abort();
      await watching.catch(() => undefined);
    }
  }

  /** The branch's newest commit, if it is another one than that in flight and would go out. */
  private async newerCommit(): Promise<string | null> {
    const fetched = await guard('fetch', () => this.deps.fetch());
    if (fetched.kind !== 'ok') return null;
    const commit = fetched.value;
    if (commit === this.state.inFlight?.commit || this.state.quarantined[commit] || this.foundBad.has(commit)) return null;
    const compiling = await guard('compile', () => this.deps.compile(commit));
    const good = compiling.kind === 'ok' ? await this.wouldGo(compiling.value) : compiling.kind === 'refused' ? 'no' : 'unknown';
    // It is judged in a turn of its own, with words; until then it is not compiled at every look.
    if (good === 'no') this.foundBad.add(commit);
    return good === 'yes' ? commit : null;
  }

  /** Whether a commit could take the place of the release that rolls: everything is back at stable by then. */
  private async wouldGo(compiled: CompiledCommit): Promise<'yes' | 'no' | 'unknown'> {
    const live = await guard('diff', () => this.deps.liveRelease());
    if (live.kind !== 'ok' || !live.value) return 'unknown';
    const { release, digest } = live.value;
    const wanted = setOf(compiled.objects);
    if (sameSet(wanted, release.candidate)) return 'no';
    if (sameSet(wanted, release.stable)) return 'yes';
    const previous: Previous = { release, digest, inForce: 'stable', aborted: true, ir: await this.irBefore(release.generation) };
    const planned = await guard('diff', () => this.deps.plan(compiled, previous));
    const judged = planned.kind === 'ok' ? await guard('validate', () => this.deps.validate(compiled, previous)) : planned;
    return judged.kind === 'ok' ? 'yes' : judged.kind === 'refused' ? 'no' : 'unknown';
  }

  private async within<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T | 'late'> {
    const control = new AbortController();
    const timer = setTimeout(() => control.abort(), ms);
    try {
      return await work(AbortSignal.any([control.signal, this.stopping.signal]));
    } catch (error) {
      if (control.signal.aborted) return 'late';
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** What is in force, once nothing rolls any more. `newer` names the commit that may take the place of a roll-out that is stuck. */
  private async settledWorld(newer: () => Promise<string | null>): Promise<LegResult<Previous | null>> {
    const kept = await this.keepState();
    if (kept.kind !== 'ok') return kept;
    const live = await guard('diff', () => this.deps.liveRelease());
    if (live.kind !== 'ok') return live;
    if (!live.value) return ok(null);
    const { release, digest } = live.value;
    let status = await guard('diff', () => this.deps.rolloutStatus());
    if (status.kind !== 'ok') return status;
    if (status.value.state === 'rolling' || status.value.state === 'holding') {
      status = await guard('diff', () => this.converge(release.generation, newer));
      if (status.kind !== 'ok') return status;
    }
    await this.history.settle(release.generation, status.value.state === 'aborted' ? 'aborted' : 'live');
    const set = inForce(status.value);
    const ir = set === 'candidate' ? await this.history.ir(release.generation, digest) : await this.irBefore(release.generation);
    return ok({ release, digest, inForce: set, aborted: status.value.state === 'aborted', ir });
  }

  /**
   * A control plane that has lost its state serves on what proxies have and takes nothing that builds on it. It is given back what was live last: the
   * objects it lacks, and, where it knows of no release at all, a higher one that changes nothing.
   */
  private async keepState(): Promise<LegResult<null>> {
    const entries = this.history.list();
    const kept = entries.find((entry) => entry.outcome === 'live');
    const status = kept && (await guard('diff', () => this.deps.rolloutStatus()));
    // One that does not answer is no concern of a turn that has nothing to release.
    if (!kept || status?.kind !== 'ok' || status.value.state !== 'idle') return ok(null);
    const live = await guard('diff', () => this.deps.liveRelease());
    if (live.kind !== 'ok') return ok(null);
    const bundle = await this.history.bundle(kept.generation);
    const ir = await this.history.ir(kept.generation, kept.digest);
    if (!bundle || !ir) return ok(null);
    const { generation } = live.value?.release ?? {};
    if (live.value && generation !== undefined) {
      const newer = await this.history.bundle(generation);
      return sureOf(
        await guard('restore', () => this.deps.restore([...bundle.objects, ...(newer?.objects ?? [])], live.value ?? bundle.release)),
      );
    }
    const release = { ...bundle.release.release, generation: Math.max(...entries.map((entry) => entry.generation)) };
    const previous: Previous = { release, digest: digestOfJson(release), inForce: 'candidate', aborted: false, ir };
    const objects = bundle.objects.map((signed) => signed.object);
    const planned = await guard('restore', () => this.deps.plan({ commit: kept.commit, ir, objects, sources: bundle.sources }, previous));
    if (planned.kind !== 'ok') return sureOf(planned);
    const signed = await guard('restore', () => this.deps.sign(planned.value.release, objects, bundle.sources));
    if (signed.kind !== 'ok') return sureOf(signed);
    await this.history.record(signed.value, ir);
    const given = await guard('restore', () => this.deps.restore(signed.value.objects, signed.value.release));
    if (given.kind === 'ok') await this.history.settle(planned.value.release.generation, 'live');
    return sureOf(given);
  }

  /** What a given-up release stands on may itself have been given up: down to the last one that converged. */
  private async irBefore(generation: number): Promise<MeshIr | null> {
    const before = this.history.list().find((entry) => entry.generation < generation && entry.outcome === 'live');
    return before ? this.history.ir(before.generation, before.digest) : null;
  }

  private async leg<T>(leg: Leg, work: () => Promise<LegResult<T>>): Promise<LegResult<T>> {
    const start = this.options.monotonic();
    const result = await guard(leg, work);
    if (result.kind === 'ok') {
      await this.legDone(leg, this.options.monotonic() - start);
      await this.note(null, result.diagnostics);
    }
    return result;
  }

  private async legDone(leg: Leg, ms: number): Promise<void> {
    this.options.onLeg?.(leg, ms);
    await this.journal.write({ kind: 'leg', attempt: this.state.inFlight?.id ?? 0, leg, ms: Math.round(ms * 10) / 10 });
  }

  private async note(summary: string | null, diagnostics: readonly Diagnostic[]): Promise<void> {
    if (summary === null && diagnostics.length === 0) return;
    await this.journal.write({ kind: 'note', attempt: this.state.inFlight?.id ?? 0, summary, diagnostics });
  }

  private async end(ending: Ending): Promise<TurnResult> {
    const attempt = this.state.inFlight?.id ?? 0;
    await this.journal.write({ kind: 'end', attempt, outcome: ending.outcome, diagnostics: ending.diagnostics });
    this.options.onOutcome?.(ending.outcome);
    return ending.outcome === 'failed' ? { kind: 'retry', diagnostics: ending.diagnostics } : { kind: 'ended', ...ending };
  }
}

/** Nothing is to be done: proxies have it, or are on the way to it (a release that no proxy could prove yet). */
function inForceAlready({ release, inForce: set, aborted }: Previous, wanted: ReleaseSet): boolean {
  return sameSet(wanted, release[set]) || (!aborted && sameSet(wanted, release.candidate));
}

/** Name -> digest of what a release of these objects puts in force. */
function setOf(objects: readonly MeshObject[]): ReleaseSet {
  return Object.fromEntries(objects.map((object) => [objectName(object), digestOfJson(object)]));
}

function endingOf(result: { readonly kind: 'refused' | 'unavailable'; readonly diagnostics: readonly Diagnostic[] }): Ending {
  return { outcome: result.kind === 'refused' ? 'refused' : 'failed', diagnostics: result.diagnostics };
}

/** What stands in the way of giving back what was live is no verdict on the commit at hand. */
function sureOf<T>(result: LegResult<T>): LegResult<null> {
  return result.kind === 'ok' ? ok(null) : unavailable(...result.diagnostics);
}

/** A throw out of a leg is trouble outside the commit, never a verdict on it. */
async function guard<T, Extra extends object = object>(
  leg: string,
  work: () => Promise<LegResult<T> & Extra>,
): Promise<LegResult<T> & Partial<Extra>> {
  try {
    return await work();
  } catch (error) {
    return unavailable(gitops.legFailed({ leg, reason: reasonOf(error) })) as LegResult<T> & Partial<Extra>;
  }
}
