/**
 * Requests that stand for all requests: one for each way in which the rules of a port tell requests apart. Paths by template, by the meeting of two
 * templates, and one that no rule names; conditions none, each rule's own, and all together. What cannot be shown by an example (an expression that no
 * text was found for) is left out, so a comparison by probes says what it found and never that there is nothing more.
 */
import type { AccessRule, Cors, FieldMatch, MeshIr, PathTemplate, RequestClass, RouteRule, UserMatch } from '../ir/ir';
import { targetsOfRules } from '../ir/edges';
import { canonicalJson, type Json, type JsonObject } from '../lib/json';
import { accessOf } from '../ir/lookup';
import type { PortKey } from '../mesh/ids';
import { sortedBy, sortedUnique } from '../lib/order';
import { exampleText } from './example-text';
import { isCanonicalPath } from './canonical';

export interface Probe {
  /** `GET /reviews/{id}`: the class it stands for, for people. */
  readonly text: string;
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: { readonly [name: string]: string };
  /** Of a valid token; absent: no token. */
  readonly claims?: JsonObject;
}

/** What tells requests apart: rules of a route list and the access rules of where it leads. */
export interface Deciders {
  readonly rules: readonly RouteRule[];
  readonly access: readonly AccessRule[];
}

export function decidersOf(ir: MeshIr, rules: readonly RouteRule[], port: PortKey | null): Deciders {
  const ports = new Set([...targetsOfRules(rules), ...(port === null ? [] : [port])]);
  return { rules, access: [...ports].sort().flatMap((key) => accessOf(ir, key).filter((rule) => rule.mode === 'enforce')) };
}

const mostPaths = 100;
const mostProbes = 600;

/** What is in the one and not in the other, request class by request class: whatever else is cut off, a comparison asks about these. */
export function differing(before: readonly Deciders[], after: readonly Deciders[]): Deciders {
  const [old, fresh] = [partsOf(before), partsOf(after)];
  const only = (here: Parts, there: Parts): Deciders => ({
    rules: [...here.rules].flatMap(([key, rule]) => (there.rules.has(key) ? [] : [rule])),
    access: [...here.access].flatMap(([key, rule]) => (there.access.has(key) ? [] : [rule])),
  });
  const [lost, gained] = [only(old, fresh), only(fresh, old)];
  return { rules: [...lost.rules, ...gained.rules], access: [...lost.access, ...gained.access] };
}
interface Parts {
  readonly rules: ReadonlyMap<string, RouteRule>;
  readonly access: ReadonlyMap<string, AccessRule>;
}
/** Rules of one request class each, by what they mean. */
function partsOf(deciders: readonly Deciders[]): Parts {
  const access = deciders.flatMap((d) =>
    d.access.flatMap((rule) => (rule.requests === 'any' ? [rule] : rule.requests.map((cls) => ({ ...rule, requests: [cls] })))),
  );
  const rules = deciders.flatMap((d) =>
    d.rules.flatMap((rule) => {
      const { match } = rule;
      return match && match.requests.length > 1 ? match.requests.map((cls) => ({ ...rule, match: { ...match, requests: [cls] } })) : [rule];
    }),
  );
  return {
    rules: new Map(rules.map((rule) => [canonicalJson([rule.match, rule.action]), rule])),
    access: new Map(access.map((rule) => [canonicalJson({ ...rule, id: '', because: null }), rule])),
  };
}

/**
 * Probes for all of these deciders together (those of before and after, for a comparison), those for `first` before the rest where there are too
 * many. In order of text, path and headers.
 */
export function probesFor(deciders: readonly Deciders[], first: Deciders = { rules: [], access: [] }): readonly Probe[] {
  const all: Deciders = {
    rules: [...first.rules, ...deciders.flatMap((d) => d.rules)],
    access: [...first.access, ...deciders.flatMap((d) => d.access)],
  };
  const conditions = conditionsOf(all.rules, all.access);
  const probes = new Map<string, Probe>();
  for (const lines of [linesOf(classesOf(first)), linesOf(classesOf(all))]) {
    for (const condition of conditions) {
      for (const line of lines) {
        const probe = {
          ...line,
          path: `${line.path}${condition.query}`,
          headers: condition.headers,
          ...(condition.claims ? { claims: condition.claims } : {}),
        };
        const key = JSON.stringify([probe.method, probe.path, probe.headers, condition.claims ?? null]);
        if (probes.size < mostProbes) probes.set(key, probe);
      }
    }
  }
  return sortedBy(
    probes.values(),
    (p) => p.text,
    (p) => p.path,
    (p) => JSON.stringify(p.headers),
    (p) => JSON.stringify(p.claims ?? null),
  );
}

