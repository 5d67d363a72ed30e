import { ir as messages } from '../../core/diagnostics/ir';
import type { DefinedDiagnostic, Diagnostic, Related, Span } from '../../core/diagnostics/diagnostic';
import type { Declaration, DeclarationValue, Evaluated, MostlyEnv, OrPerEnv, PerEnv, Ref } from '../../core/declarations/declaration';
import { suggest } from '../../core/lib/suggest';
import { sortedBy } from '../../core/lib/order';

export type Kind = DeclarationValue['kind'];
export type ValueOf<K extends Kind> = Extract<DeclarationValue, { kind: K }>;
/** A declaration in force in this environment, with its value narrowed. */
export interface Declared<K extends Kind> {
  readonly id: string;
  readonly team: string;
  readonly value: ValueOf<K>;
}
/** A place inside a declaration: its id and a JSON path (`rules.0.timeout`, '' for the whole). */
export interface Place {
  readonly id: string;
  readonly path: string;
}

/** What every part of lower works with: the declarations in force in one environment, and where to report. */
export interface Context {
  readonly environment: string;
  readonly mesh: ValueOf<'mesh'>;
  readonly meshId: string;
  /** Declarations of a kind that exist in this environment, by id. */
  all<K extends Kind>(kind: K): readonly Declared<K>[];
  /** Whether a declaration of that id exists in this environment, whatever its kind. */
  has(id: string): boolean;
  report<P>(kind: DefinedDiagnostic<P>, params: P, at: Place, related?: readonly Related[]): void;
  spanOf(place: Place): Span | undefined;
  /** The declaration a reference leads to, if it is of one of these kinds; else reported and undefined. */
  resolve<K extends Kind>(ref: Ref, kinds: readonly K[], at: Place): Declared<K> | undefined;
  /** The environment's value; undefined when there is none (reported). */
  pick<T>(value: OrPerEnv<T>, at: Place): T | undefined;
  readonly diagnostics: Diagnostic[];
}

/** The team with authority over everybody: the root module's `mesh`, and the team called `platform`. */
export function hasPlatformRole(team: string): boolean {
  return team === 'mesh' || team === 'platform';
}

export function makeContext(evaluated: Evaluated, mesh: Declared<'mesh'>, environment: string): Context {
  const declarations = sortedBy(evaluated.declarations, (declaration) => declaration.id);
  const known = new Map(declarations.map((declaration) => [declaration.id, declaration]));
  const here = declarations.filter((declaration) => existsIn(declaration, environment));
  const present = new Set(here.map((declaration) => declaration.id));
  const byKind = new Map<Kind, Declaration[]>();
  for (const declaration of here) {
    const same = byKind.get(declaration.value.kind);
    if (same) same.push(declaration);
    else byKind.set(declaration.value.kind, [declaration]);
  }
  const diagnostics: Diagnostic[] = [];
  const spanOf = (place: Place): Span | undefined => spanIn(evaluated, place);
  const report: Context['report'] = (kind, params, at, related = []) => {
    diagnostics.push(kind(params, { span: spanOf(at), related: [...inRule(evaluated, at), ...related] }));
  };
  return {
    environment,
    mesh: mesh.value,
    meshId: mesh.id,
    diagnostics,
    spanOf,
    report,
    has: (id) => present.has(id),
    // The map is keyed by the kind of its values.
    all: <K extends Kind>(kind: K) => (byKind.get(kind) ?? []) as unknown as readonly Declared<K>[],
    resolve: <K extends Kind>(ref: Ref, kinds: readonly K[], at: Place) => {
      const declaration = known.get(ref.ref);
      if (!declaration) {
        report(messages.unknownReference, { ref: ref.ref, suggestion: suggest(ref.ref, known.keys()) }, at);
      } else if (!isOneOf(declaration, kinds)) {
        report(messages.wrongReference, { ref: ref.ref, is: declaration.value.kind, wanted: kinds.join(' or ') }, at);
      } else if (!present.has(ref.ref)) {
        report(messages.notHere, { ref: ref.ref, environment }, at);
      } else return declaration;
      return undefined;
    },
    pick: <T>(value: OrPerEnv<T>, at: Place) => {
      if (!isSymbolic(value)) return value;
      if ('$perEnv' in value) {
        const own = valueIn(value, environment);
        if (own === undefined) report(messages.missingEnvironment, { environment }, at);
        for (const name of Object.keys(value.$perEnv)) reportUnknownEnvironment(name);
        return own;
      }
      for (const name of Object.keys(value.$mostly.except)) reportUnknownEnvironment(name);
      return valueIn(value, environment);

      function reportUnknownEnvironment(name: string): void {
        if (!mesh.value.environments.includes(name))
          report(messages.unknownEnvironment, { environment: name, known: mesh.value.environments }, at);
      }
    },
  };
}

function isOneOf<K extends Kind>(declaration: Declaration, kinds: readonly K[]): declaration is Declaration & Declared<K> {
  return kinds.some((kind) => kind === declaration.value.kind);
}

/** What a value is in an environment; undefined where it says nothing of that one. */
export function valueIn<T>(value: OrPerEnv<T>, environment: string): T | undefined {
  if (!isSymbolic(value)) return value;
  if ('$perEnv' in value) return Object.hasOwn(value.$perEnv, environment) ? value.$perEnv[environment] : undefined;
  return (Object.hasOwn(value.$mostly.except, environment) ? value.$mostly.except[environment] : undefined) ?? value.$mostly.value;
}

function isSymbolic<T>(value: OrPerEnv<T>): value is PerEnv<T> | MostlyEnv<T> {
  return typeof value === 'object' && value !== null && ('$perEnv' in value || '$mostly' in value);
}

/** Whether a declaration is in force in an environment, by its `only`. */
export function existsIn(declaration: Declaration, environment: string): boolean {
  const { value } = declaration;
  return !('only' in value) || value.only === undefined || value.only.includes(environment);
}

/** Which rule of a list it is about, where the line is that of the whole list. */
function inRule(evaluated: Evaluated, { id, path }: Place): readonly Related[] {
  const [rule] = /^rules\.[0-9]+/.exec(path) ?? [];
  const origin = Object.hasOwn(evaluated.origins, id) ? evaluated.origins[id] : undefined;
  const hasLine = Object.keys(origin?.parts ?? {}).some((part) => path === part || path.startsWith(`${part}.`));
  return rule === undefined || hasLine ? [] : [{ message: `in \`${path}\`` }];
}

/** The span of a place: its own, else that of the nearest place around it, else the declaration's. */
function spanIn(evaluated: Evaluated, place: Place): Span | undefined {
  const origin = Object.hasOwn(evaluated.origins, place.id) ? evaluated.origins[place.id] : undefined;
  for (let path = place.path; path !== ''; path = path.includes('.') ? path.slice(0, path.lastIndexOf('.')) : '') {
    const span = origin?.parts?.[path];
    if (span) return span;
  }
  return origin?.span;
}
