import type { HostRoutes, MeshIr, PathTemplate, RouteMatch, RouteRule, RouteTable } from './ir';
import { anyMatch, plainForward, plainRedirect, plainRespond, plainTarget } from './plain';

/** An IR that an earlier compiler kept, with the parts that came later: nothing could be said about them then. */
export const completed = (kept: Omit<MeshIr, LaterPart> & Partial<Pick<MeshIr, LaterPart>>): MeshIr => ({
  deploys: [],
  products: [],
  connectionRoutes: [],
  ...kept,
  routes: kept.routes.map((table): RouteTable => ({ ...table, cors: table.cors ?? null, rules: table.rules.map(completedRule) })),
  hostRoutes: kept.hostRoutes.map((table): HostRoutes => ({ ...table, cors: table.cors ?? null, rules: table.rules.map(completedRule) })),
});
type LaterPart = 'deploys' | 'products' | 'connectionRoutes';

/** What is there wins over what nothing was said about. */
function completedRule(rule: RouteRule): RouteRule {
  const match: RouteMatch | null = rule.match && { ...anyMatch, ...rule.match };
  const { action } = rule;
  switch (action.kind) {
    case 'forward':
      return { ...rule, match, action: { ...plainForward, ...action, to: action.to.map((target) => ({ ...plainTarget, ...target })) } };
    case 'respond':
      return { ...rule, match, action: { ...plainRespond, ...action } };
    case 'respondGrpc':
      return { ...rule, match };
    case 'redirect':
      return { ...rule, match, action: { ...plainRedirect, ...action, path: pathOf(action.path) } };
  }
}
/** A path to redirect to was a text once. */
function pathOf(path: unknown): PathTemplate | null {
  if (typeof path !== 'string') return Array.isArray(path) ? path : null;
  return path === '/'
    ? []
    : path
        .slice(1)
        .split('/')
        .map((text) => ({ kind: 'literal', text }));
}