/** A preflight request and a plain one from each origin that some policy names. */
export function corsProbes(policies: readonly (Cors | null)[]): readonly Probe[] {
  const origins = sortedUnique(policies.flatMap((cors) => cors?.origins.flatMap((origin) => exampleText(origin) ?? []) ?? []));
  return origins.flatMap((origin): Probe[] => [
    { text: 'OPTIONS (preflight)', method: 'OPTIONS', path: '/', headers: { origin, 'access-control-request-method': 'GET' } },
    { text: 'GET (of another origin)', method: 'GET', path: '/', headers: { origin } },
  ]);
}

function classesOf({ rules, access }: Deciders): readonly RequestClass[] {
  const all = [
    ...access.flatMap((rule) => (rule.requests === 'any' ? [] : rule.requests)),
    ...rules.flatMap((rule) => rule.match?.requests ?? []),
  ];
  return [...new Map(all.map((cls) => [cls.text, cls])).values()];
}

interface Line {
  readonly text: string;
  readonly method: string;
  readonly path: string;
}
function linesOf(classes: readonly RequestClass[]): readonly Line[] {
  const templates = new Map<string, PathTemplate>();
  const add = (template: PathTemplate): void => {
    if (templates.size < mostPaths) templates.set(templateText(template), template);
  };
  for (const cls of classes) add(cls.path);
  for (const [index, a] of classes.entries()) {
    for (const b of classes.slice(index + 1)) {
      const meeting = meet(a.path, b.path);
      if (meeting) add(meeting);
    }
  }
  const methods = new Set(['GET', 'POST']);
  for (const { method } of classes) if (method !== '*') methods.add(method);
  const named = classes.some((cls) => cls.method !== '*');
  const lines: Line[] = [];
  for (const method of [...methods, ...(named ? ['OPTIONS'] : [])].sort()) {
    for (const [text, template] of templates) lines.push({ text: `${method} ${text}`, method, path: examplePath(template) });
    lines.push({ text: `${method} (any other path)`, method, path: '/meshwright-other/path' });
  }
  return lines.filter((line) => isCanonicalPath(line.path, 'rfc3986'));
}

/** The template of the paths that both take; null when none does. */
export function meet(a: PathTemplate, b: PathTemplate): PathTemplate | null {
  const [first, ...more] = a;
  const [other, ...others] = b;
  if (first === undefined || other === undefined) return a.length === b.length ? [] : null;
  if (first.kind === 'rest') return b.length > 1 || isWhole(other) ? b : null;
  if (other.kind === 'rest') return a.length > 1 || isWhole(first) ? a : null;
  const segment = first.kind === 'literal' ? first : other;
  if (first.kind === 'literal' && other.kind === 'literal' && first.text !== other.text) return null;
  if (segment.kind === 'literal' && segment.text === '' && (first.kind === 'one' || other.kind === 'one')) return null;
  const tail = more.length === 0 && others.length === 0 ? [] : more.length === 0 || others.length === 0 ? null : meet(more, others);
  return tail && [segment, ...tail];
}
const isWhole = (segment: PathTemplate[number]): boolean => segment.kind !== 'literal' || segment.text !== '';

/** A path of the template. */
export function examplePath(template: PathTemplate): string {
  if (template.length === 0) return '/';
  return template.map((segment) => (segment.kind === 'literal' ? `/${segment.text}` : segment.kind === 'one' ? '/7' : '/x/y')).join('');
}
function templateText(template: PathTemplate): string {
  if (template.length === 0) return '/';
  return template
    .map((segment) =>
      segment.kind === 'literal' ? `/${segment.text}` : segment.kind === 'one' ? `/{${segment.name}}` : `/{${segment.name}...}`,
    )
    .join('');
}

