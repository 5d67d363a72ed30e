/** What a decision does to a request, in words for people: `ask` prints them, and a difference between two decisions is told by them. */
import type { HeaderEdits } from '../ir/ir';
import { nameOf as serviceNameOf, namespaceOf, serviceOfPort } from '../mesh/ids';
import type { Decision, DestinationDecision, ForwardedRequest, MeshRequest } from './decision';
import { abortText } from './abort';
import { hostWithoutPort } from './match';

/** A label and a text each; only what is said. `asked`: the host that it was sent to, without a port. */
export function wordsOf(
  request: Pick<MeshRequest, 'path' | 'headers'>,
  asked: string,
  decision: Decision,
): readonly (readonly [label: string, text: string])[] {
  const words: (readonly [string, string])[] = [];
  const say = (label: string, texts: readonly string[]): void => {
    if (texts.length > 0) words.push([label, texts.join(', ')]);
  };
  say('answers', answerText(decision));
  say('sticks', stickyText(decision));
  say('fault', faultText(decision));
  say(
    'reads',
    each(decision.destinations, (one) => readsText(request, asked, one.request)),
  );
  say(
    'back',
    each(decision.destinations, (one) => one.responseHeaders.flatMap(editsText)),
  );
  say(
    'copied',
    decision.mirrors.map(
      ({ port, version, share, access }) => `${nameOf({ port, version })} ${share} %${access === 'deny' ? ' (denied)' : ''}`,
    ),
  );
  return words;
}

/** The host that a request is sent to, without its port: what it says, else what it addresses. */
export function askedHost(request: Pick<MeshRequest, 'from' | 'to' | 'headers'>): string {
  const written = request.headers['host'];
  if (written !== undefined) return hostWithoutPort(written);
  if (request.from.kind === 'outside') return hostWithoutPort(request.from.host);
  const service = request.to && serviceOfPort(request.to);
  return service === null ? '' : `${serviceNameOf(service)}.${namespaceOf(service)}`;
}

/** What holds for all destinations once; else by destination. */
function each(destinations: readonly DestinationDecision[], text: (one: DestinationDecision) => readonly string[]): readonly string[] {
  const texts = destinations.map((one) => text(one).join(', '));
  if (new Set(texts).size <= 1) return texts[0] ? [texts[0]] : [];
  return destinations.flatMap((one, index) => (texts[index] ? [`${nameOf(one)}: ${texts[index]}`] : []));
}
const nameOf = ({ port, version }: Pick<DestinationDecision, 'port' | 'version'>): string =>
  version === null ? port : `${port} ${version}`;

function answerText({ answer }: Decision): readonly string[] {
  return answer === null ? [] : Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}`);
}
function stickyText({ sticky }: Decision): readonly string[] {
  if (sticky === null) return [];
  const by = `by ${sticky.by === 'header' ? 'header' : 'cookie'} \`${sticky.name}\``;
  if (sticky.value !== null) return [`${by}, which is \`${sticky.value}\``];
  return [`${by}, which is not there${sticky.by === 'issued' ? ': the answer gives it out' : ''}`];
}
function faultText({ fault }: Decision): readonly string[] {
  return [
    ...(fault?.delay ? [`${fault.delay.percent} % wait ${fault.delay.ms} ms`] : []),
    ...(fault?.abort ? [`${fault.abort.percent} % are answered ${abortText(fault.abort)}`] : []),
  ];
}
function readsText(request: Pick<MeshRequest, 'path' | 'headers'>, asked: string, read: ForwardedRequest): readonly string[] {
  const { host: _host, ...sent } = request.headers;
  const gone = Object.keys(sent).filter((name) => !Object.hasOwn(read.headers, name));
  const other = Object.entries(read.headers).filter(([name, value]) => sent[name] !== value);
  return [
    ...(read.path === request.path ? [] : [read.path]),
    ...(hostWithoutPort(read.host) === asked ? [] : [`host ${read.host}`]),
    ...other.map(([name, value]) => `${name}: ${value}`),
    ...gone.map((name) => `no ${name}`),
  ];
}
function editsText({ remove, set, add }: HeaderEdits): readonly string[] {
  return [
    ...remove.map((name) => `no ${name}`),
    ...set.map(({ name, value }) => `${name}: ${value}`),
    ...add.map(({ name, value }) => `also ${name}: ${value}`),
  ];
}
