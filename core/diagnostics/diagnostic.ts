/** What every stage answers with beside its value: plain, readonly, printable, the same on every machine. */
export type Severity = 'error' | 'warning' | 'info';

/** A place in a policy source. Lines and columns count from 1; `file` is relative to the policy directory, with `/`. */
export interface Span {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly endLine?: number;
  readonly endColumn?: number;
}

export interface Related {
  readonly message: string;
  readonly span?: Span;
}

/** `MW` and four digits; the first is the stage: 1 source and types, 2 evaluate, 3 IR, 4 analyse, 5 emit, 6 sign, 7 deploy and GitOps, 8 admit, 9 enforce, 0 internal. */
export type DiagnosticCode = `MW${number}`;

export interface Diagnostic {
  readonly code: DiagnosticCode;
  readonly slug: string;
  readonly severity: Severity;
  /** One line, lower case, no final stop, user text in backticks. */
  readonly message: string;
  /** What to do about it: an action. */
  readonly help?: string;
  readonly span?: Span;
  readonly related?: readonly Related[];
  /** Environments in which it holds; absent means all. */
  readonly environments?: readonly string[];
  /** The rule it is about, for stages that know no places: the pipeline finds the span by it. */
  readonly rule?: string;
}

/** A stage returns what it could make and what it has to say; a throw out of a stage is a bug. */
export interface Outcome<T> {
  readonly value?: T;
  readonly diagnostics: readonly Diagnostic[];
}

export interface DiagnosticKind<P> {
  readonly code: DiagnosticCode;
  readonly slug: string;
  readonly severity: Severity;
  /** One sentence for the catalogue: what is wrong, in general. */
  readonly summary: string;
  readonly message: (params: P) => string;
  readonly help?: (params: P) => string;
}

export interface Where {
  readonly span?: Span | undefined;
  readonly related?: readonly Related[];
  readonly environments?: readonly string[];
  readonly rule?: string;
}

/** A catalogue entry: call it with its parameters (typed by the formatter) and a place to get a diagnostic. */
export interface DefinedDiagnostic<P> extends DiagnosticKind<P> {
  (params: P, where?: Where): Diagnostic;
}

/** Defines one kind of diagnostic. Codes are unique across the product (a test walks all catalogues). */
export function defineDiagnostic<P>(kind: DiagnosticKind<P>): DefinedDiagnostic<P> {
  const make = (params: P, where: Where = {}): Diagnostic => ({
    code: kind.code,
    slug: kind.slug,
    severity: kind.severity,
    message: kind.message(params),
    ...(kind.help ? { help: kind.help(params) } : {}),
    ...(where.span ? { span: where.span } : {}),
    ...(where.related && where.related.length > 0 ? { related: where.related } : {}),
    ...(where.environments ? { environments: where.environments } : {}),
    ...(where.rule === undefined ? {} : { rule: where.rule }),
  });
  return Object.assign(make, kind);
}

export const hasErrors = (diagnostics: readonly Diagnostic[]): boolean => diagnostics.some((d) => d.severity === 'error');