interface Conditions {
  readonly headers: { readonly [name: string]: string };
  /** With its `?`, or empty. */
  readonly query: string;
  readonly claims?: JsonObject;
}
function conditionsOf(rules: readonly RouteRule[], access: readonly AccessRule[]): readonly Conditions[] {
  const sets = new Map<string, Conditions>();
  const add = (
    headers: readonly FieldMatch[],
    query: readonly FieldMatch[],
    cookies: readonly FieldMatch[],
    hosts: readonly string[],
    user: UserMatch | null = null,
  ): void => {
    const conditions = meetConditions(headers, query, cookies, hosts);
    if (!conditions) return;
    const whose = user === null ? conditions : { ...conditions, claims: exampleClaims(user) };
    sets.set(JSON.stringify(whose), whose);
  };
  add([], [], [], []);
  for (const { match } of rules) {
    if (!match) continue;
    add(match.headers, match.query, match.cookies, match.hosts, match.user);
    // what such a rule does not take
    if (match.withoutHeaders.length > 0)
      add([...match.headers, ...match.withoutHeaders], match.query, match.cookies, match.hosts, match.user);
  }
  for (const rule of access) add(rule.headers, [], [], rule.hosts, rule.user);
  // a token of the issuer that says nothing more
  const users = [...rules.map(({ match }) => match?.user ?? null), ...access.map(({ user }) => user)].filter((user) => user !== null);
  for (const { issuer } of users) add([], [], [], [], { issuer, claims: [] });
  const matches = rules.flatMap((rule) => (rule.match ? [rule.match] : []));
  const first = <T extends FieldMatch>(fields: readonly T[]): readonly T[] => [
    ...new Map([...fields].reverse().map((field) => [field.name, field])).values(),
  ];
  add(
    first([...matches.flatMap((m) => m.headers), ...access.flatMap((rule) => rule.headers)]),
    first(matches.flatMap((m) => m.query)),
    first(matches.flatMap((m) => m.cookies)),
    [],
  );
  // What a route rule asks for together with what an access rule asks for: only both let a request through.
  for (const match of matches.slice(0, 20))
    for (const rule of access.slice(0, 20))
      if (rule.headers.length > 0 || rule.user !== null)
        add(first([...rule.headers, ...match.headers]), match.query, match.cookies, rule.hosts, bothUsers(match.user, rule.user));
  return [...sets.values()];
}

/** Claims of somebody whom the condition takes. */
export function exampleClaims({ issuer, claims }: UserMatch): JsonObject {
  const lists = new Map<string, string[]>();
  const made: { [name: string]: Json } = { iss: issuer };
  for (const { name, kind, values } of claims) {
    const [first = ''] = values;
    if (kind === 'includes') lists.set(name, [...(lists.get(name) ?? []), first]);
    else made[name] = first;
  }
  return { ...made, ...Object.fromEntries(lists) };
}
const bothUsers = (a: UserMatch | null, b: UserMatch | null): UserMatch | null =>
  a === null || b === null || a.issuer !== b.issuer ? (a ?? b) : { issuer: a.issuer, claims: [...a.claims, ...b.claims] };

function meetConditions(
  headers: readonly FieldMatch[],
  query: readonly FieldMatch[],
  cookies: readonly FieldMatch[],
  hosts: readonly string[],
): Conditions | null {
  const values = (fields: readonly FieldMatch[]): readonly (readonly [string, string])[] | null => {
    const pairs = fields.map(({ name, match }) => [name, exampleText(match)] as const);
    return pairs.some(([, value]) => value === undefined)
      ? null
      : pairs.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  };
  const [h, q, c] = [values(headers), values(query), values(cookies)];
  if (!h || !q || !c) return null;
  const all: { [name: string]: string } = Object.fromEntries(h);
  if (c.length > 0) all['cookie'] = c.map((pair) => pair.join('=')).join('; ');
  if (hosts[0] !== undefined) all['host'] = hosts[0];
  return { headers: all, query: q.length > 0 ? `?${q.map((pair) => pair.join('=')).join('&')}` : '' };
}
