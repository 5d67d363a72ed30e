/** What a route rule of HTTP says beside where it goes: paths made of other paths, edits of headers, copies, faults, and who keeps a destination. */
import { answers } from '../../core/diagnostics/answers';
import { ir as messages } from '../../core/diagnostics/ir';
import type { OrPerEnv, WireFault, WireHeaderEdit, WirePercent, WireRewrite, WireSticky } from '../../core/declarations/declaration';
import type { Abort, Fault, HeaderEdits, HeaderValue, PathTemplate, Rewrite, RouteMatch, ServicePort, Sticky } from '../../core/ir/ir';
import { noEdits } from '../../core/ir/plain';
import { grpcStatuses, grpcStatusNumber } from '../../core/mesh/grpc-status';
import { sortedBy } from '../../core/lib/order';
import type { UrlDialect } from '../../core/semantics/canonical';
import { isCanonicalPath } from '../../core/semantics/canonical';
import type { Context, Place } from './context';
import { whyNoName, whyNotEdited } from './fields';
import { parseTemplate } from './request-line';
import { checkHost } from './names';
import { within } from './settings';
import { durationMs, percent, wholeNumber } from './units';

/** RE2, by which Envoy makes paths, has no more groups. */
const mostParameters = 9;
/** A path that is made of the paths that a rule takes: each parameter is one of every request of the rule, and takes as much there. */
export function lowerPath(context: Context, text: string, match: RouteMatch | null, at: Place): PathTemplate | undefined {
  const path = parseTemplate(text, 'rfc3986');
  if (typeof path === 'string') {
    context.report(messages.badRequestLine, { line: text, why: path }, at);
    return undefined;
  }
  if (path.filter((segment) => segment.kind !== 'literal').length > mostParameters) {
    context.report(messages.badRequestLine, { line: text, why: `it is made of more than ${mostParameters} parameters` }, at);
    return undefined;
  }
  const requests = match?.requests ?? [];
  for (const segment of path) {
    if (segment.kind === 'literal') continue;
    const name = segment.kind === 'one' ? `{${segment.name}}` : `{${segment.name}...}`;
    const without = requests.find((cls) => !cls.path.some((own) => own.kind === segment.kind && own.name === segment.name));
    if (requests.length > 0 && !without) continue;
    context.report(messages.rewriteParameter, { parameter: name, request: without?.text ?? null }, at);
    return undefined;
  }
  return path;
}

/** undefined: it was reported. */
export function lowerRewrite(
  context: Context,
  written: WireRewrite | undefined,
  match: RouteMatch | null,
  at: Place,
): Rewrite | null | undefined {
  if (written === undefined) return null;
  const path = written.path === undefined ? null : lowerPath(context, written.path, match, at);
  if (written.path === undefined && written.host === undefined) context.report(messages.empty, { what: 'the rewrite' }, at);
  if (written.host !== undefined) checkHost(context, written.host, false, at);
  return path === undefined ? undefined : { path, host: written.host ?? null };
}

/** Whether each port that reads a rewritten path can have such a path at all. What parameters stand for was canonical before. */
export function checkDialects(
  context: Context,
  path: PathTemplate,
  ports: readonly { readonly key: string; readonly urls: UrlDialect }[],
  at: Place,
): void {
  const text = path.map((segment) => `/${segment.kind === 'literal' ? segment.text : 'x'}`).join('') || '/';
  for (const { key, urls } of ports)
    if (!isCanonicalPath(text, urls)) context.report(messages.rewriteNotCanonical, { path: text, port: key, urls }, at);
}

const mostEdits = 32;
/** Names lower case, each said once. What a mesh depends on is nobody's to edit. */
export function lowerEdits(context: Context, edit: WireHeaderEdit | undefined, layer: 'http' | 'grpc', at: Place): HeaderEdits {
  if (edit === undefined) return noEdits;
  const names = new Set<string>();
  const taken = (written: string, list: 'set' | 'add' | 'remove'): string | undefined => {
    const name = written.toLowerCase();
    const why = whyNotEdited(name, layer);
    if (why !== undefined) context.report(messages.headerNotEditable, { name: written, why }, within(at, list));
    else if (names.has(name)) context.report(messages.headerEditedTwice, { name: written }, within(at, list));
    else {
      names.add(name);
      return name;
    }
    return undefined;
  };
  const values = (list: 'set' | 'add'): readonly HeaderValue[] =>
    sortedBy(
      Object.keys(edit[list] ?? {}).flatMap((written): HeaderValue[] => {
        const name = taken(written, list);
        const value = edit[list]?.[written] ?? '';
        if (/^[!-~](?:[ -~]{0,1022}[!-~])?$/.test(value)) return name === undefined ? [] : [{ name, value }];
        context.report(messages.badHeaderValue, { name: written }, within(at, list));
        return [];
      }),
      ({ name }) => name,
    );
  const set = values('set');
  const add = values('add');
  const remove = (edit.remove ?? []).flatMap((written) => taken(written, 'remove') ?? []).sort();
  if ([...Object.keys(edit.set ?? {}), ...Object.keys(edit.add ?? {}), ...(edit.remove ?? [])].length === 0)
    context.report(messages.empty, { what: 'an edit of headers' }, at);
  wholeNumber(context, 'number of edits', names.size, 0, mostEdits, at);
  return { remove, set, add };
}

