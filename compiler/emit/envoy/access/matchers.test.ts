import { RE2JS } from 're2js';
import { matchesCookie } from '../../../../core/semantics/match';
import type { FieldMatch } from '../../../../core/ir/ir';
import { cookieMatcher, hostMatcher, withinOneCookie } from './matchers';

function takes(field: FieldMatch, header: string): boolean {
  const { headerMatchSpecifier: specifier } = cookieMatcher(field);
  if (specifier?.case !== 'stringMatch' || specifier.value?.matchPattern?.case !== 'safeRegex') throw new Error('a pattern was expected');
  return RE2JS.compile(specifier.value.matchPattern.value.regex ?? '').matches(header);
}
const matchers: readonly FieldMatch['match'][] = [
  { kind: 'exact', value: 'a.b' },
  { kind: 'prefix', value: 'a' },
  { kind: 'present' },
  { kind: 'regex', value: 'a.*' },
  { kind: 'regex', value: '[^x]+|x' },
  { kind: 'regex', value: 'a{1,2}\\.b|[0-9a-f]+' },
];
const headers = [
  's=a.b',
  's=axb',
  'x=1; s=a.b',
  's=a.b; x=1',
  'ss=a.b',
  's=x; s=a',
  'x=a.b',
  's=',
  't=1;s=a;u=b',
  's =a',
  ' s= a ',
  's=x;other=ab',
  's=00ff',
  'as=a.b',
  'x=s=a.b',
];

test.each(matchers.map((match) => [JSON.stringify(match), match] as const))(
  'a cookie matcher in Envoy takes what the definition takes: %s',
  (_, match) => {
    const field: FieldMatch = { name: 's', match };
    for (const header of headers) expect([header, takes(field, header)]).toEqual([header, matchesCookie(field, { cookie: header })]);
  },
);

test('a regex that could read on into the next cookie is not carried', () => {
  for (const regex of ['a;b', '[!-~]+', '\\S+', '(?i)a', 'a b', '[^\\s]', 'a\\x3b', '^a$'])
    expect([regex, withinOneCookie(regex)]).toEqual([regex, null]);
});

test('a host is itself in any case and with any port, and nothing near it', () => {
  const { headerMatchSpecifier: specifier } = hostMatcher(['shop.example']);
  if (specifier?.case !== 'stringMatch' || specifier.value?.matchPattern?.case !== 'safeRegex') throw new Error('a pattern was expected');
  const pattern = RE2JS.compile(specifier.value.matchPattern.value.regex ?? '');
  for (const host of ['shop.example', 'SHOP.example', 'shop.example:8443', 'shop.example:'])
    expect([host, pattern.matches(host)]).toEqual([host, true]);
  for (const host of ['shopxexample', 'a.shop.example', 'shop.example.evil', 'shop.example:80evil', 'shop.example.'])
    expect([host, pattern.matches(host)]).toEqual([host, false]);
});
