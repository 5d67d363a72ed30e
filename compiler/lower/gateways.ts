/** Gateways: their listeners, the hosts of each, and whose those are. */
import { gateways as refusals } from '../../core/diagnostics/gateways';
import { ir as messages } from '../../core/diagnostics/ir';
import type { DeclarationValue } from '../../core/declarations/declaration';
import type { Gateway, GatewayListener } from '../../core/ir/ir';
import { assertNever } from '../../core/lib/brand';
import { servedAs } from '../../core/semantics/address';
import type { RuleId, WorkloadKey } from '../../core/mesh/ids';
import type { Context, Declared, Place } from './context';
import { checkHost, checkLabel, checkTeam, isDomain } from './names';
import { wholeNumber } from './units';

type Listeners = Extract<DeclarationValue, { readonly kind: 'gateway' }>['listeners'];
type Hosts = GatewayListener['hosts'];

export function lowerGateway(context: Context, { id, value }: Declared<'gateway'>, key: WorkloadKey): Gateway {
  const numbers = new Map<number, string>();
  const listeners = Object.keys(value.listeners)
    .sort()
    .flatMap((name): GatewayListener[] => {
      const written = value.listeners[name];
      if (!written) return [];
      const at = { id, path: `listeners.${name}` };
      checkLabel(context, 'listener', name, at);
      wholeNumber(context, 'port', written.port, 1, 65535, at);
      const first = numbers.get(written.port);
      if (first !== undefined) context.report(refusals.numberOfTwoListeners, { port: written.port, listener: name, first }, at);
      numbers.set(written.port, name);
      const hosts = lowerHosts(context, written.hosts ?? (written.team === undefined ? {} : { '*': written.team }), at);
      if (hosts.length === 0) context.report(messages.empty, { what: `the list of hosts of listener \`${name}\`` }, at);
      const behind = written.proxyProtocol === undefined ? {} : { proxyProtocol: true as const };
      return [{ name, port: written.port, speaks: lowerSpeech(context, written, at), ...behind, hosts }];
    });
  // one that nothing comes in by is still a way out
  const isWayOut = context.all('external').some(({ value: { through } }) => through?.ref === id);
  if (listeners.length === 0 && !isWayOut)
    context.report(messages.empty, { what: `the list of listeners of \`${key}\`` }, { id, path: '' });
  const redirecting = listeners.filter(({ name }) => value.listeners[name]?.redirect !== undefined).map(({ name }) => name);
  checkTeams(context, id, listeners, redirecting);
  for (const team of value.wayOutOf ?? []) checkTeam(context, team, { id, path: 'wayOutOf' });
  return { id: id as RuleId, key, listeners };
}

function lowerSpeech(
  context: Context,
  { protocol = 'https', certificate, clients, minTls }: Listeners[string],
  at: Place,
): GatewayListener['speaks'] {
  switch (protocol) {
    case 'http':
    case 'tls':
    case 'tcp':
      return { kind: protocol };
    case 'https':
      return {
        kind: 'https',
        certificate: lowerSecret(context, certificate ?? '', at),
        clients: clients ? { trust: lowerSecret(context, clients.trust, at), required: clients.certificate === 'required' } : null,
        ...(minTls === '1.3' ? { minTls } : {}),
      };
    default:
      return assertNever(protocol);
  }
}

function lowerHosts(context: Context, written: NonNullable<Listeners[string]['hosts']>, at: Place): Hosts {
  return Object.keys(written)
    .sort()
    .map((host) => {
      const said = written[host] ?? '';
      const own = typeof said === 'string' ? { team: said } : { team: said.team, certificate: lowerSecret(context, said.certificate, at) };
      checkListenerHost(context, host, at);
      checkTeam(context, own.team, at);
      return { host, ...own };
    });
}
/** A host, a wildcard over hosts, or `*` for whatever there is. */
export const checkListenerHost = (context: Context, host: string, at: Place): boolean => host === '*' || checkHost(context, host, true, at);

/**
 * One name, one team, at all listeners of a gateway: who has it in plain HTTP could speak for who has it under TLS. A wildcard has the names that its listener
 * names nowhere else; whatever is left (`*`), and names that only lead to https, are nobody's in particular. `redirecting`: the listeners that only do that.
 */
function checkTeams(context: Context, id: string, listeners: readonly GatewayListener[], redirecting: readonly string[]): void {
  for (const [index, { name, hosts }] of listeners.entries()) {
    for (const { host, team } of hosts.filter((served) => served.host !== '*')) {
      const other = listeners.flatMap((listener, at) => {
        const served = listener.name === name ? undefined : servedAs(listener, host);
        if (!served || served.host === '*' || served.team === team) return [];
        const isSame = served.host === host;
        // of two that say the same name the later is told so
        const counts = isSame ? at < index : !redirecting.includes(listener.name) && !redirecting.includes(name);
        return counts ? [{ team: served.team, listener: listener.name }] : [];
      })[0];
      if (other)
        context.report(
          refusals.hostOfTwoTeams,
          { host, team, other: other.team, listener: other.listener },
          { id, path: `listeners.${name}` },
        );
    }
  }
}

export function lowerSecret(context: Context, name: string, at: Place): string {
  const [namespace = '', own = '', ...more] = name.split('/');
  if (more.length > 0 || !isDomain(namespace) || !isDomain(own))
    context.report(messages.badName, { what: 'secret', name, grammar: 'write `namespace/name`' }, at);
  return name;
}
