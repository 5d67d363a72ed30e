/** One request over HTTP/2: in the clear with prior knowledge, or over TLS. */
import * as http2 from 'node:http2';
import type { Address } from '../../runtime-proxy/inventory';
import { dial, type DialOptions } from './dial';
import { noAnswerMs, type RawAnswer, type RawRequest, said } from './raw-http';

/** What is said of a stream that ended before an answer began. */
export const wasReset = 'the stream was reset';

export async function sendHttp2(to: Address, request: RawRequest, options: DialOptions = {}): Promise<RawAnswer> {
  const socket = await dial(to, { ...options, alpn: ['h2'] });
  return new Promise((resolve, reject) => {
    const scheme = options.sni === undefined ? 'http' : 'https';
    const session = http2.connect(`${scheme}://${to.host}:${to.port}`, { createConnection: () => socket });
    const fail = (error: Error): void => {
      session.destroy();
      reject(error);
    };
    session.setTimeout(noAnswerMs, () => fail(new Error(`no answer to ${request.method} ${request.path}`)));
    session.on('error', fail);
    const headers: http2.OutgoingHttpHeaders = {
      ...(request.upgrade === undefined
        ? { ':method': request.method }
        : { ':method': 'CONNECT', ':protocol': request.upgrade, ':scheme': scheme }),
      ...{ ':path': request.path, ':authority': request.host },
    };
    for (const [name, value] of request.headers) {
      const before = headers[name];
      headers[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [String(before)]), value];
    }
    const ask = (): void => {
      const stream = session.request(headers, { endStream: request.body === undefined && request.upgrade === undefined });
      if (request.body !== undefined) stream.end(Buffer.from(request.body, 'latin1'));
      let status = 0;
      const answered: { [name: string]: string } = {};
      const chunks: Buffer[] = [];
      const text = (): string => Buffer.concat(chunks).toString('latin1');
      const end = (): void => {
        if (status === 0) return fail(new Error(wasReset));
        session.destroy();
        resolve({ status, headers: answered, body: text() });
      };
      stream.on('response', (response) => {
        status = Number(response[':status'] ?? 0);
        for (const [name, value] of Object.entries(response)) if (!name.startsWith(':')) answered[name] = [value].flat().join(', ');
        if (request.upgrade !== undefined && status === 200) stream.write(said);
      });
      stream.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        if (request.upgrade !== undefined && status === 200 && text().endsWith('\n')) end();
      });
      stream.on('error', fail);
      stream.on('end', end);
      stream.resume();
    };
    // nobody asks for another protocol before the other side has said that it may be asked (RFC 8441 section 3)
    if (request.upgrade === undefined) return ask();
    session.once('remoteSettings', ({ enableConnectProtocol }) => {
      if (enableConnectProtocol === true) ask();
      else fail(new Error('an extended CONNECT is not taken'));
    });
  });
}
