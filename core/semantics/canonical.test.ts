import fc from 'fast-check';
import { canonicalPathPattern, isCanonicalPath } from './canonical';
import type { UrlDialect } from './canonical';

const dialects: readonly UrlDialect[] = ['rfc3986', 'servlet', 'case-insensitive'];

/** Inputs that the strictest normalisation of a well-known mesh passes on unchanged, and their kin. */
const odd = [
  '/admin;a=b',
  '/admin;',
  '/..;/admin',
  '/;/admin',
  '/pub;a/../admin',
  '/user/..;foo=bar/admin',
  '/admin;x',
  '/%252e%252e/admin',
  '/%252fadmin',
  '/..../admin',
  '/.../admin',
  '/../admin',
  '/./admin',
  '/admin/.',
  '/admin/..',
  '//admin',
  '/a//b',
  '/admin//',
  '/a\\b',
  '/\\admin',
  '/..\\admin',
  '/a%2fb',
  '/a%2Fb',
  '/%2e%2e/admin',
  '/%2E/admin',
  '/a%5Cb',
  '/a%5cb',
  '/admin%00',
  '/admin%0A',
  '/admin%7F',
  '/%61dmin',
  '/admin%3Bx',
  '/admin%25',
  '/admin%',
  '/admin%2',
  '/admin%zz',
  '/%C0%AF',
  '/%E0%80%AF',
  '/%ED%A0%80',
  '/%F5%80%80%80',
  '/%FF',
  '/user/profile#x',
  '/a?b#c',
  '/\u00e9',
  '/\u212a',
  '/a b',
  '/a\tb',
  '/a\u0000b',
  '',
  'admin',
  '*',
  'http://x/admin',
  '?x',
  '/a|b',
  '/a"b',
  '/{a}',
  '/%c3%a9',
  '/a\n',
];

test.each(odd.flatMap((path) => dialects.map((urls) => [path, urls] as const)))('%j is not canonical for %s', (path, urls) => {
  expect(isCanonicalPath(path, urls)).toBe(false);
});

test.each([
  ['/'],
  ['/reviews/7'],
  ['/reviews/7?x=1&y=//..;'],
  ['/a.b/..c/d..'],
  ["/a-b_c~d!$&'()*+,=:@"],
  ['/a%20b'],
  ['/.well-known/x'],
  ['/...a'],
])('%j is canonical for all', (path) => {
  for (const urls of dialects) expect(isCanonicalPath(path, urls)).toBe(true);
});

test.each([
  ['/static/', [true, false, true]],
  ['/Admin', [true, true, false]],
  ['/caf%C3%A9', [true, true, false]],
  ['/%E2%84%AA', [true, true, false]],
  ['/%F0%9F%98%80', [true, true, false]],
  ['/a%40b', [true, false, true]],
  ['/a%7Bb%7D', [true, false, true]],
] as const)('%j: by dialect', (path, expected) => {
  expect(dialects.map((urls) => isCanonicalPath(path, urls))).toEqual(expected);
});

test('each dialect refuses all that rfc3986 refuses', () => {
  const path = fc
    .string({ unit: fc.constantFrom('/', '.', 'a', 'A', '%2', '%C3%A9', '%40', ';', '\\', '%', '0', 'F', '?', '#', ' ') })
    .map((text) => `/${text}`);
  fc.assert(
    fc.property(path, (text) => {
      if (!isCanonicalPath(text, 'rfc3986')) for (const urls of dialects) expect(isCanonicalPath(text, urls)).toBe(false);
    }),
    { seed: 4 },
  );
});

test('the WHATWG URL parser leaves a canonical path as it is', () => {
  const path = fc
    .string({ unit: fc.constantFrom('/', '.', '..', 'a', 'A', '%20', '%C3%A9', '%40', ';', '\\', '%2e', '~', ':') })
    .map((text) => `/${text}`);
  fc.assert(
    fc.property(path, (text) => {
      if (isCanonicalPath(text, 'rfc3986')) expect(new URL(`http://h${text}`).pathname).toBe(text);
    }),
    { numRuns: 1000, seed: 4 },
  );
});

test('the pattern uses nothing that RE2 lacks', () => {
  for (const urls of dialects) expect(canonicalPathPattern(urls)).not.toMatch(/\(\?[=!<]|\\[1-9]/);
});
