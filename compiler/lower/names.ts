import { ir as messages } from '../../core/diagnostics/ir';
import { suggest } from '../../core/lib/suggest';
import type { Context, Place } from './context';

const label = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const domain = /^(?=.{1,253}$)[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)*$/;

/** RFC 1123 labels: no dot, so that `<service>.<port>` and `<account>.<workload>` read one way only. */
export function isLabel(name: string): boolean {
  return label.test(name);
}
export function isDomain(name: string): boolean {
  return domain.test(name);
}

export function checkLabel(context: Context, what: string, name: string, at: Place): boolean {
  if (isLabel(name)) return true;
  context.report(messages.badName, { what, name, grammar: 'a lower-case DNS label of at most 63 letters, digits and `-`' }, at);
  return false;
}

/** A pod label's value, which is where versions stand (kubernetes.io: Labels and Selectors). */
export function checkVersion(context: Context, name: string, at: Place): boolean {
  if (/^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(name)) return true;
  context.report(messages.badName, { what: 'version', name, grammar: 'at most 63 letters, digits, `-`, `_` and `.`' }, at);
  return false;
}

/** A host of a listener or a rule; `wildcard` takes one leading `*.` too. Reported unless lower case and well formed. */
export function checkHost(context: Context, host: string, wildcard: boolean, at: Place): boolean {
  const fail = (why: string): false => (context.report(messages.badHost, { host, why }, at), false);
  if (host !== host.toLowerCase()) return fail('it is not in lower case');
  if (host.includes(':')) return fail('it has a port');
  const rest = host.startsWith('*.') ? host.slice(2) : host;
  if (rest !== host && !wildcard) return fail('a wildcard is not taken here');
  return isDomain(rest) || fail('it is not a DNS name');
}

export function checkTeam(context: Context, team: string, at: Place): boolean {
  if (Object.hasOwn(context.mesh.teams, team)) return true;
  context.report(messages.unknownTeam, { team, suggestion: suggest(team, Object.keys(context.mesh.teams)) }, at);
  return false;
}