/** Percent. */
export const lowerShare = (context: Context, share: OrPerEnv<WirePercent>, at: Place): number | undefined => {
  const text = context.pick(share, at);
  return text === undefined ? undefined : percent(context, text, at);
};

/** What a list of routes is for; null at a gateway's host. */
interface FaultSubject {
  readonly key: string;
  readonly port: Pick<ServicePort, 'layer'> | null;
}
/** null where nothing is ever hit. */
export function lowerFault(context: Context, fault: WireFault | undefined, { key, port }: FaultSubject, at: Place): Fault | null {
  if (fault === undefined) return null;
  if (!fault.delay && !fault.abort) context.report(messages.empty, { what: 'the fault' }, at);
  const delayShare = fault.delay && lowerShare(context, fault.delay.share, within(at, 'delay'));
  const ms = fault.delay && durationMs(context, fault.delay.for, within(at, 'delay'));
  const abortShare = fault.abort && lowerShare(context, fault.abort.share, within(at, 'abort'));
  const answer = fault.abort && lowerAbort(context, fault.abort.status, { key, port }, within(at, 'abort'));
  const delay = ms && delayShare ? { ms, percent: delayShare } : null;
  const abort = answer && abortShare ? { ...answer, percent: abortShare } : null;
  return delay || abort ? { delay, abort } : null;
}

/** Each is answered in words of its own protocol: no gRPC client reads a status of HTTP as what it was meant to be. */
function lowerAbort(
  context: Context,
  written: number | string,
  { key, port }: FaultSubject,
  at: Place,
): Omit<Abort, 'percent'> | undefined {
  if (typeof written === 'number') {
    if (port?.layer === 'grpc') return void context.report(messages.grpcAnswer, { port: key, what: 'fault.abort' }, at);
    const status = wholeNumber(context, 'status of a fault', written, 200, 599, at);
    if (status === 204 || status === 205 || status === 304) context.report(answers.bodilessAbort, { status }, at);
    return status === undefined ? undefined : { kind: 'http', status };
  }
  if (port?.layer !== 'grpc') {
    context.report(messages.grpcAbort, { port: key, status: written }, at);
    return undefined;
  }
  const status = lowerGrpcStatus(context, written, at);
  return status === undefined ? undefined : { kind: 'grpc', status };
}
/** By its number. */
export function lowerGrpcStatus(context: Context, word: string, at: Place): number | undefined {
  const status = grpcStatuses.find((known) => known === word);
  if (!status) context.report(messages.unknownPart, { what: 'gRPC status', name: word, of: 'the protocol', known: grpcStatuses }, at);
  return status && grpcStatusNumber(status);
}

const longestCookieMs = 400 * 24 * 3_600_000;
export function lowerSticky(context: Context, sticky: WireSticky | undefined, isSplit: boolean, at: Place): Sticky | null {
  if (sticky === undefined) return null;
  const what = sticky.kind === 'header' ? 'header' : 'cookie';
  const name = sticky.kind === 'header' ? sticky.name.toLowerCase() : sticky.name;
  const why = whyNoName(what, name);
  if (why !== undefined) context.report(messages.badFieldName, { what, name: sticky.name, why }, at);
  if (!isSplit) context.report(messages.stickyAlone, {}, at);
  if (sticky.kind !== 'issued') return { kind: sticky.kind, name };
  if (sticky.for === undefined) return { kind: 'issued', name, forMs: null };
  const forMs = durationMs(context, sticky.for, within(at, 'for'), longestCookieMs);
  if (forMs !== undefined && forMs % 1000 !== 0)
    context.report(messages.badDuration, { text: sticky.for, why: 'a cookie lives for whole seconds' }, within(at, 'for'));
  return forMs === undefined ? null : { kind: 'issued', name, forMs };
}
