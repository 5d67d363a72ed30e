/** The question of `decide`, asked of real Envoys, and what counts as the same answer. */
import type { MeshIr, ServicePort } from '../../core/ir/ir';
import { nameOf, nameOfPort, namespaceOf, type PortKey, serviceOfPort } from '../../core/mesh/ids';
import { isCanonicalPath } from '../../core/semantics/canonical';
import { decide } from '../../core/semantics/decide';
import type { MeshRequest } from '../../core/semantics/decision';
import type { Address } from '../../runtime-proxy/inventory';
import { type RawAnswer, sendRaw } from './raw-http';
import type { WholeMesh } from './whole-mesh';

/** Sends a request where its application, or its client outside, would send it. */
export function askEnvoy(ir: MeshIr, mesh: WholeMesh, request: MeshRequest): Promise<RawAnswer> {
  const { from } = request;
  const raw = { method: request.method, path: request.path, headers: request.headers };
  if (from.kind === 'outside') {
    const address = mesh.instanceOf(from.gateway).listeners?.[from.listener];
    if (!address) throw new Error(`${from.gateway} has no listener ${from.listener}`);
    return sendRaw(address, { ...raw, host: request.headers['host'] ?? from.host }, { sni: from.host.replace(/:\d*$/, '') });
  }
  const address: Address | undefined = mesh.instanceOf(from.workload).outbound;
  if (!address || request.to === null) throw new Error(`${from.workload} has no outbound address, or the request no port`);
  return sendRaw(address, { ...raw, host: request.headers['host'] ?? hostOf(ir, request.to) });
}

/** null when Envoy's answer is one that the decision gives; else a sentence that says what is different. */
export function difference(ir: MeshIr, mesh: WholeMesh, request: MeshRequest, answer: RawAnswer): string | null {
  const decision = decide(ir, request);
  const app = answer.headers['x-app'];
  const reached = app === undefined ? undefined : mesh.apps.get(Number(app));
  const from = reached ? ` from ${reached.port}|${reached.version ?? ''}` : ` ${JSON.stringify(answer.body.slice(0, 120))}`;
  const said = `decided ${decision.outcome} at ${decision.stage} with ${decision.status ?? 'the application'} (${decision.says}); envoy answered ${answer.status}${from}`;
  if (decision.destinations.length === 0) return answer.status === decision.status && !reached ? null : said;
  // one of the destinations got it: each answers for itself, by rule or because the path is not in its form
  const fits = decision.destinations.some(({ port, version, access }) =>
    access === 'allow'
      ? reached?.port === port && (version === null || version === reached.version) && answer.status === 200
      : !reached && answer.status === (isCanonicalPath(request.path, portOf(ir, port).urls) ? 403 : 400),
  );
  return fits ? null : said;
}

function hostOf(ir: MeshIr, to: PortKey): string {
  const key = serviceOfPort(to);
  return `${nameOf(key)}.${namespaceOf(key)}:${portOf(ir, to).number}`;
}
function portOf(ir: MeshIr, key: PortKey): ServicePort {
  const port = ir.services.find((service) => service.key === serviceOfPort(key))?.ports.find((known) => known.name === nameOfPort(key));
  if (!port) throw new Error(`no port ${key}`);
  return port;
}
