/** core/semantics/match.ts in Envoy's words. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { assertNever } from '../../../../core/lib/brand';
import type { FieldMatch, PathTemplate, TextMatch } from '../../../../core/ir/ir';
import { isWildcard } from '../../../../core/semantics/address';
import { literalPattern, pathTemplatePattern } from '../../../../core/semantics/match';
import type { HeaderMatcherSchema, QueryParameterMatcherSchema } from '../../../../core/wire/gen/envoy/config/route/v3/route_components_pb';
import type { StringMatcherSchema } from '../../../../core/wire/gen/envoy/type/matcher/v3/string_pb';

type HeaderMatcher = MessageInitShape<typeof HeaderMatcherSchema>;
type StringMatcher = MessageInitShape<typeof StringMatcherSchema>;
type QueryMatcher = MessageInitShape<typeof QueryParameterMatcherSchema>;

/** A path that is all literal is a text; any other a pattern. Both match the whole path without its query. */
export function pathText(template: PathTemplate): { readonly exact: string } | { readonly pattern: string } {
  const exact: string[] = [];
  for (const segment of template) {
    if (segment.kind !== 'literal') return { pattern: pathTemplatePattern(template) };
    exact.push(segment.text);
  }
  return { exact: `/${exact.join('/')}` };
}

export function stringMatcher(match: Exclude<TextMatch, { kind: 'present' }>): StringMatcher {
  switch (match.kind) {
    case 'exact':
      return { matchPattern: { case: 'exact', value: match.value } };
    case 'prefix':
      return { matchPattern: { case: 'prefix', value: match.value } };
    case 'regex':
      return { matchPattern: { case: 'safeRegex', value: { regex: match.value } } };
    default:
      return assertNever(match);
  }
}

export function headerMatcher(field: FieldMatch): HeaderMatcher {
  const { match } = field;
  if (match.kind === 'present' || (match.kind === 'prefix' && match.value === ''))
    return { name: field.name, headerMatchSpecifier: { case: 'presentMatch', value: true } };
  return { name: field.name, headerMatchSpecifier: { case: 'stringMatch', value: stringMatcher(match) } };
}

/** The header is not there, or says something else. */
export function noHeaderMatcher(field: FieldMatch): HeaderMatcher {
  const matcher = headerMatcher(field);
  return {
    ...matcher,
    invertMatch: true,
    ...(matcher.headerMatchSpecifier?.case === 'presentMatch' ? {} : { treatMissingHeaderAsEmpty: true }),
  };
}

export const methodMatcher = (method: string): HeaderMatcher => headerMatcher({ name: ':method', match: { kind: 'exact', value: method } });

export function queryMatcher(field: FieldMatch): QueryMatcher {
  const { match } = field;
  if (match.kind === 'present' || (match.kind === 'prefix' && match.value === ''))
    return { name: field.name, queryParameterMatchSpecifier: { case: 'presentMatch', value: true } };
  return { name: field.name, queryParameterMatchSpecifier: { case: 'stringMatch', value: stringMatcher(match) } };
}

/** Some cookie of that name matches. A pattern over the whole header, since the definitions at hand have no cookie matcher; a regex that `withinOneCookie` cannot carry is refused before. */
export function cookieMatcher(field: FieldMatch): HeaderMatcher {
  const { match } = field;
  const value =
    match.kind === 'exact'
      ? literalPattern(match.value)
      : match.kind === 'prefix'
        ? `${literalPattern(match.value)}[^;]*`
        : match.kind === 'regex'
          ? (withinOneCookie(match.value) ?? '[^\\s\\S]')
          : '[^;]*';
  const pattern = `(?:.*;)?[ \\t]*${literalPattern(field.name)}[ \\t]*=[ \\t]*${value}[ \\t]*(?:;.*)?`;
  return {
    name: 'cookie',
    headerMatchSpecifier: { case: 'stringMatch', value: { matchPattern: { case: 'safeRegex', value: { regex: pattern } } } },
  };
}

/** The Host header is one of these, in any case and with any port; `*.x` is any name under it. */
export function hostMatcher(hosts: readonly string[]): HeaderMatcher {
  const [first = '', ...more] = hosts.map((host) => (isWildcard(host) ? `.+${literalPattern(host.slice(1))}` : literalPattern(host)));
  const pattern = `(?i)${more.length === 0 ? first : `(?:${[first, ...more].join('|')})`}(?::[0-9]*)?`;
  return {
    name: ':authority',
    headerMatchSpecifier: { case: 'stringMatch', value: { matchPattern: { case: 'safeRegex', value: { regex: pattern } } } },
  };
}

/**
 * A user's regex so that no part of it takes a `;` or white space, which no cookie's value holds (RFC 6265 section 4.1.1): else it would read on into the
 * next cookie. null for what this does not understand; the caller refuses it.
 */
export function withinOneCookie(regex: string): string | null {
  const token =
    /\\[dw]|\\[.*+?^${}()|[\]\\/-]|\[\^?(?:[A-Za-z0-9_.~-]|\\[dw-])+\]|\.|\(\?:|[()|*+?]|\{[0-9,]+\}|[A-Za-z0-9_~!#$%&'/:=@<>`"-]/y;
  let made = '';
  while (token.lastIndex < regex.length) {
    const at = token.lastIndex;
    const [text] = token.exec(regex) ?? [];
    if (text === undefined) return null;
    if (text === '$' || (text === '(' && regex[token.lastIndex] === '?')) return null;
    if (text.startsWith('[') && !onlySimpleRanges(text)) return null;
    made += text === '.' ? '[^;\\s]' : text.startsWith('[^') ? `[^;\\s${text.slice(2)}` : text;
    if (token.lastIndex === at) return null;
  }
  return `(?:${made})`;
}
/** Ranges between letters of one case or digits, so that none holds a `;`. */
const onlySimpleRanges = (cls: string): boolean =>
  [...cls.slice(1, -1).matchAll(/(.)-(.)/g)].every(([, from = '', to = '']) =>
    [/^[a-z]$/, /^[A-Z]$/, /^[0-9]$/].some((kind) => kind.test(from) && kind.test(to)),
  );
