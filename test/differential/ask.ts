/** A question to the definition, put to the proxies instead: sent where its application, or its client outside, would send it. */
import * as net from 'node:net';
import * as tls from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MeshIr } from '../../core/ir/ir';
import { nameOf, nameOfPort, namespaceOf, type PortKey, serviceOfPort } from '../../core/mesh/ids';
import type { MeshConnection } from '../../core/semantics/decide-connection';
import type { Decision } from '../../core/semantics/decision';
import type { Question, RequestQuestion } from '../kit/mesh-generator-requests';
import { type RawAnswer, type RawRequest, sendRaw } from '../kit/raw-http';
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
export interface ObservedRequest {
  readonly kind: 'request';
  /** A sentence where there was no answer. */
  readonly answer: RawAnswer | string;
  /** Of the request, and of copies of it. */
  readonly arrivals: readonly Arrival[];
  readonly tookMs: number;
}

let questions = 0;

/** Copies that are sure to be made are waited for, since the answer does not wait for them. */
export async function ask(world: World, ir: MeshIr, question: Question, { mirrors }: Pick<Decision, 'mirrors'>): Promise<Observed> {
  if (question.kind === 'connection') return { kind: 'connection', line: await connect(world, question.connection) };
  const name = `q${(questions += 1)}`;
  const { request, wire } = question;
  const { from } = request;
  const instance = world.instanceOf(from.kind === 'outside' ? from.gateway : from.workload);
  const address = from.kind === 'outside' ? instance.listeners?.[from.listener] : instance.outbound;
  if (!address) throw new Error(`${instance.id} cannot be reached for this question`);
  const raw: RawRequest = {
    method: request.method,
    path: request.path,
    host: hostOf(ir, question),
    headers: [...linesOf(question), ['x-case', name]],
    ...(wire.body === null ? {} : { body: wire.body }),
  };
  const options = from.kind === 'outside' && isEncrypted(ir, from) ? { sni: from.host.replace(/:\d*$/, '') } : {};
  const send = wire.http === '2' ? sendHttp2 : sendRaw;
  const begun = performance.now();
  const answer = await send(address, raw, { ...options, timeoutMs: 30_000 }).catch((error: unknown) =>
    error instanceof Error ? error.message : String(error),
  );
  const tookMs = performance.now() - begun;
  const copies = mirrors.filter(({ access, share }) => access === 'allow' && share === 100).length;
  const reached = typeof answer === 'string' || answer.headers['x-app'] === undefined ? 0 : 1;
  if (copies > 0) await until(() => world.arrivals(name).length >= copies + reached, 5_000);
  const arrivals = world.arrivals(name);
  world.forget(name);
  return { kind: 'request', answer, arrivals, tookMs };
}

const isEncrypted = (ir: MeshIr, { gateway, listener }: Extract<RequestQuestion['request']['from'], { kind: 'outside' }>): boolean =>
  ir.gateways.some(
    ({ key, listeners }) => key === gateway && listeners.some(({ name, speaks }) => name === listener && speaks.kind === 'https'),
  );

async function until(holds: () => boolean, limitMs: number): Promise<void> {
  for (const end = Date.now() + limitMs; !holds() && Date.now() < end;) await sleep(2);
}

/** The Host header that goes out. */
function hostOf(ir: MeshIr, { request: { from, to, headers } }: RequestQuestion): string {
  const given = headers['host'];
  if (given !== undefined) return given;
  if (from.kind === 'outside') return from.host;
  if (to === null) throw new Error('a request from a workload addresses a port');
  const key = serviceOfPort(to);
  const outside = ir.services.find((service) => service.key === key)?.outside;
  if (outside) return `${outside.hosts[0]}:${numberOf(ir, to)}`;
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
    .filter(([name]) => name !== 'host')
    .flatMap(([name, value]): (readonly [string, string])[] => {
      if (name === 'cookie' && wire.http === '2') return value.split('; ').map((crumb) => [name, crumb]);
      return wire.repeated.includes(name) ? value.split(',').map((one) => [name, one]) : [[name, value]];
    });
}

/** Says a line and gives back the line that comes; null when the connection ends before one does. */
function connect(world: World, { from, to, sni }: MeshConnection): Promise<string | null> {
  const address = world.instanceOf(from).outboundPorts?.[to];
  if (!address) throw new Error(`${from} has no address for ${to}`);
  return new Promise((resolve, reject) => {
    const layer = nameOfPort(to) === 'sni' ? 'tls' : 'tcp';
    const socket: net.Socket =
      layer === 'tcp'
        ? net.connect(address.port, address.host)
        : tls.connect({ ...address, rejectUnauthorized: false, ...(sni === null ? {} : { servername: sni }) });
    let text = '';
    socket.setTimeout(30_000, () => reject(new Error(`nothing comes from ${to}, and it is not closed`)));
    socket.on(layer === 'tcp' ? 'connect' : 'secureConnect', () => socket.write('hello\n'));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (text.endsWith('\n')) socket.destroy();
    });
    socket.on('error', () => undefined); // what came until then is the answer
    socket.on('close', () => resolve(text === '' ? null : text.trimEnd()));
  });
}
