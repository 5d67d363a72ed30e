/** How a header, a query parameter or a cookie is matched. A plain string matches exactly. */
import type { WireTextFields, WireTextMatch } from '../../core/declarations/declaration';
import { freeze, keysOf } from './intrinsics';
import { make, madeOf } from './made';
import { type Place, refuse } from './policy-error';
import { type Reader, named, text } from './read';
import { headerName, regexText } from './units';
import { verb } from './verb';
import type { Plain } from './plain';

export const prefix = verb('prefix', ['text'], 1, (given) => {
  const value = matchText(given.take(0), given.at(0));
  return make({}, { kind: 'text', match: freeze({ kind: 'prefix', value }) });
});
export const pattern = verb('pattern', ['re2'], 1, (given) =>
  make({}, { kind: 'text', match: freeze({ kind: 'regex', value: regexText(given.take(0), given.at(0)) }) }),
);
export const present = verb('present', [], 0, () => make({}, { kind: 'text', match: freeze({ kind: 'present' }) }));

function matchText(value: Plain, at: Place): string {
  const given = text(value, at);
  if (given === '')
    return refuse(at, 'MW2106', 'an empty text, which every value starts with', 'write the text, or `present()` where any value is meant');
  if (given.length > 1024) return refuse(at, 'MW2101', 'a text of more than 1024 characters', 'match on less');
  for (let i = 0; i < given.length; i++)
    if (given.charCodeAt(i) < 0x20 || given.charCodeAt(i) === 0x7f)
      return refuse(at, 'MW2101', 'a control character', 'no header, parameter or cookie carries one');
  return given;
}
const match: Reader<WireTextMatch> = (value, at) => {
  const made = madeOf(value);
  if (made?.kind === 'text') return made.match;
  if (typeof value === 'object' && value !== null && !made)
    return refuse(
      at,
      'MW2119',
      'a record written by hand where a text match is meant',
      'write a text, `prefix(...)`, `pattern(...)` or `present()`',
    );
  return freeze({ kind: 'exact', value: matchText(value, at) });
};
export const textFields: Reader<WireTextFields> = named(headerName, match);
/** Names of headers are the same in any case, so two that differ in case only are one, said twice. */
export const headerFields: Reader<WireTextFields> = (value, at) => {
  const fields = textFields(value, at);
  const seen: string[] = [];
  for (const name of keysOf(fields)) {
    if (seen.includes(name.toLowerCase()))
      return refuse(at, 'MW2126', `the header \`${name}\` is written twice`, 'name each header once: their case does not matter');
    seen.push(name.toLowerCase());
  }
  return fields;
};
