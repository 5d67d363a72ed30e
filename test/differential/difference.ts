/** What counts as the same answer: who answered and with what, what came to the application and its copies, and what became of both on the way. */
import type { Abort, Gateway, MeshIr } from '../../core/ir/ir';
import { clientCertificateHeader, clientSubjectHeader } from '../../core/mesh/client-headers';
import { listenerOf } from '../../core/semantics/address';
import { isHost } from '../../core/semantics/canonical';
import type { Decision, DestinationDecision, ForwardedRequest } from '../../core/semantics/decision';
import { edited } from '../../core/semantics/forwarded';
import { decideInbound } from '../../core/semantics/inbound';
import { workloadOf } from '../../core/semantics/nouns';
import { upgradeOf } from '../../core/semantics/upgrade';
import { grpcStatusOf } from '../../core/mesh/grpc-status';
import { namespaceOf, outsideNamespace, type PortKey, serviceOfPort, type WorkloadKey } from '../../core/mesh/ids';
import { hostWithoutPort } from '../../core/semantics/match';
import { takenOff } from '../kit/ask-envoy';
import { applicationHeaders, type Arrival } from '../kit/echo-application';
import { claimsOf } from '../kit/mesh-generator-users';
import { shownBy } from '../kit/mesh-generator-clients';
import { isWild, lostNames } from '../kit/mesh-generator-outside';
import {
  type ConnectionQuestion,
  isGrpc,
  type OutsideConnectionQuestion,
  type Question,
  type RequestQuestion,
} from '../kit/mesh-generator-requests';
import type { RawAnswer } from '../kit/raw-http';
import { wasReset } from '../kit/send-http2';
import { type Observed, type ObservedConnection, type ObservedRequest, saidBy } from './ask';
import type { World } from './world';

/** null when what was seen is something that the decision gives; else a sentence that says what is different. */
export function difference(world: World, ir: MeshIr, question: Question, decision: Decision, observed: Observed): string | null {
  const found = differenceOf(world, ir, question, decision, observed);
  return found === null
    ? null
    : `decided: ${decision.outcome} at ${decision.stage}, ${decision.status ?? 'the application answers'} (${decision.says}); seen: ${found}`;
}

function differenceOf(world: World, ir: MeshIr, question: Question, decision: Decision, observed: Observed): string | null {
  if (question.kind !== 'request')
    return observed.kind === 'connection' ? differenceInConnection(world, ir, question, decision, observed) : 'an answer to a request';
  return observed.kind === 'request' ? differenceInExchange(world, ir, question, decision, observed) : 'a connection';
}

/** One of the destinations takes the connection, with the server name as it was asked for, or it is closed where one does not. */
function differenceInConnection(
  world: World,
  ir: MeshIr,
  { connection: { sni } }: ConnectionQuestion | OutsideConnectionQuestion,
  decision: Decision,
  { line }: ObservedConnection,
): string | null {
  const { destinations } = decision;
  if (line === null) return destinations.length === 0 || destinations.some(({ access }) => access === 'deny') ? null : 'it was closed';
  const { instance, port, rest } = saidBy(line);
  const took = destinations.find((one) => one.access === 'allow' && isAt(world, one, { instance, port }));
  const hosts = took && ir.services.find(({ ports }) => ports.some(({ key }) => key === took.port))?.outside?.hosts;
  const asked = sni?.toLowerCase();
  // somebody else has a server for each host, which says its own name first
  const said = [...(hosts ? [asked ?? hosts[0]] : []), ...(asked === undefined ? [] : [asked]), 'hello'].join(' ');
  return took && rest.toLowerCase() === said ? null : `the application said ${JSON.stringify(line)}`;
}

