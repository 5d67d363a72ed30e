/** What the loop needs of the world. `wiring/` gives the real ones, the tests seeded ones that fail and die on command. */
import type { Bundle } from '../../core/bundle/bundle';
import type { MeshObject, Release, SignedObject, SignedRelease, SourceMap } from '../../core/bundle/objects';
import type { RolloutStatus } from '../../core/bundle/status';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import type { MeshIr } from '../../core/ir/ir';
import type { Digest } from '../../core/lib/digest';

/**
 * What a leg answers. `refused`: this commit is bad, now and whenever it is tried. `unavailable`: something outside it is; try again later. A throw
 * is taken for `unavailable`.
 */
export type LegResult<T> =
  | { readonly kind: 'ok'; readonly value: T; readonly diagnostics: readonly Diagnostic[] }
  | { readonly kind: 'refused'; readonly diagnostics: readonly Diagnostic[] }
  | { readonly kind: 'unavailable'; readonly diagnostics: readonly Diagnostic[] };

export const ok = <T>(value: T, diagnostics: readonly Diagnostic[] = []): LegResult<T> => ({ kind: 'ok', value, diagnostics });
export const refused = (...diagnostics: readonly Diagnostic[]): LegResult<never> => ({ kind: 'refused', diagnostics });
export const unavailable = (...diagnostics: readonly Diagnostic[]): LegResult<never> => ({ kind: 'unavailable', diagnostics });

/** One environment of one commit, compiled. */
export interface CompiledCommit {
  readonly commit: string;
  readonly ir: MeshIr;
  readonly objects: readonly MeshObject[];
  readonly sources: SourceMap;
}
/** What is in force now, and what the next release follows. */
export interface Previous {
  readonly release: Release;
  readonly digest: Digest;
  /** Which of its two sets proxies have. */
  readonly inForce: 'stable' | 'candidate';
  /** Its candidate was given up. */
  readonly aborted: boolean;
  /** Of the set in force; null where the history on disk does not have it. */
  readonly ir: MeshIr | null;
}
export interface Plan {
  readonly release: Release;
  /** One line: who gains or loses what. */
  readonly summary: string;
  /** The whole semantic diff, as text. */
  readonly diff: string;
}
/** What the next legs need to know of the plan as well. */
export interface PreviewRequest {
  readonly bundle: Bundle;
  /** The semantic diff, printed above Pulumi's tree. */
  readonly diff: string;
}

export interface LoopDeps {
  /** Newest commit of the branch, fetched and verified; `commit` is known even where it is refused. */
  fetch(): Promise<LegResult<string> & { readonly commit?: string }>;
  compile(commit: string): Promise<LegResult<CompiledCommit>>;
  /** Semantic diff, order across proxies and the unsigned release. */
  plan(compiled: CompiledCommit, previous: Previous | null): Promise<LegResult<Plan>>;
  /** The target's own judgement on what it will be sent. */
  validate(compiled: CompiledCommit, previous: Previous | null): Promise<LegResult<null>>;
  sign(release: Release, objects: readonly MeshObject[], sources: SourceMap): Promise<LegResult<Bundle>>;
  preview(request: PreviewRequest): Promise<LegResult<{ readonly summary: string }>>;
  /** Puts the bundle out. Answers when the control plane has the release. */
  update(bundle: Bundle): Promise<LegResult<null>>;
  /** Follows the roll-out until it is over. Throws the signal's reason when stopped. */
  converge(generation: number, signal: AbortSignal): Promise<LegResult<RolloutStatus>>;
  /** Waits until nothing of the update runs any more (Pulumi writes its state down after convergence). Its trouble is a warning: the release is out. */
  finishUpdate(): Promise<readonly Diagnostic[]>;
  /** What the control plane holds; null for nothing yet. The truth about what is live. */
  liveRelease(): Promise<LegResult<SignedRelease | null>>;
  rolloutStatus(): Promise<LegResult<RolloutStatus>>;
  /** Gives a control plane that has lost its state the objects it lacks, then the release, past every deployer's own bookkeeping. */
  restore(objects: readonly SignedObject[], release: SignedRelease): Promise<LegResult<null>>;
  abort(reason: string): Promise<LegResult<null>>;
  promote(): Promise<LegResult<null>>;
  /** Frees what a dead predecessor held (Pulumi's lock) and reads back the state of the world. Called once before anything else. */
  recover(): Promise<LegResult<null>>;
}
