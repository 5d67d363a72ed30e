import { ir as messages } from '../../core/diagnostics/ir';
import type { AccessRule, ServicePort } from '../../core/ir/ir';
import type { RuleId } from '../../core/mesh/ids';
import { sortedBy, sortedUnique } from '../../core/lib/order';
import { suggest } from '../../core/lib/suggest';
import { lowerCallers, resolvePort } from './callers';
import type { Context, Declared, Place } from './context';
import { lowerFields } from './fields';
import { checkHost } from './names';
import { checkOwner } from './nouns';
import type { Nouns } from './nouns';
import { lowerRequests } from './request-line';
import { lowerUser } from './users';

/** Every access rule of the environment, by id. */
export function lowerAccess(context: Context, nouns: Nouns): readonly AccessRule[] {
  return sortedBy(
    context.all('access').flatMap((declared) => lowerRule(context, nouns, declared) ?? []),
    (rule) => rule.id,
  );
}

function lowerRule(context: Context, nouns: Nouns, { id, team, value }: Declared<'access'>): AccessRule | undefined {
  const at = { id, path: '' };
  const subject = resolvePort(context, nouns, value.port, { id, path: 'port' });
  const callers = lowerCallers(context, nouns, value.from, { id, path: 'from' });
  if (!subject) return undefined;
  const { service, port } = subject;
  // The platform may shut a door anywhere; only the owner opens one.
  checkOwner(context, { team, id }, value.action === 'allow' ? 'allow into' : 'deny into', port.key, service.team, value.action === 'deny');
  checkDimensions(context, port, value, at);
  if (port.layer === 'tls' && value.hosts !== undefined && !service.outside)
    context.report(messages.innerServerName, { port: port.key }, at);
  if (value.action === 'allow' && callers?.kind === 'anyone') context.report(messages.allowAnyone, {}, { id, path: 'from' });
  if (value.action === 'deny') {
    for (const [dimension, given] of [
      ['requests', value.requests !== 'any'],
      ['headers', hasKeys(value.headers)],
      ['hosts', value.hosts !== undefined],
      ['user', value.user !== undefined],
    ] as const) {
      if (given) context.report(messages.conditionalDenial, { dimension }, at);
    }
  }
  if (value.requests !== 'any' && value.requests.length === 0) context.report(messages.empty, { what: 'the list of requests' }, at);
  if (value.hosts?.length === 0) context.report(messages.empty, { what: 'the list of hosts' }, at);
  for (const host of value.hosts ?? []) checkHost(context, host, false, { id, path: 'hosts' });
  const user = lowerUser(context, value.user, { id, path: 'user' });
  if (user && service.outside?.through === null)
    context.report(
      messages.unsupported,
      { feature: 'end users (`user`) at a host outside the mesh that no gateway is on the way to' },
      { id, path: 'user' },
    );
  // a condition that could not be read is no rule without it
  if (!callers || (value.user && !user)) return undefined;
  return {
    id: id as RuleId,
    action: value.action,
    mode: value.mode ?? 'enforce',
    port: port.key,
    callers,
    requests: value.requests === 'any' ? 'any' : lowerRequests(context, value.requests, port, { id, path: 'requests' }, suggest),
    headers: lowerFields(context, 'header', value.headers, { id, path: 'headers' }),
    hosts: sortedUnique(value.hosts ?? []),
    user,
    because: value.because ?? null,
  };
}

/** The rules of a connection do not read requests; only one that is TLS names a server. */
function checkDimensions(context: Context, port: ServicePort, value: Declared<'access'>['value'], at: Place): void {
  if (port.layer === 'http') return;
  const given: readonly (readonly [string, boolean])[] = [
    ['requests', port.layer !== 'grpc' && value.requests !== 'any'],
    ['headers', port.layer !== 'grpc' && hasKeys(value.headers)],
    ['hosts', port.layer !== 'tls' && value.hosts !== undefined],
    ['user', port.layer !== 'grpc' && value.user !== undefined],
  ];
  for (const [dimension, isThere] of given)
    if (isThere) context.report(messages.notOfLayer, { dimension, port: port.key, protocol: port.protocol }, at);
}

const hasKeys = (record: object | undefined): boolean => record !== undefined && Object.keys(record).length > 0;
