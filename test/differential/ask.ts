/** A question to the definition, put to the proxies instead: sent where its application, or its client outside, would send it. */
import * as tls from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MeshIr } from '../../core/ir/ir';
import { nameOf, nameOfPort, namespaceOf, type PortKey, serviceOfPort } from '../../core/mesh/ids';
import { exampleHost } from '../../core/semantics/address';
import type { MeshConnection, OutsideConnection } from '../../core/semantics/decide-connection';
import type { Decision } from '../../core/semantics/decision';
import type { Address } from '../../runtime-proxy/inventory';
import { dial, type DialOptions, type ProxyHeader, proxyHeader } from '../kit/dial';
import { type ClientWire, shownBy } from '../kit/mesh-generator-clients';
import { ownAddresses } from '../kit/mesh-generator-gateway';
import { type OutsideConnectionQuestion, type Question, type RequestQuestion, vainUpgrades } from '../kit/mesh-generator-requests';
import { noAnswerMs, type RawAnswer, type RawRequest, sendRaw } from '../kit/raw-http';
import { sendHttp2 } from '../kit/send-http2';
import type { Arrival } from '../kit/echo-application';
import type { World } from './world';

/** What was seen of a question from outside the proxies. */
export type Observed = ObservedRequest | ObservedConnection;
export interface ObservedConnection {
  readonly kind: 'connection';
  /** The line that came back; null: it was closed, or could not be opened. */
  readonly line: string | null;
}
/** Who said such a line, and the rest of it. */
export function saidBy(line: string): { readonly instance: string; readonly port: string; readonly rest: string } {
  const [name = '', ...rest] = line.split(' ');
  const slash = name.lastIndexOf('/');
  return { instance: name.slice(0, slash), port: name.slice(slash + 1), rest: rest.join(' ') };
}
export interface ObservedRequest {
  readonly kind: 'request';
  /** A sentence where there was no answer. */
  readonly answer: RawAnswer | string;
  /** Of the request, and of copies of it. */
  readonly arrivals: readonly Arrival[];
}

/** How long a copy that must come may take: longer, and it is lost. */
const copyMs = 30_000;
let questions = 0;

/** Copies that are sure to be made are waited for, since the answer does not wait for them. */
export async function ask(world: World, ir: MeshIr, question: Question, { mirrors }: Pick<Decision, 'mirrors'>): Promise<Observed> {
  if (question.kind === 'connection') return { kind: 'connection', line: await connectWithin(world, question.connection) };
  if (question.kind === 'connection-from-outside') return { kind: 'connection', line: await connectFromOutside(world, ir, question) };
  const name = `q${(questions += 1)}`;
  const { request, wire } = question;
  const { from } = request;
  const { upgrade } = request.headers;
  const instance = world.instanceOf(from.kind === 'outside' ? from.gateway : from.workload);
  const address = from.kind === 'outside' ? instance.listeners?.[from.listener] : instance.outbound;
  if (!address) throw new Error(`${instance.id} cannot be reached for this question`);
  const raw: RawRequest = {
    method: request.method,
    path: request.path,
    host: hostOf(ir, question),
    headers: [...linesOf(question), ...(wire.vain ? vainUpgrades[wire.vain] : []), ['x-case', name]],
    ...(upgrade === undefined ? {} : { upgrade }),
    ...(wire.body === null ? {} : { body: wire.body }),
  };
  const options = from.kind === 'outside' ? comingFrom(world, ir, from, wire, from.host.replace(/:\d*$/, '')) : {};
  const send = wire.http === '2' ? sendHttp2 : sendRaw;
  const answer = await send(address, raw, options).catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
  const copies = mirrors.filter(({ access, share }) => access === 'allow' && share === 100).length;
  const reached = typeof answer === 'string' || answer.headers['x-app'] === undefined ? 0 : 1;
  // a copy of an upgrade ends with it, so one that is not there by now need not come
  if (copies > 0 && upgrade === undefined) await until(() => world.arrivals(name).length >= copies + reached);
  const arrivals = world.arrivals(name);
  world.forget(name);
  return { kind: 'request', answer, arrivals };
}

