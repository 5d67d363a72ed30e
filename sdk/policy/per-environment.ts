/** `per` and `mostly`: values that differ by environment, symbolic until lower. */
import type { OrPerEnv } from '../../core/declarations/declaration';
import { suggest } from './did-you-mean';
import { freeze, hasOwn, isArray, keysOf } from './intrinsics';
import { make, madeOf } from './made';
import { whenNamesAreKnown } from './mesh-names';
import { type Place, argument, pathOf, refuse, under } from './policy-error';
import { type Reader, recordOf } from './read';
import { verb } from './verb';

export const per = verb('per', ['values'], 1, (given) => {
  const values = recordOf(given.take(0), given.at(0));
  const at = argument(given.call, '');
  checkNames(keysOf(values), at);
  whenNamesAreKnown((known) => {
    for (const name of known.environments) {
      if (!hasOwn(values, name))
        refuse(
          at,
          'MW2111',
          `no value for the environment \`${name}\``,
          `add \`${name}\`, or say \`mostly(value, { ... })\` where a default is meant`,
        );
    }
  });
  return make({}, { kind: 'perEnv', values, stack: given.call.stack });
});

export const mostly = verb('mostly', ['value', 'except'], 2, (given) => {
  const except = recordOf(given.take(1), given.at(1));
  if (keysOf(except).length === 0)
    return refuse(given.at(1), 'MW2106', 'no exception', 'name at least one environment, or write the value plainly');
  checkNames(keysOf(except), argument(given.call, ''));
  return make({}, { kind: 'mostlyEnv', value: given.take(0), except, stack: given.call.stack });
});

function checkNames(written: readonly string[], at: Place): void {
  whenNamesAreKnown((known) => {
    for (const name of written) {
      if (!known.environments.includes(name))
        refuse(at, 'MW2110', `\`${name.slice(0, 80)}\` is no environment of this mesh`, suggest(name, known.environments, 'environment'));
    }
  });
}

/** A value of the reader's kind, plain or by environment. */
export const orPerEnv =
  <T>(reader: Reader<T>): Reader<OrPerEnv<T>> =>
  (value, at) => {
    const made = madeOf(value);
    if (made?.kind !== 'perEnv' && made?.kind !== 'mostlyEnv') return reader(value, at);
    at.call.parts.push(freeze({ path: pathOf(at), stack: made.stack }));
    const each = (values: { readonly [environment: string]: unknown }): { readonly [environment: string]: T } => {
      const read: Record<string, T> = {};
      for (const name of keysOf(values))
        read[name] = reader(notNested(recordOf(values, at)[name] ?? null, under(at, name)), under(at, name));
      return freeze(read);
    };
    if (made.kind === 'perEnv') return freeze({ $perEnv: each(made.values) });
    return freeze({ $mostly: freeze({ value: reader(notNested(made.value, at), at), except: each(made.except) }) });
  };

function notNested<T>(value: T, at: Place): T {
  const made = isArray(value) ? undefined : madeOf(value);
  if (made?.kind === 'perEnv' || made?.kind === 'mostlyEnv')
    return refuse(at, 'MW2101', 'a value by environment inside another', 'write one `per({ ... })`');
  return value;
}
