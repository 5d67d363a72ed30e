/** The question of `decide`, asked of real Envoys, and what counts as the same answer. */
import type { MeshIr } from '../../core/ir/ir';
import { nameOf, nameOfPort, namespaceOf, serviceOfPort } from '../../core/mesh/ids';
import type { Decision, MeshRequest } from '../../core/semantics/decision';
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

function hostOf(ir: MeshIr, to: NonNullable<MeshRequest['to']>): string {
  const key = serviceOfPort(to);
  const port = ir.services.find((service) => service.key === key)?.ports.find((known) => known.name === nameOfPort(to));
  if (!port) throw new Error(`no port ${to}`);
  return `${nameOf(key)}.${namespaceOf(key)}:${port.number}`;
}

/** null when Envoy's answer is one that the decision gives; else a sentence that says what is different. */
export function difference(mesh: WholeMesh, decision: Decision, answer: RawAnswer): string | null {
  const app = answer.headers['x-app'];
  const reached = app === undefined ? undefined : mesh.apps.get(Number(app));
  const said = `decided ${decision.outcome} at ${decision.stage} with ${decision.status ?? 'the application'} (${decision.says}); envoy answered ${answer.status}${reached ? ` from ${reached.port}|${reached.version ?? ''}` : ` ${JSON.stringify(answer.body.slice(0, 120))}`}`;
  if (decision.status !== null) return answer.status === decision.status && !reached ? null : said;
  const lets = decision.destinations.filter((destination) => destination.access === 'allow');
  if (reached && answer.status === 200) return lets.some(({ port, version }) => port === reached.port && (version === null || version === reached.version)) ? null : said;
  // of several destinations some refuse: by rule, or because the path is not in their form
  return decision.outcome === 'mixed' && (answer.status === 403 || answer.status === 400) ? null : said;
}
