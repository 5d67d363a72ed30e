/** Members that mean nothing where they stand. A mistyped one would be the same as none: an `away` that nobody follows, a `priority` of 0. */
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { enforce } from '../../core/diagnostics/enforce';
import { suggest } from '../../core/lib/suggest';

/** What a value may hold: members by name, the same thing many times (a list, or a record whose names are the operator's), or nothing that has members. */
export type Shape = { readonly members: { readonly [name: string]: Shape } } | { readonly each: Shape } | null;

/** Every member of a type: one that the type gains and this file does not name is an error of types. */
export const membersOf = <T>(members: { readonly [Name in keyof Required<T>]: Shape }): Shape => ({ members });

/** What one file is told at most: whoever generates a thousand instances with one slip has made it once. */
const mostSaid = 20;

interface Unknown {
  readonly member: string;
  readonly known: readonly string[];
  /** Where it stands first. */
  readonly place: string;
  places: number;
}

/** One diagnostic for each member that the shape does not have: its first place, the name that was probably meant, and in how many places it stands. */
export function unknownMembers(value: unknown, shape: Shape, file: string): readonly Diagnostic[] {
  const found = new Map<string, Unknown>();
  collect(value, shape, { place: '', kind: '' }, found);
  return [...found.values()]
    .slice(0, mostSaid)
    .map(({ member, known, place, places }) =>
      enforce.unknownMember({ file, member, place, places, known, near: suggest(member, known) ?? null }),
    );
}

/** `kind` is the place without numbers and the operator's own names: what is one slip in all of them. */
interface Where {
  readonly place: string;
  readonly kind: string;
}

function collect(value: unknown, shape: Shape, { place, kind }: Where, into: Map<string, Unknown>): void {
  if (shape === null || typeof value !== 'object' || value === null) return;
  if ('members' in shape && Array.isArray(value)) return; // no object at all: who decodes it says so
  for (const [name, held] of Object.entries(value)) {
    const inner = `${place}${Array.isArray(value) ? `[${name}]` : `${place === '' ? '' : '.'}${short(name)}`}`;
    if ('each' in shape) collect(held, shape.each, { place: inner, kind: `${kind}.*` }, into);
    else if (Object.hasOwn(shape.members, name))
      collect(held, shape.members[name] ?? null, { place: inner, kind: `${kind}.${name}` }, into);
    else {
      const key = `${kind} ${name}`;
      const before = into.get(key);
      if (before !== undefined) before.places += 1;
      else
        into.set(key, {
          member: short(name),
          known: Object.keys(shape.members),
          place: place === '' ? 'the file' : `\`${place}\``,
          places: 1,
        });
    }
  }
}

const short = (name: string): string => name.slice(0, 80);
