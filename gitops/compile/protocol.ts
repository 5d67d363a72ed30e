/** What the loop and its compiler process say to each other, over Node's IPC with structured clones. */
import type { MeshObject, SourceMap } from '../../core/bundle/objects';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import type { MeshIr } from '../../core/ir/ir';
import type { CompiledCommit, Plan, Previous } from '../reconcile/deps';

export interface CompileRequest {
  readonly kind: 'compile';
  readonly gitdir: string;
  readonly commit: string;
  /** The policy folder inside the repository. */
  readonly dir: string;
  readonly environment: string;
  /** `2026-11-22` */
  readonly asOf: string;
  readonly cacheDir: string | null;
}
export interface PlanRequest {
  readonly kind: 'plan';
  readonly compiled: CompiledCommit;
  readonly previous: Previous | null;
  readonly environment: string;
  readonly repository: string;
  readonly asOf: string;
  readonly notAfter: string;
}
/** Loads the stages, so that the first commit does not wait for them. */
export interface WarmRequest {
  readonly kind: 'warm';
}
export type CompilerRequest = CompileRequest | PlanRequest | WarmRequest;

export interface CompileAnswer {
  readonly diagnostics: readonly Diagnostic[];
  readonly compiled: { readonly ir: MeshIr; readonly objects: readonly MeshObject[]; readonly sources: SourceMap } | null;
  /** Milliseconds by stage. */
  readonly timings: { readonly [stage: string]: number };
}
export interface PlanAnswer {
  readonly diagnostics: readonly Diagnostic[];
  readonly plan: Plan | null;
}
export type AnswerTo<R extends CompilerRequest> = R extends CompileRequest ? CompileAnswer : R extends PlanRequest ? PlanAnswer : null;
