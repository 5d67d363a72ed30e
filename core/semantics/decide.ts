/**
 * The executable definition of the mesh: what a request means. Short, slow and meant to be obviously right; the emitted configuration is tested
 * against it. README.md has the same in sentences. Here: who is asked, and by which routes; follow.ts goes on from there.
 */
import { callablePorts } from '../ir/edges';
import { isHttp } from '../ir/layers';
import type { ClientCertificates, MeshIr } from '../ir/ir';
import { clientHeaders } from '../mesh/client-headers';
import type { WorkloadKey } from '../mesh/ids';
import { nameOf, namespaceOf } from '../mesh/ids';
import { exampleHost, hostRoutesFor, isAddressed, isServed, listenerOf } from './address';
import { isAuthority, isCanonicalPath, isHost } from './canonical';
import type { Decision, MeshRequest } from './decision';
import { nothing, follow } from './follow';
import { decideInbound } from './inbound';
import { hostWithoutPort } from './match';
import type { RequestView } from './match';
import { portOf, workloadOf } from './nouns';
import { strictNeeds } from './variant';

/** Both hops of a request. Throws when it names a workload, gateway or port that the IR does not have. */
export function decide(ir: MeshIr, request: MeshRequest): Decision {
  return request.from.kind === 'workload' ? decideWithin(ir, request, request.from.workload) : decideFromOutside(ir, request, request.from);
}

function decideWithin(ir: MeshIr, request: MeshRequest, from: WorkloadKey): Decision {
  const caller = workloadOf(ir, from);
  if (request.to === null) throw new Error('internal: a request from a workload addresses a port');
  const { service, port } = portOf(ir, request.to);
  const named = service.outside ? exampleHost(service.outside) : `${nameOf(service.key)}.${namespaceOf(service.key)}`;
  const host = request.headers['host'] ?? `${named}:${port.number}`;
  if (!isAuthority(host)) return refused('canonical', 400, `\`${host}\` is no host`);
  if (!isCanonicalPath(request.path, 'rfc3986')) return refused('canonical', 400, `the path \`${request.path}\` is not in canonical form`);
  const pair = `${caller.key} may not call ${nameOf(service.key)}:${port.number}`;
  const addressed = isAddressed(ir, service, port, namespaceOf(caller.key), host.toLowerCase());
  if (!addressed || !isHttp(port.layer) || !callablePorts(ir, caller.key).includes(port.key)) return refused('outbound', 403, pair);
  const table = ir.routes.find((known) => known.port === port.key);
  if (!table) throw new Error(`internal: no route table for ${port.key}`);
  const view = viewOf(request, host);
  // nobody of the mesh is at the other end: what a service's own proxy says, the caller's says here, of the request as the application sends it; a gateway on the way says it there
  const here = service.outside?.through === null ? decideInbound(ir, { ...view, principal: caller.principal, port: port.key }) : null;
  if (here?.access === 'deny') {
    const says =
      here.because.length > 0 ? `${here.because.join(', ')} denies ${pair}` : `no rule of ${port.key} allows this request of ${caller.key}`;
    return { ...refused('outbound', 403, says), because: here.because };
  }
  return follow(ir, caller, table, strictNeeds(ir, caller.key, port.key), { ...view, scheme: 'http' }, here);
}

function decideFromOutside(ir: MeshIr, request: MeshRequest, from: Extract<MeshRequest['from'], { kind: 'outside' }>): Decision {
  const caller = workloadOf(ir, from.gateway);
  const gateway = ir.gateways.find((known) => known.key === from.gateway);
  if (!gateway) throw new Error(`internal: ${from.gateway} is no gateway`);
  const { speaks } = listenerOf(gateway, from.listener);
  const scheme = speaks.kind;
  if (scheme !== 'http' && scheme !== 'https')
    throw new Error(`internal: listener ${from.listener} speaks ${scheme}: its requests are not decided, its connections are`);
  const named = hostWithoutPort(from.host);
  if (scheme === 'https' && !isServed(ir, gateway, from.listener, named))
    return refused('route', null, `listener \`${from.listener}\` of ${gateway.key} does not serve \`${named}\`: it makes no connection`);
  const closed = speaks.kind === 'https' && speaks.clients && closedTo(speaks.clients, from.certificate);
  if (closed) return refused('authentication', null, `listener \`${from.listener}\` of ${gateway.key} ${closed}`);
  const said = request.headers['host'] ?? from.host;
  const view = withoutForged(viewOf(request, said));
  const spelled = Object.keys(request.headers).find((name) => name.includes('_'));
  if (spelled !== undefined)
    return refused('canonical', 400, `header \`${spelled}\` has a \`_\` in its name, which applications may read as \`-\``);
  if (!isHost(said)) return refused('canonical', 400, `\`${said}\` is no host`);
  if (!isCanonicalPath(request.path, 'rfc3986')) return refused('canonical', 400, `the path \`${request.path}\` is not in canonical form`);
  const table = hostRoutesFor(ir, gateway, from.listener, named, view.host);
  if (table === 'not here' && scheme === 'http')
    return refused('route', 404, `listener \`${from.listener}\` of ${gateway.key} does not serve \`${view.host}\``);
  if (table === 'not here')
    return refused('route', 421, `listener \`${from.listener}\` of ${gateway.key} does not serve \`${view.host}\` on this connection`);
  if (table === 'no routes') return refused('route', 404, `nobody routes \`${view.host}\``);
  return follow(ir, caller, table, [], { ...view, scheme, ...(from.address === undefined ? {} : { source: from.address }) });
}

/** Why a listener that asks for certificates makes no connection with who shows this; null: it does. */
function closedTo({ required }: ClientCertificates, shown: 'valid' | 'invalid' | undefined): string | null {
  if (shown === 'invalid') return 'takes no certificate of other authorities than its own';
  return required && shown === undefined ? 'takes nobody without a certificate' : null;
}
/** What only a gateway says of its client is nobody else's to say. */
function withoutForged(view: RequestView): RequestView {
  return { ...view, headers: Object.fromEntries(Object.entries(view.headers).filter(([name]) => !clientHeaders.includes(name))) };
}

function refused(stage: Decision['stage'], status: Decision['status'], says: string): Decision {
  return { ...nothing, outcome: 'deny', stage, status, says };
}

function viewOf(request: MeshRequest, host: string): RequestView {
  const { method, path, claims } = request;
  return { method, path, headers: { ...request.headers, host }, host: hostWithoutPort(host), ...(claims === undefined ? {} : { claims }) };
}
