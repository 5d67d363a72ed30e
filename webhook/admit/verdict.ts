/** What an adjudicator answers. Plain data: the same facts give the same verdict, also on a dry run. */
import type { Diagnostic, DiagnosticCode } from '../../core/diagnostics/diagnostic';
import type { RuleMode } from '../../core/bundle/admission-rules';

/** What decided: the label of metrics, so a closed list. */
export const ruleNames = [
  'object',
  'release',
  'status',
  'deletion',
  'workload',
  'product',
  'injection',
  'metadata',
  'outside',
  'undecided',
] as const;
export type RuleName = (typeof ruleNames)[number];

/** One thing that is wrong, at a place of the object. */
export interface Finding {
  readonly mode: RuleMode;
  /** `spec.template.spec.containers[0].image` */
  readonly field: string;
  readonly diagnostic: Diagnostic;
}
export interface Cause {
  readonly code: DiagnosticCode;
  readonly field: string;
  readonly message: string;
}
export interface Verdict {
  readonly allowed: boolean;
  /** Denied because nobody can tell now, not because of what the object is. */
  readonly undecided: boolean;
  readonly rule: RuleName;
  /** `MW8xxx: <object>: <field>: <why>; <repair>`; empty when allowed. */
  readonly message: string;
  readonly causes: readonly Cause[];
  readonly warnings: readonly string[];
  /** Annotations of the API server's audit log, by a name without prefix. */
  readonly audit: { readonly [name: string]: string };
}

export const allow = (rule: RuleName): Verdict => ({
  allowed: true,
  undecided: false,
  rule,
  message: '',
  causes: [],
  warnings: [],
  audit: {},
});

/** One refusal. */
export const deny = (rule: RuleName, what: string, field: string, diagnostic: Diagnostic): Verdict =>
  verdictOf(rule, what, [{ mode: 'deny', field, diagnostic }]);

/** Denied, since nobody can tell: the caller may try again. */
export const undecided = (what: string, diagnostic: Diagnostic): Verdict => ({
  ...deny('undecided', what, 'metadata', diagnostic),
  undecided: true,
});

/** Findings that are written out: more than that is shown nowhere. */
const mostShown = 50;

/** The verdict on all that was found: one finding whose mode is deny denies; others warn, or are noted for the audit log. */
export function verdictOf(rule: RuleName, what: string, findings: readonly Finding[]): Verdict {
  const of = (mode: RuleMode): readonly Finding[] => findings.filter((finding) => finding.mode === mode);
  const line = (finding: Finding): string => sentence(what, finding);
  const lines = (list: readonly Finding[]): readonly string[] => list.slice(0, mostShown).map(line);
  const denied = of('deny');
  const [first] = denied;
  const more = denied.length > 1 ? ` (and ${denied.length - 1} more)` : '';
  return {
    allowed: first === undefined,
    undecided: false,
    rule,
    message: first === undefined ? '' : `${line(first)}${more}`,
    causes: denied.slice(0, mostShown).map(({ field, diagnostic }) => ({ code: diagnostic.code, field, message: said(diagnostic) })),
    warnings: lines(of('warn')),
    audit: {
      ...(first === undefined ? {} : { denied: lines(denied).join(' | ') }),
      ...(of('audit').length > 0 ? { found: lines(of('audit')).join(' | ') } : {}),
    },
  };
}

const said = ({ message, help }: Diagnostic): string => (help === undefined ? message : `${message}; ${help}`);
const sentence = (what: string, { field, diagnostic }: Finding): string => `${diagnostic.code}: ${what}: ${field}: ${said(diagnostic)}`;
