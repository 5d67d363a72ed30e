/** Waivers: accept one diagnostic or one rule, at a place, for a reason, until a day. */
import { freeze } from './intrinsics';
import { make } from './made';
import { type Place, refuse } from './policy-error';
import { type Reader, list, record, saying, show } from './read';
import { refTo, register } from './registry';
import { scope } from './subjects';
import { isoDate } from './units';
import { verb } from './verb';
import type { Plain } from './plain';

const spec = record({ at: list(scope), because: saying, ticket: saying, until: isoDate }, {});

/** The `waive` method of a rule: whoever stated it may waive it. */
export const waiveMethod = (what: string, entry: number): ((...given: unknown[]) => object) =>
  verb(`${what}.waive`, ['spec'], 1, (given) =>
    make(
      {},
      {
        kind: 'waiver',
        entry: register({ kind: 'waiver', rule: freeze({ ref: refTo(entry) }), ...spec(given.take(0), given.at(0)) }, given.call),
      },
    ),
  );

/** The codes that may be waived: errors cannot be downgraded, and the other codes are errors. */
const waivable: readonly string[] = ['MW4003', 'MW4011', 'MW4019', 'MW4027'];
const waivableCode: Reader<string> = (value: Plain, at: Place) => {
  if (typeof value === 'string' && waivable.includes(value)) return value;
  return refuse(at, 'MW2122', `${show(value)} may not be waived`, `these may: ${waivable.join(', ')}; repair the others`);
};
export const waive = verb('waive', ['code', 'spec'], 2, (given) => {
  const code = waivableCode(given.take(0), given.at(0));
  return make({}, { kind: 'waiver', entry: register({ kind: 'waiver', code, ...spec(given.take(1), given.at(1)) }, given.call) });
});