function differenceInExchange(
  world: World,
  ir: MeshIr,
  question: RequestQuestion,
  decision: Decision,
  { answer, arrivals }: ObservedRequest,
): string | null {
  // no connection comes about
  if (decision.outcome === 'deny' && decision.status === null && decision.destinations.length === 0)
    return typeof answer === 'string' && !answer.startsWith('no answer') && arrivals.length === 0 ? null : 'a connection, and an answer';
  if (typeof answer === 'string') return answer === wasReset && mayBeReset(question, decision) && arrivals.length === 0 ? null : answer;
  const main = arrivals.find((arrival) => answer.headers['x-app'] === nameOf(arrival));
  const copies = arrivals.filter((arrival) => arrival !== main);
  const seen = `${answer.status} ${main ? `by ${whoIs(world, main)}` : JSON.stringify(answer.body.slice(0, 120))}`;
  const { destinations, fault } = decision;
  if (!main && fault?.abort && fault.abort.percent > 0 && saysAbort(question, answer, fault.abort) && copies.length === 0)
    return differenceInAnswer(question, decision, answer);
  if (destinations.length === 0) {
    if (arrivals[0]) return `${seen}, though ${whoIs(world, arrivals[0])} had it`;
    if (mayBeForbiddenFirst(question, decision) && answer.status === 403) return null;
    return says(question, answer, decision.status) ? differenceInAnswer(question, decision, answer) : seen;
  }
  // what is for a name that leads nowhere, or to somebody else, is let out all the same: whoever dials finds that out
  if (isLost(question) && decision.outcome === 'allow') return arrivals.length === 0 && says(question, answer, 503) ? null : seen;
  const mirrored = differenceInCopies(world, ir, question, decision, copies);
  if (mirrored !== null) return mirrored;
  if (!main) {
    // one of the destinations refused it: by rule, for its token, or because the path is not in its form
    const refused = destinations.filter(
      ({ port, access, request }) => access === 'deny' && says(question, answer, statusOf(ir, question, port, request)),
    );
    return firstOr(
      refused.map((one) => differenceInHeaders(edited({}, one.responseHeaders), answer, false)),
      seen,
    );
  }
  if (answer.status !== (isUpgrade(question) && question.wire.http === '1.1' ? 101 : 200)) return seen;
  const hasBody = isUpgrade(question) || question.request.method !== 'HEAD';
  if (hasBody && answer.body.trimEnd() !== 'application') return `the body ${JSON.stringify(answer.body.slice(0, 120))}`;
  const took = destinations.filter((one) => one.access === 'allow' && isAt(world, one, main));
  return firstOr(
    took.map(
      (one) =>
        differenceInRequest(question, one, told(world, ir, question, one), main) ??
        differenceInHeaders(edited({ ...applicationHeaders, 'x-app': nameOf(main) }, one.responseHeaders), answer, true),
    ),
    seen,
  );
}

/** A Host that is none: HTTP/2 has a word of its own for a request that is malformed (RFC 9113 section 8.1.1). */
const mayBeReset = ({ request: { headers }, wire }: RequestQuestion, { stage }: Decision): boolean =>
  stage === 'canonical' && wire.http === '2' && headers['host'] !== undefined && !isHost(headers['host']);

const lost: readonly string[] = Object.values(lostNames);
const isLost = ({ request: { headers, to } }: RequestQuestion): boolean =>
  to !== null && isWild(serviceOfPort(to)) && lost.includes(hostWithoutPort(headers['host'] ?? ''));
const isUpgrade = ({ request: { headers } }: RequestQuestion): boolean => upgradeOf(headers) !== null;
/** An upgrade that its rule does not let through is refused before anything else is looked at (core/semantics/README.md, 47). */
const mayBeForbiddenFirst = (question: RequestQuestion, { outcome, status }: Decision): boolean =>
  isUpgrade(question) && outcome === 'deny' && status !== null;

/** What a destination that refuses a request answers it, as it comes there. */
function statusOf(ir: MeshIr, { request: { from } }: RequestQuestion, port: PortKey, came: ForwardedRequest): number | null {
  const { principal } = workloadOf(ir, from.kind === 'outside' ? from.gateway : from.workload);
  return decideInbound(ir, { ...came, ...claimsOf(ir.issuers, came.headers['authorization']), principal, port }).status;
}

