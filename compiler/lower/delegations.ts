/** Paths of a port or host that its owner gave to another team, and the lists that those teams wrote for them. */
import { ir as messages } from '../../core/diagnostics/ir';
import type { Ref } from '../../core/declarations/declaration';
import type { PathTemplate, RequestClass, RouteRule } from '../../core/ir/ir';
import { anyMatch } from '../../core/ir/plain';
import { sortedBy } from '../../core/lib/order';
import type { UrlDialect } from '../../core/semantics/canonical';
import type { Context, Place } from './context';
import { checkTeam } from './names';
import { checkOwner } from './nouns';
import { parseTemplate } from './request-line';

/** A list of routes that paths can be taken out of. */
export interface Delegable {
  readonly key: string;
  readonly owner: string;
  readonly urls: UrlDialect;
}
export interface Delegation {
  readonly id: string;
  /** `/catalog` */
  readonly text: string;
  readonly path: PathTemplate;
  readonly to: string;
  readonly on: Ref;
  readonly subject: Delegable;
}

/** Every delegation by id; those that are wrong are reported and left out. `subjectOf` reports what is no port or host. */
export function lowerDelegations(
  context: Context,
  subjectOf: (on: Ref, at: Place) => Delegable | undefined,
): ReadonlyMap<string, Delegation> {
  const found = new Map<string, Delegation>();
  for (const { id, team, value } of context.all('delegation')) {
    const subject = subjectOf(value.on, { id, path: 'on' });
    if (!subject) continue;
    checkOwner(context, { team, id }, 'delegate paths of', subject.key, subject.owner, false);
    if (!checkTeam(context, value.to, { id, path: 'to' })) continue;
    const path = parseTemplate(value.path, subject.urls);
    const why = typeof path === 'string' ? path : whyNoPrefix(path);
    if (typeof path === 'string' || why !== undefined) {
      context.report(messages.badRequestLine, { line: value.path, why: why ?? '' }, { id, path: 'path' });
      continue;
    }
    const first = [...found.values()].find((other) => other.subject.key === subject.key && other.text === value.path);
    if (first) context.report(messages.delegatedTwice, { path: value.path, on: subject.key, first: first.id }, { id, path: 'path' });
    else found.set(id, { id, text: value.path, path, to: value.to, on: value.on, subject });
  }
  return found;
}

function whyNoPrefix(path: PathTemplate): string | undefined {
  if (path.length === 0) return 'that is everything: let the team own the host or service';
  if (path.some((segment) => segment.kind !== 'literal')) return 'a prefix has no parameters';
  return path.at(-1)?.kind === 'literal' && path.some((segment) => segment.kind === 'literal' && segment.text === '')
    ? 'a prefix ends with a segment'
    : undefined;
}

/** The rules of a delegated list, each held to what is under the prefix; those that leave it are reported. */
export function boundRules(
  context: Context,
  { path, text, subject, id: delegation }: Delegation,
  rules: readonly RouteRule[],
  id: string,
): readonly RouteRule[] {
  return rules.map((rule): RouteRule => {
    const match = rule.match ?? anyMatch;
    for (const request of match.requests) {
      if (path.every((segment, index) => isSameLiteral(segment, request.path[index]))) continue;
      const at = { id, path: `${rule.id.slice(id.length + 1)}.when.request` };
      context.report(messages.outsideDelegation, { request: request.text, path: text, owner: delegation }, at);
    }
    return match.requests.length > 0 ? rule : { ...rule, match: { ...match, requests: everythingUnder(path, text, subject.urls) } };
  });
}

const isSameLiteral = (a: PathTemplate[number], b: PathTemplate[number] | undefined): boolean =>
  a.kind === 'literal' && b?.kind === 'literal' && a.text === b.text;

/** By text. */
function everythingUnder(path: PathTemplate, text: string, urls: UrlDialect): readonly RequestClass[] {
  const any = (more: PathTemplate, written: string): RequestClass => ({
    method: '*',
    path: [...path, ...more],
    text: `* ${text}${written}`,
  });
  const slash: PathTemplate = [{ kind: 'literal', text: '' }];
  return [any([], ''), ...(urls === 'servlet' ? [] : [any(slash, '/')]), any([{ kind: 'rest', name: 'rest' }], '/{rest...}')];
}

/** A table's rules with those of its delegations before them: a longer prefix before a shorter one, so that what was given out of it stays given. */
export function withDelegated(
  own: readonly RouteRule[],
  lists: readonly { readonly delegation: Delegation; readonly rules: readonly RouteRule[] }[],
): readonly RouteRule[] {
  const inOrder = sortedBy(
    lists,
    ({ delegation }) => String(1000 - delegation.path.length),
    ({ delegation }) => delegation.text,
  );
  return [...inOrder.flatMap(({ rules }) => rules), ...own];
}
