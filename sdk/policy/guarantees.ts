/** Guarantees: proved for every request, or refuted with one. */
import type { DeclarationValue } from '../../core/declarations/declaration';
import { user } from './access';
import { make } from './made';
import { type Arguments, verb } from './verb';
import { atLeastOne, oneOrMore, record, word } from './read';
import { register } from './registry';
import { caller, callersOrAnyone, scopes } from './subjects';
import { unsupported } from './unsupported';
import { duration } from './units';
import { waiveMethod } from './waivers';

const guarantee = (what: string, read: (given: Arguments) => DeclarationValue): ((...given: unknown[]) => object) =>
  verb(what, ['spec'], 1, (given) => {
    const entry = register(read(given), given.call);
    return make({ waive: waiveMethod(what, entry) }, { kind: 'guarantee', entry });
  });

export const never = guarantee('never', (given) => ({
  kind: 'guarantee',
  claim: 'never',
  ...record({ from: callersOrAnyone, to: scopes }, {})(given.take(0), given.at(0)),
}));
export const always = guarantee('always', (given) => {
  const holds = atLeastOne(record({}, { user, mtls: word('strict'), timeoutBelow: duration }), 'a claim');
  record({ from: callersOrAnyone, to: scopes, holds }, {})(given.take(0), given.at(0));
  return unsupported('guarantees by `always`');
});
export const onlyThrough = guarantee('onlyThrough', (given) => {
  record({ to: scopes, through: oneOrMore(caller) }, {})(given.take(0), given.at(0));
  return unsupported('guarantees by `onlyThrough`');
});
