/** What is exported from a network to the others, and the gateways that it goes through. */
import { ir as messages } from '../../core/diagnostics/ir';
import { networks as words } from '../../core/diagnostics/networks';
import type { EastWestGateway, Export, Networks } from '../../core/ir/networks';
import { sortedBy, sortedUnique } from '../../core/lib/order';
import type { PortKey, RuleId } from '../../core/mesh/ids';
import { namesOf } from '../../core/semantics/networks';
import { resolvePort } from './callers';
import type { Context, Declared } from './context';
import { checkOwner } from './nouns';
import type { Nouns } from './nouns';
import { wholeNumber } from './units';

/** Undefined where the mesh has nothing of the kind. */
export function lowerNetworks(context: Context, nouns: Nouns): Networks | undefined {
  const gateways = context.all('east-west').flatMap(({ id, value }): EastWestGateway[] => {
    const workload = nouns.workloads.get(id);
    wholeNumber(context, 'port', value.port, 1, 65_535, { id, path: 'port' });
    return workload ? [{ id: workload.id, key: workload.key, port: value.port }] : [];
  });
  const first = new Map<PortKey, string>();
  const exports = context.all('export').flatMap((declared) => lowerExport(context, nouns, first, declared) ?? []);
  if (gateways.length + exports.length === 0) return undefined;
  return { gateways: sortedBy(gateways, (one) => one.key), exports: sortedBy(exports, (one) => one.port) };
}

function lowerExport(
  context: Context,
  nouns: Nouns,
  first: Map<PortKey, string>,
  { id, team, value }: Declared<'export'>,
): Export | undefined {
  const at = { id, path: '' };
  const subject = resolvePort(context, nouns, value.port, { id, path: 'port' });
  if (value.through.length === 0) context.report(messages.empty, { what: 'the list of gateways' }, { id, path: 'through' });
  const gateways = value.through.flatMap((ref) => {
    const found = context.resolve(ref, ['east-west'], { id, path: 'through' });
    return (found && nouns.workloads.get(found.id)?.key) ?? [];
  });
  if (!subject) return undefined;
  const { service, port } = subject;
  checkOwner(context, { team, id }, 'export', port.key, service.team, false);
  if (service.outside) context.report(words.exportedOutside, { port: port.key }, at);
  const before = first.get(port.key);
  if (before !== undefined) context.report(messages.duplicate, { what: 'export of', name: port.key, first: before }, at);
  first.set(port.key, id);
  const asked = new Map<string, string>();
  for (const { serverName, version } of namesOf([service], port.key)) {
    const taken = asked.get(serverName);
    if (taken !== undefined) context.report(words.oneServerName, { port: port.key, first: taken, second: version ?? '', serverName }, at);
    asked.set(serverName, version ?? '');
  }
  return { id: id as RuleId, port: port.key, gateways: sortedUnique(gateways) };
}
