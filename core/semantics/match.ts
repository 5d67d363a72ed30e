/** What a matcher takes. Each sentence in README.md about matching is one function here. */
import { RE2JS } from 're2js';
import { assertNever } from '../lib/brand';
import { isInNetwork } from '../lib/network';
import { sortedBy } from '../lib/order';
import type { Principal } from '../mesh/ids';
import type { FieldMatch, PathTemplate, RequestClass, RouteMatch, TextMatch } from '../ir/ir';
import { pathWithoutQuery } from './canonical';
import { type Claims, matchesUser } from './user';

/** A request as a matcher reads it. `host` is the Host header in lower case without a port; header names are lower case. */
export interface RequestView {
  readonly method: string;
  /** Path and query as on the wire. */
  readonly path: string;
  readonly host: string;
  readonly headers: { readonly [name: string]: string };
  /** undefined: no bearer token. */
  readonly claims?: Claims | undefined;
  /** The address that its connection comes from; undefined inside the mesh, where the caller counts. */
  readonly source?: string | undefined;
}

/** A request at the proxy that routes it. `scheme`: what its listener speaks. */
export interface FirstHop extends RequestView {
  readonly scheme: 'http' | 'https';
}

/** `http.example:8080` -> `http.example`; `[::1]:8080` -> `[::1]`. */
export function hostWithoutPort(host: string): string {
  return host.toLowerCase().replace(/:[0-9]*$/, '');
}

/** Whether a path (without its query) is one of the template's. */
export function matchesPath(template: PathTemplate, path: string): boolean {
  let rest = path;
  if (template.length === 0) return rest === '/';
  for (const segment of template) {
    if (!rest.startsWith('/')) return false;
    rest = rest.slice(1);
    if (segment.kind === 'rest') return rest.length > 0;
    const slash = rest.indexOf('/');
    const text = slash < 0 ? rest : rest.slice(0, slash);
    if (segment.kind === 'literal' ? text !== segment.text : text === '') return false;
    rest = slash < 0 ? '' : rest.slice(slash);
  }
  return rest === '';
}

/** The template as a pattern for RE2 and JavaScript that must match the whole path without its query. Equal to `matchesPath` on canonical paths. */
export function pathTemplatePattern(template: PathTemplate): string {
  if (template.length === 0) return '/';
  return template.map((segment) => `/${segmentPattern(segment)}`).join('');
}
/** Text as a pattern that means itself, in RE2 and JavaScript. */
export const literalPattern = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
function segmentPattern(segment: PathTemplate[number]): string {
  switch (segment.kind) {
    case 'literal':
      return literalPattern(segment.text);
    case 'one':
      return '[^/]+';
    case 'rest':
      return '.+';
    default:
      return assertNever(segment);
  }
}

export function matchesClass(cls: RequestClass, request: Pick<RequestView, 'method' | 'path'>): boolean {
  return (cls.method === '*' || cls.method === request.method) && matchesPath(cls.path, pathWithoutQuery(request.path));
}

const patterns = new WeakMap<TextMatch, RE2JS>();
/** `undefined`: the field is not there, which no matcher takes. A regex is RE2 and must match from end to end. */
export function matchesText(match: TextMatch, value: string | undefined): boolean {
  if (value === undefined) return false;
  switch (match.kind) {
    case 'exact':
      return value === match.value;
    case 'prefix':
      return value.startsWith(match.value);
    case 'present':
      return true;
    case 'regex': {
      let pattern = patterns.get(match);
      if (!pattern) patterns.set(match, (pattern = RE2JS.compile(match.value)));
      return pattern.matches(value);
    }
    default:
      return assertNever(match);
  }
}

export function matchesHeader(field: FieldMatch, headers: RequestView['headers']): boolean {
  return matchesText(field.match, Object.hasOwn(headers, field.name) ? headers[field.name] : undefined);
}

/** The first parameter of that name, not decoded; `?a` is `a` with the empty value. */
export function matchesQuery(field: FieldMatch, path: string): boolean {
  const query = path.indexOf('?');
  if (query < 0) return false;
  for (const parameter of path.slice(query + 1).split('&')) {
    const equals = parameter.indexOf('=');
    const name = equals < 0 ? parameter : parameter.slice(0, equals);
    if (name === field.name) return matchesText(field.match, equals < 0 ? '' : parameter.slice(equals + 1));
  }
  return false;
}

/** Some cookie of that name matches: a browser may send several (RFC 6265 section 5.4), and which one the application reads is not known. */
export function matchesCookie(field: FieldMatch, headers: RequestView['headers']): boolean {
  const header = Object.hasOwn(headers, 'cookie') ? headers['cookie'] : undefined;
  if (header === undefined) return false;
  return header.split(';').some((pair) => {
    const equals = pair.indexOf('=');
    return equals >= 0 && pair.slice(0, equals).trim() === field.name && matchesText(field.match, pair.slice(equals + 1).trim());
  });
}

/** The value of the first cookie of that name, without the quotes it may stand in. */
export function firstCookie(name: string, headers: RequestView['headers']): string | undefined {
  for (const pair of (headers['cookie'] ?? '').split(';')) {
    const equals = pair.indexOf('=');
    if (equals >= 0 && pair.slice(0, equals).trim() === name)
      return pair
        .slice(equals + 1)
        .trim()
        .replace(/^"(.*)"$/, '$1');
  }
  return undefined;
}

/** The request class by which a rule takes a request: the first in order of text. null: it has none, or takes whatever there is. */
export function matchingClass(match: RouteMatch | null, request: Pick<RequestView, 'method' | 'path'>): RequestClass | null {
  const classes = sortedBy(match?.requests ?? [], (cls) => cls.text);
  return classes.find((cls) => matchesClass(cls, request)) ?? null;
}

/** Whether who comes from that address (undefined: nobody knows which) comes from one of the networks; none are all. */
export function isFrom(networks: readonly string[], source: string | undefined): boolean {
  return networks.length === 0 || (source !== undefined && networks.some((network) => isInNetwork(source, network)));
}

/** All dimensions that are given must hold; of the requests and hosts, any. `null` takes everything. */
export function matchesRoute(match: RouteMatch | null, request: RequestView, caller: Principal): boolean {
  if (match === null) return true;
  return (
    (match.callers === null || match.callers.includes(caller)) &&
    isFrom(match.sources, request.source) &&
    (match.hosts.length === 0 || match.hosts.includes(request.host)) &&
    !match.withoutHeaders.some((field) => matchesHeader(field, request.headers)) &&
    (match.requests.length === 0 || match.requests.some((cls) => matchesClass(cls, request))) &&
    match.headers.every((field) => matchesHeader(field, request.headers)) &&
    match.query.every((field) => matchesQuery(field, request.path)) &&
    match.cookies.every((field) => matchesCookie(field, request.headers)) &&
    matchesUser(match.user, request.claims)
  );
}

/** Whether `host` (lower case, no port) is `entry`, or lies under the wildcard `*.x`: one label or more before `.x`. */
export function hostCovers(entry: string, host: string): boolean {
  return entry.startsWith('*.') ? host.length > entry.length - 1 && host.endsWith(entry.slice(1)) : entry === '*' || entry === host;
}

/** The entry that a host falls to: the exact one, else the longest wildcard over it. */
export function hostEntry(entries: readonly string[], host: string): string | undefined {
  let best: string | undefined;
  for (const entry of entries) {
    if (!hostCovers(entry, host)) continue;
    if (entry === host) return entry;
    if (best === undefined || entry.length > best.length) best = entry;
  }
  return best;
}
