/** A client's connection that stays open: asked again and again, and looked at whether it is still there. */
import * as http2 from 'node:http2';
import * as net from 'node:net';
import * as tls from 'node:tls';
import type { Address } from '../../runtime-proxy/inventory';

export interface KeptConnection {
  /** A request for a host, and the status of its answer; at what is no HTTP, a line and the line that comes back. '' when the connection is closed first. */
  ask(host?: string): Promise<string>;
  isClosed(): boolean;
  /** Names in the certificate that was shown, sorted. */
  shown(): readonly string[];
  end(): void;
}
/** `sni`: TLS for that server name; certificates are not verified. */
interface To extends Address {
  readonly sni?: string;
}

function dial({ host, port, sni }: To, protocol?: string): net.Socket {
  const socket =
    sni === undefined
      ? net.connect(port, host)
      : tls.connect({
          ...{ host, port, servername: sni, rejectUnauthorized: false },
          ...(protocol === undefined ? {} : { ALPNProtocols: [protocol] }),
        });
  return socket.on('error', () => undefined);
}
const namesShown = (socket: net.Socket): readonly string[] =>
  (socket instanceof tls.TLSSocket ? (socket.getPeerX509Certificate()?.subjectAltName ?? '') : '')
    .split(', ')
    .map((name) => name.replace('DNS:', ''))
    .sort();

/** Words and what is heard back, one at a time. `heard`: what of all that came is an answer, or null as long as there is none. */
function keepAsking(socket: net.Socket, words: (host: string) => string, heard: (said: string) => string | null): KeptConnection {
  return {
    ask: (host = '') =>
      new Promise((resolve) => {
        let said = '';
        const end = (answer: string): void => {
          socket.off('data', take).off('close', close);
          resolve(answer);
        };
        const close = (): void => end('');
        const take = (chunk: Buffer): void => {
          said += chunk.toString('latin1');
          const answer = heard(said);
          if (answer !== null) end(answer);
        };
        if (socket.closed) return close();
        socket.on('data', take).on('close', close).write(words(host));
      }),
    isClosed: () => socket.closed,
    shown: () => namesShown(socket),
    end: () => void socket.destroy(),
  };
}

/** HTTP/1.1, for answers without a body. */
export const keptHttp1 = (to: To): KeptConnection =>
  keepAsking(
    dial(to, 'http/1.1'),
    (host) => `GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`,
    (said) => {
      const [, status, rest = ''] = /^HTTP\/1\.1 (\d{3})([\s\S]*?)\r\n\r\n/.exec(said) ?? [];
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(rest)?.[1] ?? 0);
      return status !== undefined && said.length >= said.indexOf('\r\n\r\n') + 4 + length ? status : null;
    },
  );
/** Of an application that gives back what it hears, behind its name. */
export const keptLines = (to: To): KeptConnection =>
  keepAsking(
    dial(to),
    () => 'hello\n',
    (said) => (said.endsWith('\n') ? said.trim() : null),
  );

export function keptHttp2({ sni = '', ...to }: To): KeptConnection {
  const socket = dial({ ...to, sni }, 'h2');
  const session = http2.connect(`https://${sni}`, { createConnection: () => socket }).on('error', () => undefined);
  return {
    ask: (host = sni) =>
      new Promise((resolve) => {
        if (session.closed || session.destroyed) return resolve('');
        const stream = session.request({ ':authority': host, ':path': '/' });
        stream.on('response', (headers) => resolve(String(headers[':status'])));
        stream.on('error', () => resolve('')).on('close', () => resolve(''));
        stream.resume();
      }),
    isClosed: () => session.destroyed || socket.closed,
    shown: () => namesShown(socket),
    end: () => session.destroy(),
  };
}
