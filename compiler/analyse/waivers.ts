/** Waivers: one finding accepted, at named things, for a reason, until a date. Never wider than written; from its date on an error itself. */
import { analyse as messages } from '../../core/diagnostics/analyse';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import type { Declaration, DeclarationValue, Evaluated, ScopeRef } from '../../core/declarations/declaration';
import type { Finding } from './finding';

/** Codes that a waiver may name. Everything else is repaired. */
export const waivable: readonly string[] = ['MW4003', 'MW4011', 'MW4019', 'MW4027'];
/** What waiving a stated rule (a guarantee) accepts. */
const ofRule: readonly string[] = ['MW4007', 'MW4008'];

type Waiver = Extract<DeclarationValue, { kind: 'waiver' }>;
interface Declared {
  readonly id: string;
  readonly team: string;
  readonly value: Waiver;
}

export interface WaiverUse {
  /** Whether a finding is accepted; remembers which waivers were used. */
  accepts(finding: Finding): boolean;
  /** What is wrong with the waivers themselves; to be read after all findings were asked about. */
  diagnostics(): readonly Diagnostic[];
}

export function readWaivers(evaluated: Evaluated, asOf: string, spanOf: (id: string) => Diagnostic['span']): WaiverUse {
  const declarations = new Map(evaluated.declarations.map((declaration) => [declaration.id, declaration]));
  const found: Diagnostic[] = [];
  const used = new Set<string>();
  const inForce = evaluated.declarations.filter(isWaiver).filter(({ id, team, value }) => {
    const span = spanOf(id);
    const say = (diagnostic: Diagnostic): false => (found.push(diagnostic), false);
    const code = value.code ?? value.rule?.ref ?? '';
    if (value.code !== undefined && !waivable.includes(value.code))
      return say(messages.notWaivable({ code: value.code, known: waivable }, { span }));
    if (!isDate(value.until)) return say(messages.badDate({ text: value.until }, { span }));
    const platform = team === 'mesh' || team === 'platform';
    if (value.rule) {
      // Who owns the place may not excuse it from somebody else's rule.
      const owner = declarations.get(value.rule.ref)?.team;
      if (owner !== team && !platform)
        return say(messages.notYoursToWaive({ team, subject: value.rule.ref, owner: owner ?? 'mesh' }, { span }));
    } else {
      for (const scope of value.at) {
        const owner = ownerOf(declarations, scope);
        if (owner !== undefined && owner !== team && !platform) {
          return say(messages.notYoursToWaive({ team, subject: scope.kind === 'ref' ? scope.to.ref : scope.kind, owner }, { span }));
        }
      }
    }
    if (asOf >= value.until) return say(messages.expiredWaiver({ code, until: value.until, asOf }, { span }));
    return true;
  });
  return {
    accepts: ({ diagnostic, subjects }) => {
      const waiver = inForce.find(({ value }) => covers(declarations, value, diagnostic.code, subjects));
      if (waiver) used.add(waiver.id);
      return waiver !== undefined;
    },
    diagnostics: () => [
      ...found,
      // Codes that no analyser of this version reports, and bounds, which lower looks at, are not called unused.
      ...inForce
        .filter(({ id, value }) => !used.has(id) && value.code !== undefined && value.code !== 'MW4027')
        .map(({ id, value }) => messages.noSuchFinding({ code: value.code ?? '' }, { span: spanOf(id) })),
    ],
  };
}

function isWaiver(declaration: Declaration): declaration is Declaration & Declared {
  return declaration.value.kind === 'waiver';
}

function isDate(text: string): boolean {
  if (!/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text)) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

function covers(declarations: ReadonlyMap<string, Declaration>, waiver: Waiver, code: string, subjects: readonly string[]): boolean {
  const about =
    waiver.code === undefined
      ? ofRule.includes(code) && waiver.rule !== undefined && subjects.includes(waiver.rule.ref)
      : waiver.code === code;
  return about && waiver.at.some((scope) => subjects.some((subject) => isWithin(declarations, subject, scope)));
}

/** Whether a declaration is what a scope names, or lies in the namespace or carries the tags that it names. */
function isWithin(declarations: ReadonlyMap<string, Declaration>, subject: string, scope: ScopeRef): boolean {
  if (scope.kind === 'mesh') return true;
  const value = declarations.get(subject)?.value;
  const namespace = value && 'namespace' in value ? value.namespace.ref : undefined;
  if (scope.kind === 'ref') {
    // Findings are about whole declarations: a waiver at a port or a version is narrower than any of them.
    const { ref, ...part } = scope.to;
    return Object.keys(part).length === 0 && (ref === subject || ref === namespace);
  }
  const tags = value && 'tags' in value ? value.tags : undefined;
  const outer = namespace === undefined ? undefined : declarations.get(namespace)?.value;
  const all = { ...(outer?.kind === 'namespace' ? outer.tags : {}), ...(tags as { readonly [tag: string]: string } | undefined) };
  const wanted = Object.entries(scope.tags);
  return wanted.length > 0 && wanted.every(([tag, text]) => all[tag] === text);
}

/** The team that owns what a scope names; the root for the mesh and for tags, which reach over teams. */
function ownerOf(declarations: ReadonlyMap<string, Declaration>, scope: ScopeRef): string | undefined {
  return scope.kind === 'ref' ? declarations.get(scope.to.ref)?.team : 'mesh';
}
