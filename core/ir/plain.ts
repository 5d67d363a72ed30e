/** Route parts that say nothing: what a rule is where its owner wrote nothing of the kind. */
import type { HeaderEdits, RouteAction, RouteMatch, WeightedTarget } from './ir';
import { builtInIdleMs } from './resilience';

export const noEdits: HeaderEdits = { remove: [], set: [], add: [] };
export const anyMatch: RouteMatch = {
  requests: [],
  headers: [],
  withoutHeaders: [],
  query: [],
  cookies: [],
  hosts: [],
  callers: null,
  sources: [],
  user: null,
};
type Forward = Extract<RouteAction, { kind: 'forward' }>;
export const plainForward: Omit<Forward, 'to' | 'timeoutMs' | 'retry'> & { readonly kind: 'forward' } = {
  kind: 'forward',
  idleMs: builtInIdleMs,
  sticky: null,
  rewrite: null,
  requestHeaders: noEdits,
  responseHeaders: noEdits,
  mirrors: [],
  fault: null,
};
export const plainTarget: Pick<WeightedTarget, 'version' | 'weight' | 'rewrite' | 'requestHeaders' | 'responseHeaders'> = {
  version: null,
  weight: 100,
  rewrite: null,
  requestHeaders: noEdits,
  responseHeaders: noEdits,
};
export const plainRespond = { kind: 'respond', body: null, responseHeaders: noEdits } as const;
export const plainRedirect = {
  kind: 'redirect',
  scheme: null,
  host: null,
  port: null,
  path: null,
  status: 302,
  responseHeaders: noEdits,
} as const;
