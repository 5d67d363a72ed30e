/** What counts as the same answer: who answered and with what, and what came to the application. */
import type { MeshIr, ServicePort } from '../../core/ir/ir';
import type { PortKey } from '../../core/mesh/ids';
import { isCanonicalPath } from '../../core/semantics/canonical';
import type { Decision, DestinationDecision } from '../../core/semantics/decision';
import type { Arrival } from '../kit/echo-application';
import type { Question } from '../kit/mesh-generator-requests';
import { hostOf, type Observed } from './ask';
import type { World } from './world';

/** null when what was seen is something that the decision gives; else a sentence that says what is different. */
export function difference(
  world: World,
  ir: MeshIr,
  question: Question,
  decision: Decision,
  { answer, arrivals }: Observed,
): string | null {
  const decided = `decided: ${decision.outcome} at ${decision.stage}, ${decision.status ?? 'the application answers'} (${decision.says})`;
  const says = (seen: string): string => `${decided}; seen: ${seen}`;
  if (typeof answer === 'string') return says(answer);
  const [arrival] = arrivals;
  if (arrival !== undefined && arrivals.length > 1) return says(`${arrivals.length} requests came to applications`);
  const byMesh = says(
    `${answer.status} ${JSON.stringify(answer.body.slice(0, 120))}${arrival ? ` though ${whoIs(world, arrival)} had it` : ''}`,
  );
  if (decision.destinations.length === 0) return !arrival && answer.status === decision.status ? null : byMesh;
  if (arrival === undefined) {
    // one of the destinations refused it: by rule, or because the path is not in its form
    const refuses = decision.destinations.some(
      ({ port, access }) =>
        access === 'deny' && answer.status === (isCanonicalPath(question.request.path, portOf(ir, port).urls) ? 403 : 400),
    );
    return refuses ? null : byMesh;
  }
  const by = says(`${answer.status} by ${whoIs(world, arrival)}`);
  if (answer.status !== 200 || answer.headers['x-app'] !== `${arrival.instance}/${arrival.port}`) return byMesh;
  const destination = decision.destinations.find((one) => one.access === 'allow' && isAt(world, one, arrival));
  if (!destination) return by;
  const changed = changedOnTheWay(ir, question, arrival);
  return changed === null ? null : says(changed);
}

function isAt(world: World, { port, version }: DestinationDecision, arrival: Arrival): boolean {
  const at = world.standsFor(arrival);
  return at.port === port && (version === null || version === at.version);
}
function whoIs(world: World, arrival: Arrival): string {
  const { port, version } = world.standsFor(arrival);
  return version === null ? port : `${port} ${version}`;
}
function portOf(ir: MeshIr, key: PortKey): ServicePort {
  const port = ir.services.flatMap((service) => service.ports).find((known) => known.key === key);
  if (!port) throw new Error(`no port ${key}`);
  return port;
}

/** Headers that a proxy says of the connection, and that no client says to an application. */
const fromProxies = /^(x-forwarded-(proto|for|client-cert)|x-request-id|content-length|transfer-encoding|connection)$/;
/** Headers that a client may not say. */
const takenOff = /^(x-envoy-.*|x-forwarded-client-cert|x-forwarded-proto|x-forwarded-for|x-request-id|connection|te)$/;

/** How the request that came differs from the one that was sent; null when it does not. */
function changedOnTheWay(ir: MeshIr, question: Question, arrival: Arrival): string | null {
  const { request, wire } = question;
  const same = (what: string, sent: string, came: string): string[] =>
    sent === came ? [] : [`${what} ${JSON.stringify(sent)} came as ${JSON.stringify(came)}`];
  const came = new Map<string, string>();
  for (const [name, value] of arrival.headers) {
    const before = came.get(name);
    came.set(name, before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ','}${value}`);
  }
  const sent = Object.entries(request.headers).filter(([name]) => name !== 'host' && !takenOff.test(name));
  const names = new Set(sent.map(([name]) => name));
  const found = [
    ...same('the method', request.method, arrival.method),
    ...same('the path', request.path, arrival.path),
    ...same('the host', hostOf(ir, question), arrival.host),
    ...same('the body', wire.body ?? '', arrival.body),
    ...sent.flatMap(([name, value]) => same(`the header \`${name}\``, value.trim(), came.get(name) ?? '(nothing)')),
    ...[...came.keys()]
      .filter((name) => !names.has(name) && !fromProxies.test(name))
      .map((name) => `the header \`${name}\` came from nowhere`),
  ];
  return found[0] ?? null;
}
