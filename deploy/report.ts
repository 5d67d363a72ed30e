/** What is told of a preview, an update and a refresh: from the engine's events to plain data. */
import type { EngineEvent } from '@pulumi/pulumi/automation';
import { deploy } from '../core/diagnostics/deploy';
import type { Diagnostic, DiagnosticCode } from '../core/diagnostics/diagnostic';

export type Operation = 'create' | 'update' | 'delete' | 'replace' | 'same' | 'read' | 'refresh' | 'other';
export type DeployEvent =
  /** Something happens, or in a preview would happen, to a resource. `name`: `ServiceConfig/bookinfo/reviews.web.3f2a90b1c4de`, or the environment for a Release. */
  | { readonly kind: 'step'; readonly operation: Operation; readonly type: string; readonly name: string; readonly done: boolean }
  /** A line of the roll-out: a wave, a proxy. `passing`: the next one replaces it. */
  | { readonly kind: 'progress'; readonly message: string; readonly passing: boolean }
  | { readonly kind: 'diagnostic'; readonly diagnostic: Diagnostic };

export interface Step {
  readonly operation: Operation;
  readonly type: string;
  readonly name: string;
}
export interface DeployReport {
  /** It ended well; warnings may be there. */
  readonly ok: boolean;
  /** Nothing is, or would be, created, updated or deleted. */
  readonly empty: boolean;
  /** What is not `same`, in the engine's order. */
  readonly steps: readonly Step[];
  readonly changes: { readonly [operation in Operation]?: number };
  readonly diagnostics: readonly Diagnostic[];
  /** The semantic diff as given, then Pulumi's own tree. */
  readonly text: string;
  readonly durationMs: number;
}

const ours = /^(meshwright:index:(MeshObject|Release)|kubernetes:meshwright\.dev\/\w+:\w+)$/;

/** Gathers events into a report, and tells each as it comes. */
export class Reporter {
  private readonly steps: Step[] = [];
  private readonly changes: { [operation in Operation]?: number } = {};
  private readonly diagnostics: Diagnostic[] = [];
  private readonly output: string[] = [];
  private concluded = false;
  private known: (message: string) => Diagnostic | null = () => null;

  constructor(
    private readonly tell: (event: DeployEvent) => void,
    private readonly print: (text: string) => void,
    private readonly counting: 'planned' | 'found' = 'planned',
  ) {}

  take(event: EngineEvent): void {
    const step = event.resourcePreEvent?.metadata ?? event.resOutputsEvent?.metadata;
    if (step && ours.test(step.type)) {
      const operation = operationOf(step.op);
      const name = step.urn.split('::').at(-1) ?? step.urn;
      const done = event.resOutputsEvent !== undefined;
      this.tell({ kind: 'step', operation, type: step.type, name, done });
      // The engine tells a plan before it acts, and what a refresh found only afterwards.
      if (done === (this.counting === 'found')) this.count({ operation, type: step.type, name });
    }
    const said = event.diagnosticEvent;
    if (said) this.takeDiagnostic(said.severity, plain(said.message), said.ephemeral === true);
  }

  private count(step: Step): void {
    this.changes[step.operation] = (this.changes[step.operation] ?? 0) + 1;
    if (step.operation !== 'same' && step.operation !== 'read' && step.operation !== 'refresh') this.steps.push(step);
  }

  note(...diagnostics: readonly Diagnostic[]): void {
    for (const diagnostic of diagnostics) {
      if (this.diagnostics.some((known) => known.code === diagnostic.code && known.message === diagnostic.message)) continue;
      this.diagnostics.push(diagnostic);
      this.tell({ kind: 'diagnostic', diagnostic });
    }
  }

  /** How it ended is known from elsewhere: what the engine still has to say about it is not a finding of its own. */
  conclude(...diagnostics: readonly Diagnostic[]): void {
    this.note(...diagnostics);
    this.concluded = true;
  }

  /** Words of the engine, or of a provider, that mean something of ours. */
  translate(known: (message: string) => Diagnostic | null): void {
    this.known = known;
  }

  /** A line of the roll-out that did not come by the engine. */
  progress(message: string, passing: boolean): void {
    this.tell({ kind: 'progress', message, passing });
  }

  write(text: string): void {
    this.output.push(text);
    this.print(text);
  }

  report(durationMs: number): DeployReport {
    return {
      ok: !this.diagnostics.some((d) => d.severity === 'error'),
      empty: this.steps.length === 0,
      steps: this.steps,
      changes: this.changes,
      diagnostics: this.diagnostics,
      text: this.output.join(''),
      durationMs,
    };
  }

  get failed(): boolean {
    return this.diagnostics.some((d) => d.severity === 'error');
  }

  private takeDiagnostic(severity: string, message: string, passing: boolean): void {
    if (message === '') return;
    if (severity === 'info' || severity === 'info#err') {
      this.tell({ kind: 'progress', message, passing });
    } else if (severity === 'warning' || severity === 'error') {
      const meant = this.known(message);
      const known = meant ? [meant] : codedDiagnostics(message, severity);
      if (this.concluded) return;
      if (known.length > 0) this.note(...known);
      else if (severity === 'error' && !/^(update|preview|refresh) failed$/.test(message))
        this.note(deploy.engineFailed({ what: 'operation', reason: oneLine(message) }));
    }
  }
}

/** `MW7003: the roll-out of ...` inside Pulumi's words, back to the diagnostic it was. */
export function codedDiagnostics(message: string, severity: 'warning' | 'error'): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const [, code = '', said = ''] of message.matchAll(/\b(MW\d{4}): (.*?)(?=; MW\d{4}: |\n|$)/g)) {
    const kind = Object.values(deploy).find((known) => known.code === code);
    found.push({ code: code as DiagnosticCode, slug: kind?.slug ?? 'refused', severity: kind?.severity ?? severity, message: said.trim() });
  }
  return found;
}

function operationOf(op: string): Operation {
  switch (op) {
    case 'create':
    case 'create-replacement':
      return 'create';
    case 'delete':
    case 'delete-replaced':
    case 'discard':
    case 'discard-replaced':
      return 'delete';
    case 'replace':
    case 'update':
    case 'same':
    case 'read':
    case 'refresh':
      return op;
    default:
      return 'other';
  }
}

/** Pulumi marks colours as `<{%fg 1%}>`. */
const plain = (text: string): string => text.replaceAll(/<\{%.*?%\}>/g, '').trim();
const oneLine = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join(' ')
    .slice(0, 600);
