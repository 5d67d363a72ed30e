/** The repository's own names, known once the mesh is defined. What is said before waits, and is refused at its own place. */
import { suggest } from './did-you-mean';
import { type Place, refuse } from './policy-error';
import { type Reader, list, recordOf, show, text } from './read';
import { freeze, hasOwn, keysOf } from './intrinsics';

export interface MeshNames {
  readonly environments: readonly string[];
  readonly teams: readonly string[];
  readonly tags: { readonly [tag: string]: readonly string[] };
}

let names: MeshNames | undefined;
let waiting: ((known: MeshNames) => void)[] = [];

/** Runs the check now, or as soon as the mesh is known. The generated entry runs mesh.policy.ts first, so that is nearly always now. */
export function whenNamesAreKnown(check: (known: MeshNames) => void): void {
  if (names) check(names);
  else waiting.push(check);
}

/** Called once, by `defineMesh`. @throws PolicyError MW2123 for a second mesh, or what waiting checks refuse. */
export function setNames(known: MeshNames, at: Place): void {
  if (names) return refuse(at, 'MW2123', 'a second mesh', 'a repository has one: `defineMesh` is called once, in `mesh.policy.ts`');
  names = known;
  const checks = waiting;
  waiting = [];
  for (const check of checks) check(known);
}

const oneOf =
  (kind: string, code: 'MW2110' | 'MW2112' | 'MW2113', pick: (known: MeshNames) => readonly string[]): Reader<string> =>
  (value, at) => {
    const given = text(value, at);
    whenNamesAreKnown((known) => {
      const words = pick(known);
      if (!words.includes(given)) refuse(at, code, `${show(value)} is no ${kind} of this mesh`, suggest(given, words, kind));
    });
    return given;
  };
export const environment = oneOf('environment', 'MW2110', (known) => known.environments);
export const team = oneOf('team', 'MW2112', (known) => known.teams);
/** `only: ['prod']`. */
export const onlyIn = list(environment, { unique: 'environment' });

/** `{ tier: 'gold' }`: at least one, each a word of the mesh's vocabulary. */
export const tags: Reader<{ readonly [tag: string]: string }> = (value, at) => {
  const given = recordOf(value, at);
  const keys = keysOf(given);
  if (keys.length === 0) return refuse(at, 'MW2106', 'an empty record of tags', 'nothing may not mean everything: name at least one tag');
  const read: Record<string, string> = {};
  for (const key of keys) read[key] = text(given[key] ?? null, at);
  whenNamesAreKnown((known) => {
    for (const key of keys) {
      const values = hasOwn(known.tags, key) ? known.tags[key] : undefined;
      if (!values) refuse(at, 'MW2113', `unknown tag \`${key.slice(0, 80)}\``, suggest(key, keysOf(known.tags), 'tag'));
      else if (!values.includes(read[key] ?? ''))
        refuse(at, 'MW2113', `${show(given[key] ?? null)} is no value of the tag \`${key}\``, suggest(read[key] ?? '', values, 'value'));
    }
  });
  return freeze(read);
};
