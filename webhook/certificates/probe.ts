/** A handshake with our own listener, as the API server does it: by the name of the Service, trusting what the configurations say and nothing else. */
import { constants } from 'node:os';
import * as tls from 'node:tls';

export interface Place {
  readonly host: string;
  readonly port: number;
}

/**
 * What a handshake says of the certificate. `unheard`: nothing, for there was no end of it: a busy process, a listener at its limit, a connection that broke. That
 * is so for a moment on a machine that has much to do, and for as long as it lasts when nobody listens.
 */
export type Shake = { readonly kind: 'good' } | { readonly kind: 'refused' | 'unheard'; readonly why: string };

/** Never rejects. */
export function handshake({ host, port }: Place, servername: string, bundle: string): Promise<Shake> {
  return new Promise((resolve) => {
    const ca = bundle === '' ? [] : bundle;
    let socket: tls.TLSSocket;
    try {
      socket = tls.connect({ host, port, servername, ca, rejectUnauthorized: true, timeout: 5_000 });
    } catch (error) {
      // A bundle that holds no certificates, only something like them.
      return resolve({ kind: 'refused', why: error instanceof Error ? error.message : String(error) });
    }
    const end = (answer: Shake): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('secureConnect', () => end({ kind: 'good' }));
    socket.once('timeout', () => end({ kind: 'unheard', why: 'no answer within five seconds' }));
    socket.once('error', (error) => end({ kind: isOfTheSystem(error) ? 'unheard' : 'refused', why: error.message }));
  });
}

/** ECONNREFUSED, ECONNRESET, EMFILE and their like; what TLS says has codes of its own. */
const isOfTheSystem = (error: Error): boolean =>
  'code' in error && typeof error.code === 'string' && Object.hasOwn(constants.errno, error.code);
