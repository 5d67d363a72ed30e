import { canonicalJson } from '../../core/lib/json';
import { nameOf } from '../../core/mesh/ids';
import type { WorkloadKey } from '../../core/mesh/ids';
import type { CallChange, CallChangeKind, MeshDiff } from './diff';
import type { DeployChange } from './deploys';
import type { IssuerChange } from './issuers';
import { isEmptyDiff } from './diff';

export type DiffFormat = 'text' | 'markdown' | 'json';
export interface FormatOptions {
  /** `books/traffic.policy.ts:9` for a rule id, where known. */
  readonly placeOf?: (rule: string) => string | undefined;
  /** Lines shown of each kind before `and n more`. Default 50. */
  readonly most?: number;
}

/** A diff for a terminal, a pull request, or a program. */
export function formatDiff(diff: MeshDiff, format: DiffFormat, options: FormatOptions = {}): string {
  if (format === 'json') return canonicalJson(diff);
  return format === 'markdown' ? markdown(diff, options) : text(diff, options);
}

const verbs: { readonly [kind in CallChangeKind]: string } = { gained: 'gains', lost: 'loses', rerouted: 'reroutes', changed: 'changes' };

function text(diff: MeshDiff, options: FormatOptions): string {
  const rows = diff.calls
    .slice(0, options.most ?? 50)
    .map((call) => [
      verbs[call.kind],
      `${call.caller} -> ${call.target}`,
      shown(call),
      `${call.before}  ->  ${call.after}`,
      placeText(call, options),
    ]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
  const indent = ' '.repeat(diff.environment.length + 2);
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (column < 4 ? cell.padEnd(widths[column] ?? 0) : cell))
      .join('   ')
      .trimEnd(),
  );
  if (diff.calls.length > rows.length) lines.push(`and ${diff.calls.length - rows.length} more`);
  for (const port of diff.ports) lines.push(`${port.port}: ${port.field} ${port.before}  ->  ${port.after}`);
  for (const { host, listener, gateway, change } of diff.exposure) lines.push(`${change} ${host} at ${gateway} (${listener})`);
  for (const change of diff.deploys)
    lines.push(`deploy ${change.subject}: ${change.field} ${change.before}  ->  ${change.after}   ${placeText(change, options)}`);
  for (const change of diff.issuers)
    lines.push(
      `issuer ${change.issuer}: ${change.field} ${change.before}  ->  ${change.after}: ${meaningText(change)}   ${placeText({ because: change.because }, options)}`,
    );
  if (diff.added.length > 0) lines.push(`new: ${diff.added.join(', ')}`);
  if (diff.removed.length > 0) lines.push(`gone: ${diff.removed.join(', ')}`);
  for (const place of diff.unshown) lines.push(`${place}: ${unshown}`);
  lines.push(summary(diff));
  return `${diff.environment}  ${lines.join(`\n${indent}`)}\n`;
}

const unshown = 'its rules changed, and no request was found that is answered otherwise: read the lines';

/** One line: who gains, who loses, what stays. */
export function summary(diff: MeshDiff): string {
  if (diff.first)
    return `the first release: ${count(diff.added.length, 'workload')}, ${count(diff.calls.length, 'call path')}, ${count(diff.exposure.length, 'host')} open to the outside`;
  const of = (kind: CallChangeKind): number => diff.calls.filter((call) => call.kind === kind).length;
  const calls =
    of('gained') + of('lost') === 0
      ? diff.unshown.length > 0
        ? 'no call was found that is gained or lost'
        : 'nobody gains a call, nobody loses one'
      : `${count(of('gained'), 'call')} gained, ${of('lost')} lost`;
  const proxies = diff.proxies
    ? [
        `${diff.proxies.changed.length} of ${count(diff.proxies.total, 'proxy', 'proxies')} get new config${diff.proxies.bytes === undefined ? '' : ` (${bytesText(diff.proxies.bytes)})`}`,
      ]
    : [];
  const changed = new Set(diff.deploys.map((change) => change.because)).size;
  const rules = changed > 0 ? [`${count(changed, 'rule about deployment changes', 'rules about deployment change')}`] : [];
  const names = new Set(diff.issuers.map(({ issuer }) => issuer)).size;
  const issuers = names > 0 ? [count(names, 'issuer changes', 'issuers change')] : [];
  return [calls, ...proxies, ...rules, ...issuers, unchanged(diff)].filter((part) => part !== '').join('; ');
}

function unchanged(diff: MeshDiff): string {
  if (isEmptyDiff(diff)) return 'every request is answered as before';
  const same = [
    diff.ports.some((port) => port.field === 'mtls') ? '' : 'mTLS',
    diff.calls.some((call) => call.kind === 'changed') ? '' : 'timeouts',
    diff.exposure.length > 0 ? '' : 'exposure',
  ].filter((part) => part !== '');
  return same.length > 0 ? `${same.join(', ')} unchanged` : '';
}

