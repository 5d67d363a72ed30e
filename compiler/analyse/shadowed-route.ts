import { isWithinNetwork } from '../../core/lib/network';
import { analyse as messages } from '../../core/diagnostics/analyse';
import type { FieldMatch, PathTemplate, RequestClass, RouteMatch, RouteRule, TextMatch, UserMatch } from '../../core/ir/ir';
import { canonicalJson } from '../../core/lib/json';
import { matchesText } from '../../core/semantics/match';
import type { Analyser, AnalyserInput, Finding } from './finding';

/** A route rule that can never match: each of its request classes is taken by one rule before it. */
export const shadowedRoute: Analyser = {
  name: 'shadowed-route',
  inputs: ['routes', 'hostRoutes'],
  *run(input) {
    for (const table of input.ir.routes) if (table.id !== null) yield* shadowedIn(input, table.rules, table.id);
    for (const table of input.ir.hostRoutes) yield* shadowedIn(input, table.rules, table.id);
  },
};

function* shadowedIn({ spanOf }: AnalyserInput, rules: readonly RouteRule[], table: string): Generator<Finding> {
  for (const [index, rule] of rules.entries()) {
    const { match } = rule;
    if (!match) continue;
    const earlier = rules.slice(0, index);
    const classes: readonly (RequestClass | null)[] = match.requests.length > 0 ? match.requests : [null];
    const takers = classes.map((cls) => earlier.find((before) => takes(before.match, match, cls)));
    const [first] = takers;
    if (!first || takers.includes(undefined)) continue;
    const span = spanOf(first.id);
    const related = span ? [{ message: 'this rule takes them', span }] : [];
    yield { diagnostic: messages.neverMatches({ rule: rule.id, by: first.id }, { span: spanOf(rule.id), related }), subjects: [table] };
  }
}

/** Whether `before` takes every request of class `cls` (null: any) that meets the conditions of `match`. */
function takes(before: RouteMatch | null, match: RouteMatch, cls: RequestClass | null): boolean {
  if (before === null) return true;
  const path =
    before.requests.length === 0 ||
    (cls !== null &&
      before.requests.some((other) => (other.method === '*' || other.method === cls.method) && coversTemplate(other.path, cls.path)));
  return (
    path &&
    implied(match.headers, before.headers) &&
    before.withoutHeaders.every((field) => rulesOut(match, field)) &&
    implied(match.query, before.query) &&
    implied(match.cookies, before.cookies) &&
    isWithin(match.hosts, before.hosts) &&
    isAlso(match.user, before.user) &&
    isFromWithin(match.sources, before.sources) &&
    (before.callers === null || (match.callers !== null && match.callers.every((caller) => before.callers?.includes(caller))))
  );
}

/** Whether whoever is `narrow` is `wide` too. */
function isAlso(narrow: UserMatch | null, wide: UserMatch | null): boolean {
  if (wide === null) return true;
  if (narrow === null || narrow.issuer !== wide.issuer) return false;
  return wide.claims.every((claim) => narrow.claims.some((own) => canonicalJson(own) === canonicalJson(claim)));
}

/** Whether no request that meets `match` has that header as it is said. */
function rulesOut(match: RouteMatch, field: FieldMatch): boolean {
  if (match.withoutHeaders.some((own) => own.name === field.name && implies(field.match, own.match))) return true;
  return match.headers.some((own) => own.name === field.name && own.match.kind === 'exact' && !matchesText(field.match, own.match.value));
}
/** Whether who comes from the narrow networks comes from the wide ones. Empty means from anywhere. */
export const isFromWithin = (narrow: readonly string[], wide: readonly string[]): boolean =>
  wide.length === 0 || (narrow.length > 0 && narrow.every((one) => wide.some((other) => isWithinNetwork(one, other))));
/** Empty means any. */
const isWithin = (narrow: readonly string[], wide: readonly string[]): boolean =>
  wide.length === 0 || (narrow.length > 0 && narrow.every((one) => wide.includes(one)));

/** Whether whoever meets `given` meets all of `wanted`. */
function implied(given: readonly FieldMatch[], wanted: readonly FieldMatch[]): boolean {
  return wanted.every((want) => given.some((have) => have.name === want.name && implies(have.match, want.match)));
}
function implies(have: TextMatch, want: TextMatch): boolean {
  if (want.kind === 'present') return true;
  if (have.kind === 'exact') return matchesText(want, have.value);
  if (have.kind === 'prefix') return want.kind === 'prefix' && have.value.startsWith(want.value);
  return have.kind === 'regex' && want.kind === 'regex' && have.value === want.value;
}

/** Whether every path of `narrow` is one of `wide`. */
export function coversTemplate(wide: PathTemplate, narrow: PathTemplate): boolean {
  const [first, ...more] = wide;
  const [other, ...others] = narrow;
  if (first === undefined || other === undefined) return wide.length === narrow.length;
  if (first.kind === 'rest') return narrow.length > 1 || other.kind !== 'literal' || other.text !== '';
  if (other.kind === 'rest') return false;
  const covers = first.kind === 'one' ? other.kind === 'one' || other.text !== '' : other.kind === 'literal' && other.text === first.text;
  return covers && coversTemplate(more, others);
}