/** To gRPC the mesh says a status in gRPC's words (grpc/grpc, doc/http-grpc-status-mapping.md), unless that is what the rule says itself. */
function says({ request }: RequestQuestion, answer: RawAnswer, status: number | null): boolean {
  if (!isGrpc(request) || answer.headers['grpc-status'] === undefined) return answer.status === status;
  const word = answer.headers['grpc-status'];
  return answer.status === 200 && (status === 200 || word === String(grpcStatusOf(status ?? 0)));
}
const saysAbort = (question: RequestQuestion, answer: RawAnswer, { kind, status }: Abort): boolean =>
  kind === 'http'
    ? says(question, answer, status)
    : answer.status === 200 && answer.headers['grpc-status'] === (isGrpc(question.request) ? String(status) : undefined);

/** null when one of the ways fits; else what the first says, or `none` where there is no way at all. */
function firstOr(ways: readonly (string | null)[], none: string): string | null {
  return ways.includes(null) ? null : (ways[0] ?? none);
}

/** What the mesh says where no application answers. */
function differenceInAnswer(question: RequestQuestion, { answer: said }: Decision, answer: RawAnswer): string | null {
  if (said === null) return null;
  if (question.request.method !== 'HEAD' && said.body !== null && answer.body !== said.body)
    return `the body ${JSON.stringify(answer.body)}`;
  return differenceInHeaders(said.headers, answer, false);
}

/** Headers that any server says. `whole`: these and no others may be there. */
const ofServers = /^(date|connection|content-length|transfer-encoding|keep-alive|upgrade|vary)$/;
function differenceInHeaders(expected: RawAnswer['headers'], answer: RawAnswer, whole: boolean): string | null {
  const plain = (value: string | undefined): string => (value ?? '(nothing)').replaceAll(/, ?/g, ',');
  for (const [name, value] of Object.entries(expected))
    if (!ofServers.test(name) && plain(answer.headers[name]) !== plain(value))
      return `the answer's \`${name}\` is ${JSON.stringify(answer.headers[name] ?? null)}, not ${JSON.stringify(value)}`;
  const more = whole ? Object.keys(answer.headers).find((name) => expected[name] === undefined && !ofServers.test(name)) : undefined;
  return more === undefined ? null : `the answer's \`${more}\` came from nowhere`;
}

/** How a difference begins that may be one of a busy machine. */
export const lostCopy = 'no copy came to';
/** Copies go to where the rule says and nowhere else, one to each; those of all requests are there. */
function differenceInCopies(
  world: World,
  ir: MeshIr,
  question: RequestQuestion,
  { mirrors }: Decision,
  copies: readonly Arrival[],
): string | null {
  const left = mirrors.filter(({ access, share }) => access === 'allow' && share > 0);
  for (const copy of copies) {
    const index = left.findIndex(
      (mirror) => isAt(world, mirror, copy) && differenceInRequest(question, mirror, told(world, ir, question, mirror), copy) === null,
    );
    if (index < 0) {
      const [near] = left.filter((mirror) => isAt(world, mirror, copy));
      const why = near ? differenceInRequest(question, near, told(world, ir, question, near), copy) : null;
      return `a copy came to ${whoIs(world, copy)}${why === null ? '' : `: ${why}`}`;
    }
    left.splice(index, 1);
  }
  const [lacking] = left.filter(({ share }) => share === 100);
  // that of an upgrade ends with what it is a copy of, be it on its way
  return lacking && !isUpgrade(question) ? `${lostCopy} ${lacking.port}` : null;
}

