import type { MeshIr } from '../ir/ir';
import type { WorkloadKey } from '../mesh/ids';
import type { Decision } from './decision';
import { nothing } from './follow';
import { passageFor } from './networks';

/**
 * A connection that asks an east-west gateway for a server name (null: it names none): `allow` is passed on, `deny` closed. Who may call is not asked
 * there: the destination's own proxy decides that, as ever.
 */
export function decideCrossing(ir: MeshIr, gateway: WorkloadKey, serverName: string | null): Decision {
  const passage = passageFor(ir, gateway, serverName);
  const asked = serverName === null ? 'a connection that names no server' : `\`${serverName}\``;
  const closed = `${gateway} closes ${asked}: nothing of that name is exported through it`;
  if (!passage) return { ...nothing, outcome: 'deny', stage: 'outbound', status: null, says: closed };
  const { port, version, because } = passage;
  const says = `${gateway} passes ${asked} on to ${port}${version === null ? '' : ` ${version}`}, whose own proxy judges who it is`;
  return { ...nothing, outcome: 'allow', stage: 'outbound', status: null, because: [because], says };
}
