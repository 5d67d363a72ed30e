/** What a rule makes of a request before it is sent on, and of the headers of an answer. */
import type { HeaderEdits, PathTemplate, RequestClass, Rewrite, RouteAction, WeightedTarget } from '../ir/ir';
import type { ForwardedRequest } from './decision';
import { pathWithoutQuery } from './canonical';
import type { RequestView } from './match';
import { upgradeOf } from './upgrade';

type Headers = ForwardedRequest['headers'];

/** What a destination reads: what is said of it itself, else what its rule says of all. */
export const rewriteFor = (
  { rewrite }: Pick<Extract<RouteAction, { kind: 'forward' }>, 'rewrite'>,
  target: Pick<WeightedTarget, 'rewrite'>,
): Rewrite | null =>
  target.rewrite === null
    ? rewrite
    : { path: target.rewrite.path ?? rewrite?.path ?? null, host: target.rewrite.host ?? rewrite?.host ?? null };

/** Rewritten; its headers not edited yet. */
export function forwardedRequest(rewrite: Rewrite | null, cls: RequestClass | null, view: RequestView): ForwardedRequest {
  const { host, cookie, ...others } = view.headers;
  // a cookie header without a cookie does not come over HTTP/2, which proxies speak with each other (RFC 9113 section 8.2.3; RFC 6265 section 4.2.1)
  const headers = cookie ? { ...others, cookie } : others;
  return {
    // on HTTP/2 between proxies it is an extended CONNECT, which says no other method, and at its end a GET (RFC 8441 section 4; RFC 6455 section 4.1)
    method: upgradeOf(view.headers) === null ? view.method : 'GET',
    path: rewrite?.path ? rewrittenPath(rewrite.path, cls, view.path) : view.path,
    host: rewrite?.host ?? host ?? view.host,
    headers,
  };
}

/** A header of this name (lower case) that comes once more: cookies are crumbs of one list (RFC 9113 section 8.2.3; RFC 9110 section 5.3). */
export const joined = (name: string, before: string | undefined, value: string): string =>
  before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ','}${value}`;

/** One edit after the other. In each first what goes, then what is set in place of all of that name, then what is added to it. */
export function edited(headers: Headers, edits: readonly HeaderEdits[]): Headers {
  const result = new Map(Object.entries(headers));
  for (const { remove, set, add } of edits) {
    for (const name of remove) result.delete(name);
    for (const { name, value } of set) result.set(name, value);
    for (const { name, value } of add) {
      result.set(name, joined(name, result.get(name), value));
    }
  }
  return Object.fromEntries(result);
}

/** The path of a template, its parameters taken from where they stand in the class that the path is of; the query stays. */
export function rewrittenPath(template: PathTemplate, cls: RequestClass | null, path: string): string {
  const old = pathWithoutQuery(path);
  const values = cls ? parametersOf(cls.path, old) : new Map<string, string>();
  const text = template.map((segment) => `/${segment.kind === 'literal' ? segment.text : (values.get(segment.name) ?? '')}`).join('');
  return `${text === '' ? '/' : text}${path.slice(old.length)}`;
}

/** What the parameters of a template stand for in a path that it takes. */
function parametersOf(template: PathTemplate, path: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  let rest = path;
  for (const segment of template) {
    rest = rest.slice(1);
    const end = segment.kind === 'rest' || !rest.includes('/') ? rest.length : rest.indexOf('/');
    if (segment.kind !== 'literal') values.set(segment.name, rest.slice(0, end));
    rest = rest.slice(end);
  }
  return values;
}