/** What an application of the mesh hears of the client beside its request: by which scheme it came, and what its certificate says. */
function told(world: World, ir: MeshIr, { request: { from }, wire }: RequestQuestion, { port, request }: Told): ForwardedRequest {
  if (ir.services.some(({ outside, ports }) => outside && ports.some(({ key }) => key === port))) return request;
  // what an application's HTTP/1.1 asks for, and over HTTP/2 nobody says (core/semantics/README.md, 46)
  const keyed = {
    ...(request.headers['upgrade'] === undefined ? {} : { 'sec-websocket-key': 'bWVzaHdyaWdodC1oMi13cw==' }),
    ...request.headers,
  };
  if (from.kind === 'workload') return { ...request, headers: { ...keyed, [scheme]: 'https' } };
  const { speaks } = listenerOf(gatewayOf(ir, from.gateway), from.listener);
  const shown = speaks.kind === 'https' && speaks.clients && from.certificate ? world.certificateOf(shownBy(wire, from.certificate)) : null;
  return {
    ...request,
    headers: {
      ...keyed,
      [scheme]: speaks.kind === 'http' ? 'http' : 'https',
      ...(shown ? { [clientCertificateHeader]: shown.fingerprint, [clientSubjectHeader]: shown.subject } : {}),
    },
  };
}
type Told = Pick<DestinationDecision, 'port' | 'request'>;
const scheme = 'x-forwarded-proto';
function gatewayOf(ir: MeshIr, gateway: WorkloadKey): Gateway {
  const found = ir.gateways.find(({ key }) => key === gateway);
  if (!found) throw new Error(`${gateway} is no gateway`);
  return found;
}

const nameOf = ({ instance, port }: Arrival): string => `${instance}/${port}`;
function isAt(
  world: World,
  { port, version }: Pick<DestinationDecision, 'port' | 'version'>,
  arrival: Pick<Arrival, 'instance' | 'port'>,
): boolean {
  const at = world.standsFor(arrival);
  if (at.port === null) return isWild(serviceOfPort(port));
  return at.port === port && (version === null || version === at.version);
}
function whoIs(world: World, arrival: Arrival): string {
  const { port, version } = world.standsFor(arrival);
  return port === null ? arrival.host : version === null ? port : `${port} ${version}`;
}

/** Headers that proxies say of a connection or a request, and no client to an application; what is left of a gRPC call's time among them. */
const ofProxies = /^(x-forwarded-(proto|for|client-cert)|x-request-id|content-length|transfer-encoding|connection|te|grpc-timeout)$/;

/** What only the mesh says, and is looked at. */
const saidByGateways = /^(x-forwarded-proto|x-meshwright-client-(certificate|subject))$/;

/** How the request that came differs from the one that was meant to; null when it does not. */
function differenceInRequest(
  { wire }: RequestQuestion,
  { port }: Pick<DestinationDecision, 'port'>,
  meant: ForwardedRequest,
  arrival: Arrival,
): string | null {
  const same = (what: string, sent: string, came: string): string[] =>
    sent === came ? [] : [`${what} ${JSON.stringify(sent)} came as ${JSON.stringify(came)}`];
  const came = new Map<string, string>();
  for (const [name, value] of arrival.headers) {
    const before = came.get(name);
    came.set(name, before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ','}${value}`);
  }
  // what is called in HTTP/1.1 may get it (core/semantics/README.md, 63)
  if (namespaceOf(serviceOfPort(port)) === outsideNamespace && came.get('cookie') === '') came.delete('cookie');
  const sent = new Map(Object.entries(meant.headers).filter(([name]) => saidByGateways.test(name) || !takenOff.test(name)));
  const found = [
    ...same('the method', meant.method, arrival.method),
    ...same('the path', meant.path, arrival.path),
    ...same('the host', meant.host, arrival.host),
    ...same('the body', wire.body ?? '', arrival.body),
    ...[...sent].flatMap(([name, value]) => same(`the header \`${name}\``, value.trim(), came.get(name) ?? '(nothing)')),
    ...[...came.keys()]
      .filter((name) => !sent.has(name) && !ofProxies.test(name))
      .map((name) => `the header \`${name}\` came from nowhere`),
  ];
  return found[0] ?? null;
}