/** How a client dials a gateway. `sni`: what it asks for where the listener speaks TLS, or passes it on. */
function comingFrom(
  world: World,
  ir: MeshIr,
  { gateway, listener: name, address = '127.0.0.1', ...shown }: Client,
  wire: ClientWire,
  sni: string | null,
): DialOptions {
  const listener = ir.gateways.find(({ key }) => key === gateway)?.listeners.find((one) => one.name === name);
  if (!listener) throw new Error(`${gateway} has no listener ${name}`);
  const isTls = listener.speaks.kind === 'https' || listener.speaks.kind === 'tls';
  const isSaid = listener.proxyProtocol && !['local', 'unknown'].includes(wire.proxy ?? 'v1');
  if (!isSaid && !ownAddresses.includes(address)) throw new Error(`nobody here has the address ${address}`);
  return {
    ...(isTls ? { sni } : {}),
    ...(listener.proxyProtocol ? behind(wire.proxy ?? 'v1', address) : { localAddress: address }),
    ...(shown.certificate ? { certificate: world.certificateOf(shownBy(wire, shown.certificate)) } : {}),
  };
}
type Client = Pick<OutsideConnection, 'gateway' | 'listener' | 'address'> & { readonly certificate?: 'valid' | 'invalid' };
/** The balancer has an address that a rule speaks of; where it says nothing of another, it is the client. */
const behind = (kind: ProxyHeader, address: string): DialOptions => ({
  preface: proxyHeader(kind, address),
  localAddress: kind === 'local' || kind === 'unknown' ? address : '127.3.0.9',
});

async function until(holds: () => boolean): Promise<void> {
  for (const end = performance.now() + copyMs; !holds() && performance.now() < end;) await sleep(2);
}

/** The Host header that goes out. */
function hostOf(ir: MeshIr, { request: { from, to, headers } }: RequestQuestion): string {
  const given = headers['host'];
  if (given !== undefined) return given;
  if (from.kind === 'outside') return from.host;
  if (to === null) throw new Error('a request from a workload addresses a port');
  const key = serviceOfPort(to);
  const outside = ir.services.find((service) => service.key === key)?.outside;
  if (outside) return `${exampleHost(outside)}:${numberOf(ir, to)}`;
  return `${nameOf(key)}.${namespaceOf(key)}:${numberOf(ir, to)}`;
}
function numberOf(ir: MeshIr, port: PortKey): number {
  const found = ir.services.flatMap((service) => service.ports).find(({ key }) => key === port);
  if (!found) throw new Error(`no port ${nameOfPort(port)} of ${serviceOfPort(port)}`);
  return found.number;
}

/** Header lines: a value with a comma is sent as several lines where the question says so, and cookies as crumbs (RFC 9113 section 8.2.3). */
function linesOf({ request, wire }: RequestQuestion): RawRequest['headers'] {
  return Object.entries(request.headers)
    .filter(([name]) => name !== 'host' && name !== 'upgrade')
    .flatMap(([name, value]): (readonly [string, string])[] => {
      if (name === 'cookie' && wire.http === '2') return value.split('; ').map((crumb) => [name, crumb]);
      return wire.repeated.includes(name) ? value.split(',').map((one) => [name, one]) : [[name, value]];
    });
}

function connectWithin(world: World, { from, to, sni }: MeshConnection): Promise<string | null> {
  const address = world.instanceOf(from).outboundPorts?.[to];
  if (!address) throw new Error(`${from} has no address for ${to}`);
  const isTls = ['sni', 'pass'].includes(nameOfPort(to));
  return hear(address, isTls ? { sni } : {}, to);
}
function connectFromOutside(world: World, ir: MeshIr, { connection, wire }: OutsideConnectionQuestion): Promise<string | null> {
  const { gateway, listener, sni } = connection;
  const address = world.instanceOf(gateway).listeners?.[listener];
  if (!address) throw new Error(`${gateway} cannot be reached at ${listener}`);
  return hear(address, comingFrom(world, ir, connection, wire, sni), listener);
}

/** Says a line and gives back the line that comes; null when the connection ends before one does. */
async function hear(address: Address, options: DialOptions, to: string): Promise<string | null> {
  const socket = await dial(address, options).catch(() => null); // nobody listens
  if (socket === null) return null;
  return new Promise((resolve, reject) => {
    let text = '';
    socket.setTimeout(noAnswerMs, () => reject(new Error(`nothing comes from ${to}, and it is not closed`)));
    if (socket instanceof tls.TLSSocket) socket.on('secureConnect', () => socket.write('hello\n'));
    else socket.write('hello\n');
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (text.endsWith('\n')) socket.destroy();
    });
    socket.on('error', () => undefined); // what came until then is the answer
    socket.on('close', () => resolve(text === '' ? null : text.trimEnd()));
  });
}