function markdown(diff: MeshDiff, options: FormatOptions): string {
  const of = (kind: CallChangeKind): number => diff.calls.filter((call) => call.kind === kind).length;
  const changed = (value: number | boolean): string => (value ? `**${value === true ? 'changed' : value}**` : value === 0 ? '0' : 'same');
  const lines = [
    `### meshwright: ${title(diff)}`,
    `| | ${diff.environment} |`,
    '|---|---|',
    `| calls gained / lost | ${changed(of('gained'))} / ${changed(of('lost'))} |`,
    `| rerouted | ${changed(of('rerouted'))} |`,
    `| exposed to the internet, mTLS, timeouts | ${[diff.exposure.length > 0, diff.ports.some((port) => port.field === 'mtls'), of('changed') > 0].map(changed).join(' / ')} |`,
    ...(diff.proxies
      ? [
          `| proxies with new config | ${diff.proxies.changed.length} of ${diff.proxies.total}${diff.proxies.bytes === undefined ? '' : ` (${bytesText(diff.proxies.bytes)})`} |`,
        ]
      : []),
    '',
  ];
  const shownCalls = diff.calls.slice(0, options.most ?? 50);
  if (shownCalls.length > 0) {
    lines.push('| | caller → target | request, for example | before | after | because |', '|---|---|---|---|---|---|');
    for (const call of shownCalls) {
      lines.push(
        `| ${verbs[call.kind]} | ${cell(`${nameOf(call.caller as WorkloadKey)} → ${call.target}`)} | ${code(shown(call))} | ${cell(call.before)} | **${cell(call.after)}** | ${cell(placeText(call, options))} |`,
      );
    }
    if (diff.calls.length > shownCalls.length) lines.push(`| | and ${diff.calls.length - shownCalls.length} more | | | | |`);
    lines.push('');
  }
  for (const port of diff.ports) lines.push(`- ${code(port.port)}: ${port.field} ${code(port.before)} → ${code(port.after)}`);
  for (const place of diff.unshown) lines.push(`- ${code(place)}: ${unshown}`);
  for (const { host, listener, gateway, change } of diff.exposure)
    lines.push(`- ${change} ${code(host)} at ${code(gateway)} (${cell(listener)})`);
  if (diff.deploys.length > 0) {
    if (lines.at(-1) !== '') lines.push('');
    lines.push('| deploy | | before | after | because |', '|---|---|---|---|---|');
    for (const change of diff.deploys)
      lines.push(
        `| ${cell(change.subject)} | ${change.field} | ${cell(change.before)} | **${cell(change.after)}** | ${cell(placeText(change, options))} |`,
      );
    lines.push('');
  }
  for (const change of diff.issuers)
    lines.push(
      `- issuer ${code(change.issuer)}, ${change.field}: ${cell(change.before)} → **${cell(change.after)}**: ${cell(meaningText(change))} (${cell(placeText({ because: change.because }, options))})`,
    );
  if (diff.added.length > 0) lines.push(`- new: ${diff.added.map(code).join(', ')}`);
  if (diff.removed.length > 0) lines.push(`- gone: ${diff.removed.map(code).join(', ')}`);
  return `${lines.join('\n').trimEnd()}\n`;
}

function title(diff: MeshDiff): string {
  return isEmptyDiff(diff) ? 'nothing that a request or a deployment could notice changes' : summary(diff).replaceAll('; ', ' · ');
}

/** The class where the change is about one, with the example where it takes headers or more. */
function shown(call: CallChange): string {
  const said = (name: string, value: string): boolean => name === 'host' && call.requests[0]?.endsWith(` at ${value}`) === true;
  const headers = Object.entries(call.example.headers).flatMap(([name, value]) => (said(name, value) ? [] : [` ${name}: ${value}`]));
  const more = call.requests.length > 1 ? ` and ${call.requests.length - 1} more` : '';
  const user = call.example.claims ? ` as ${JSON.stringify(call.example.claims)}` : '';
  return `${call.requests[0] ?? ''}${headers.length > 0 ? ` with${headers.join(',')}` : ''}${user}${more}`;
}
function placeText({ because }: Pick<CallChange | DeployChange, 'because'>, { placeOf }: FormatOptions): string {
  const rules = typeof because === 'string' ? [because] : because;
  return rules.map((rule) => placeOf?.(rule) ?? rule).join(', ');
}
const meaningText = ({ means, at }: IssuerChange): string => `${means} at ${at.join(', ')}`;
const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;
function bytesText(bytes: number): string {
  const sign = bytes < 0 ? '-' : '+';
  const size = Math.abs(bytes);
  return size < 1000 ? `${sign}${size} B` : `${sign}${(size / 1000).toFixed(1)} KB`;
}
/** User text in a table's cell must not break out of it. */
const cell = (value: string): string => value.replace(/[\\|<>[\]`*_]/g, '\\$&').replace(/\s+/g, ' ');
const code = (value: string): string => `\`${value.replace(/`/g, "'").replace(/\|/g, '\\|').replace(/\s+/g, ' ')}\``;
