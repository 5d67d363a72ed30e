/** Upgrades: a request that asks for another protocol on its connection (RFC 9110 section 7.8), by `connection: upgrade` or as an extended CONNECT (RFC 8441). */
import type { MeshIr, ServicePort } from '../ir/ir';
import type { PortKey } from '../mesh/ids';
import { portOf } from './nouns';

/** The protocol that a request asks for, in lower case; null: for none. `upgrade` counts where the connection says so too; one to HTTP/2 in the clear is asked for in vain. */
export function upgradeOf(headers: { readonly [name: string]: string }): string | null {
  const asked = headers['upgrade']?.toLowerCase();
  return asked === undefined || asked === '' ? null : asked;
}

/** Whether a port takes the protocol that requests with these headers ask for, if any. */
export function takesUpgrade({ maxAgeMs }: Pick<ServicePort, 'maxAgeMs'>, headers: { readonly [name: string]: string }): boolean {
  const asked = upgradeOf(headers);
  return asked === null || (asked === 'websocket' && maxAgeMs !== null);
}

/** The same of all ports that a rule may send a request to. */
export const allTakeUpgrade = (
  ir: MeshIr,
  to: readonly { readonly port: PortKey }[],
  headers: { readonly [name: string]: string },
): boolean => to.every(({ port }) => takesUpgrade(portOf(ir, port).port, headers));
