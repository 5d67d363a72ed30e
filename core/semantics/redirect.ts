import type { RequestClass, RouteAction } from '../ir/ir';
import { rewrittenPath } from './forwarded';
import type { FirstHop } from './match';

/**
 * Where a redirect leads. What it does not name is as asked: the scheme of the listener, the host with its port, path and query. A port of the request's
 * (an empty one too: RFC 3986 section 3.2.3) goes when the redirect names one, and when it is the usual one of a scheme that changes. (Envoy: `RedirectAction`; RFC 9110 section 10.2.2.)
 */
export function locationOf(action: Extract<RouteAction, { kind: 'redirect' }>, cls: RequestClass | null, view: FirstHop): string {
  const scheme = action.scheme ?? view.scheme;
  const asked = view.headers['host'] ?? view.host;
  const usual = view.scheme === 'https' ? ':443' : ':80';
  const portGoes = action.port !== null || (scheme !== view.scheme && asked.endsWith(usual));
  const host = action.host ?? (portGoes ? asked.replace(/:[0-9]*$/, '') : asked);
  const path = action.path ? rewrittenPath(action.path, cls, view.path) : view.path;
  return `${scheme}://${host}${action.port === null ? '' : `:${action.port}`}${path}`;
}
