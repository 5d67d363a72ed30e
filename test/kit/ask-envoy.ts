/** The question of `decide`, asked of real Envoys, and what counts as the same answer. */
import type { MeshIr, ServicePort } from '../../core/ir/ir';
import { nameOf, nameOfPort, namespaceOf, type PortKey, serviceOfPort } from '../../core/mesh/ids';
import { listenerOf } from '../../core/semantics/address';
import { isCanonicalPath } from '../../core/semantics/canonical';
import { decide } from '../../core/semantics/decide';
import type { DestinationDecision, MeshAnswer, MeshRequest } from '../../core/semantics/decision';
import type { Address } from '../../runtime-proxy/inventory';
import { present } from './present';
import { type RawAnswer, type SeenRequest, sendRaw } from './raw-http';
import type { WholeMesh } from './whole-mesh';

/** Sends a request where its application, or its client outside, would send it. */
export function askEnvoy(ir: MeshIr, mesh: WholeMesh, request: MeshRequest): Promise<RawAnswer> {
  const { from } = request;
  const raw = { method: request.method, path: request.path, headers: request.headers };
  if (from.kind === 'outside') {
    const address = mesh.instanceOf(from.gateway).listeners?.[from.listener];
    if (!address) throw new Error(`${from.gateway} has no listener ${from.listener}`);
    const { speaks } = listenerOf(present(ir.gateways.find(({ key }) => key === from.gateway)), from.listener);
    const options = speaks.kind === 'https' ? { sni: from.host.replace(/:\d*$/, '') } : {};
    return sendRaw(address, { ...raw, host: request.headers['host'] ?? from.host }, options);
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
  if (decision.destinations.length === 0) {
    if (reached || answer.status !== decision.status) return said;
    const wrong = decision.answer && answerDifference(decision.answer, answer);
    return wrong ? `${said}: ${wrong}` : null;
  }
  const { fault } = decision;
  if (fault?.abort && fault.abort.percent > 0 && !reached && answer.status === (fault.abort.kind === 'grpc' ? 200 : fault.abort.status))
    return null;
  // one of the destinations got it: each answers for itself, by rule or because the path is not in its form
  const differences = decision.destinations.map((destination) => {
    const { port, version, access } = destination;
    if (access === 'allow')
      return reached?.port === port && (version === null || version === reached.version) && answer.status === 200
        ? passedDifference(destination, answer)
        : said;
    const refused = isCanonicalPath(destination.request.path, portOf(ir, port).urls)
      ? decision.stage === 'authentication'
        ? 401
        : 403
      : 400;
    return !reached && answer.status === refused ? null : said;
  });
  return differences.includes(null) ? null : (differences.find((one) => one !== said) ?? said);
}

/** What the mesh says itself, against what it was said to say. */
function answerDifference({ headers, body }: MeshAnswer, answer: RawAnswer): string | null {
  for (const [name, value] of Object.entries(headers))
    if (!sameValue(answer.headers[name], value)) return `header \`${name}\` is \`${answer.headers[name]}\`, not \`${value}\``;
  return body === null || body === answer.body ? null : `the body is \`${answer.body}\`, not \`${body}\``;
}

/** What an application saw and what came back of it, against the decision. The application says as JSON what it saw. */
function passedDifference({ request, responseHeaders }: DestinationDecision, answer: RawAnswer): string | null {
  const seen = JSON.parse(answer.body) as SeenRequest; // written by `testApps`
  if (seen.method !== request.method || seen.url !== request.path)
    return `the application saw ${seen.method} ${seen.url}, not ${request.method} ${request.path}`;
  if (seen.headers.host !== request.host) return `the application saw host ${seen.headers.host}, not ${request.host}`;
  for (const [name, value] of Object.entries(request.headers))
    if (!hopByHop.has(name) && !takenOff.test(name) && !sameValue(String(seen.headers[name]), value))
      return `the application saw \`${name}: ${String(seen.headers[name])}\`, not \`${value}\``;
  for (const name of Object.keys(seen.headers))
    if (!(name in request.headers) && !written.test(name)) return `the application saw \`${name}\`, which nobody sent`;
  const edited = new Map<string, string | null>();
  for (const { remove, set, add } of responseHeaders) {
    for (const name of remove) edited.set(name, null);
    for (const { name, value } of set) edited.set(name, value);
    for (const { name, value } of add) edited.set(name, edited.get(name) ? `${edited.get(name)},${value}` : value);
  }
  const added = new Set(responseHeaders.flatMap(({ add }) => add.map(({ name }) => name)));
  for (const [name, value] of edited) {
    const got = answer.headers[name];
    const fits =
      value === null
        ? got === undefined
        : added.has(name)
          ? got !== undefined && (sameValue(got, value) || got.endsWith(value))
          : sameValue(got, value);
    if (!fits) return `the answer has \`${name}: ${got}\`, not \`${value}\``;
  }
  return null;
}
const sameValue = (got: string | undefined, wanted: string): boolean => got?.replace(/, */g, ',') === wanted.replace(/, */g, ',');
/** What a client may not say: a proxy takes it off, or says it itself. */
export const takenOff = /^(x-envoy-.*|x-meshwright-client-.*|x-forwarded-(client-cert|proto|for)|x-request-id|connection|te|host)$/;
/** What the mesh may take away or write anew (RFC 9110 section 7.6.1). */
const hopByHop = new Set(['connection', 'te', 'transfer-encoding', 'upgrade', 'keep-alive', 'expect', 'content-length', 'x-request-id']);
/** What proxies write of their own. */
const written = /^(?:host|x-meshwright-client-.*|x-forwarded-.*|x-request-id|x-envoy-.*|content-length|transfer-encoding|via|connection)$/;

function hostOf(ir: MeshIr, to: PortKey): string {
  const key = serviceOfPort(to);
  return `${nameOf(key)}.${namespaceOf(key)}:${portOf(ir, to).number}`;
}
function portOf(ir: MeshIr, key: PortKey): ServicePort {
  const port = ir.services.find((service) => service.key === serviceOfPort(key))?.ports.find((known) => known.name === nameOfPort(key));
  if (!port) throw new Error(`no port ${key}`);
  return port;
}
