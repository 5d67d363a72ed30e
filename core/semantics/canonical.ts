/**
 * The canonical form of a request path: the one spelling that the router, the access rules and the application read alike. What is not canonical
 * is refused with 400 before routing, so no rule ever sees it. The same pattern text goes into Envoy, so it keeps to what RE2 and JavaScript share.
 *
 * A path is `/`, or segments each led by `/`, with or without a `/` at the end. In a segment:
 *  - the characters of RFC 3986 section 3.3 stand for themselves, but not `;` (what follows it is a parameter to some applications and a name to others)
 *  - `%` and two upper-case digits (section 6.2.2.1) stand for what cannot stand there itself: well-formed UTF-8 beyond ASCII (RFC 3629 section 4; an
 *    overlong `/` is not well-formed), the space, and ASCII marks other than `%`, `.`, `/`, `;`, `\`. Never a letter, digit, `-`, `_`, `~`
 *    (section 6.2.2.2), a control character, or a second encoding (`%25`)
 *  - a segment of dots only is refused (`.`, `..`, and `....`, which some file systems climb by)
 *  - empty segments are refused (`//`)
 *
 * The dialect says how the application reads URLs, and each refuses more than `rfc3986` does:
 *  - `servlet`: also a `/` at the end, and every encoded ASCII character but the space (the container compares decoded text)
 *  - `case-insensitive`: also upper-case letters, and everything beyond ASCII (`K`, the Kelvin sign, folds to `k`)
 */
import type { ServicePort } from '../ir/ir';

export type UrlDialect = ServicePort['urls'];

const marks = "\\-_~!$&'()*+,=:@";
const space = '%20';
// ASCII that may be written encoded: ! " # $ & ' ( ) * + , : < = > ? @ [ ] ^ ` { | }
const encodedMarks = '%2[1-46-9A-C]|%3[AC-F]|%40|%5[BDE]|%60|%7[BCD]';
const any = '[0-9A-F]';
const tail = `%[89AB]${any}`;
// Well-formed UTF-8 of two to four bytes, with the last byte factored out: the program is small enough for Envoy's default limit of 100 instructions.
const utf8 = `%(?:C[2-9A-F]|D${any}|(?:E0%[AB]|ED%[89])${any}|(?:E[1-9A-CEF]|(?:F0%[9AB]|F4%8)${any}|F[1-3]${tail})${tail})${tail}`;

const character: { readonly [dialect in UrlDialect]: string } = {
  rfc3986: `[A-Za-z0-9${marks}]|${space}|${encodedMarks}|${utf8}`,
  servlet: `[A-Za-z0-9${marks}]|${space}|${utf8}`,
  'case-insensitive': `[a-z0-9${marks}]|${space}|${encodedMarks}`,
};

/**
 * The grammar as a pattern that must match the whole path (without its query). RE2 and JavaScript read it alike; it holds no anchors, since
 * Envoy's `safe_regex` and `isCanonicalPath` both match from end to end. Its RE2 program has fewer than 100 instructions, which is
 * what an Envoy takes unless its runtime raises `re2.max_program_size.error_level`.
 */
export function canonicalPathPattern(urls: UrlDialect): string {
  const segments = `(?:/(?:\\.*(?:${character[urls]}))+\\.*)+`;
  return urls === 'servlet' ? `/|${segments}` : `/|${segments}/?`;
}

const compiled: { readonly [dialect in UrlDialect]: RegExp } = {
  rfc3986: new RegExp(`^(?:${canonicalPathPattern('rfc3986')})$`),
  servlet: new RegExp(`^(?:${canonicalPathPattern('servlet')})$`),
  'case-insensitive': new RegExp(`^(?:${canonicalPathPattern('case-insensitive')})$`),
};

/** Whether a path as on the wire (`/a/b?x=1`) is canonical. The query is left alone, but a `#` anywhere is refused: a fragment never goes on the wire (RFC 9110 section 7.1). */
export function isCanonicalPath(path: string, urls: UrlDialect): boolean {
  return !path.includes('#') && !path.includes('\n') && compiled[urls].test(pathWithoutQuery(path));
}

/**
 * A Host that can be one (RFC 9110 section 7.2): a name, or an address in brackets, with or without a port of digits. Of `a:80.x:80`, `a@b.x` or two
 * Hosts in one, proxies, applications and caches read different names. Pattern text for RE2 and JavaScript, from end to end.
 */
export const hostPattern = '(?:[A-Za-z0-9_-]+(?:\\.[A-Za-z0-9_-]+)*\\.?|\\[[0-9A-Fa-f:.]+\\])(?::[0-9]*)?';
const compiledHost = new RegExp(`^(?:${hostPattern})$`);
export const isHost = (host: string): boolean => !host.includes('\n') && compiledHost.test(host);

/** What a proxy reads as the Host of a request at all, be it of nobody (RFC 3986 section 3.2): any other is refused before it is looked at. */
export const isAuthority = (host: string): boolean => /^[A-Za-z0-9._~!$&'()*+,;=:@%[\]-]*$/.test(host);

/** A name that name servers are asked for (RFC 1035 section 2.3.4): labels of 1 to 63 characters. Envoy's resolver asks for 255 characters, of which servers know 253, and for `_`, for `*` and for a `-` at an end. */
export const isAskable = (name: string): boolean => name.length <= 255 && /^[a-z0-9_*-]{1,63}(?:\.[a-z0-9_*-]{1,63})*$/.test(name);

export function pathWithoutQuery(path: string): string {
  const query = path.indexOf('?');
  return query < 0 ? path : path.slice(0, query);
}
