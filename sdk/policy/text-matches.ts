/** How a header, a query parameter or a cookie is matched. A plain string matches exactly. */
import type { WireTextFields, WireTextMatch } from '../../core/declarations/declaration';
import { freeze, keysOf } from './intrinsics';
import { make, madeOf } from './made';
import { type Place, refuse, under } from './policy-error';
import { type Reader, named, recordOf, show, text } from './read';
import { headerName, host, regexText } from './units';
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
export const match: Reader<WireTextMatch> = (value, at) => {
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

/** For the conditions of a route: what is not there, or says something else. */
export const not = verb('not', ['match'], 1, (given) => make({}, { kind: 'not', match: match(given.take(0), given.at(0)) }));

/** The headers of a route's condition, by what they become: matches, their opposites, and the host. */
export const routeHeaders: Reader<{
  readonly headers?: WireTextFields;
  readonly withoutHeaders?: WireTextFields;
  readonly hosts?: readonly string[];
}> = (value, at) => {
  const [headers, withoutHeaders]: [Record<string, WireTextMatch>, Record<string, WireTextMatch>] = [{}, {}];
  let hosts: readonly string[] | undefined;
  const seen: string[] = [];
  for (const name of keysOf(recordOf(value, at))) {
    const place = under(at, name);
    const given = recordOf(value, at)[name] ?? null;
    const lower = headerName(name, place).toLowerCase();
    if (seen.includes(lower))
      return refuse(place, 'MW2126', `the header \`${name}\` is written twice`, 'name each header once: their case does not matter');
    seen.push(lower);
    const made = madeOf(given);
    if (lower === 'host') {
      if (typeof given !== 'string')
        return refuse(place, 'MW2120', `${show(given)} where a host is meant`, 'a host is matched exactly: `shop.acme.example`');
      hosts = freeze([host(given, place)]);
    } else if (made?.kind === 'not') withoutHeaders[name] = made.match;
    else headers[name] = match(given, place);
  }
  if (seen.length === 0) return refuse(at, 'MW2106', 'an empty record', 'nothing may not mean everything: name at least one');
  return freeze({
    ...(keysOf(headers).length > 0 ? { headers: freeze(headers) } : {}),
    ...(keysOf(withoutHeaders).length > 0 ? { withoutHeaders: freeze(withoutHeaders) } : {}),
    ...(hosts ? { hosts } : {}),
  });
};
