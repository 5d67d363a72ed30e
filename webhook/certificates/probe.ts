/** A handshake with our own listener, as the API server does it: by the name of the Service, trusting what the configurations say and nothing else. */
import * as tls from 'node:tls';

export interface Place {
  readonly host: string;
  readonly port: number;
}

/** Why the handshake fails; null when it does not. */
export function handshake({ host, port }: Place, servername: string, bundle: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = tls.connect({ host, port, servername, ca: bundle === '' ? [] : bundle, rejectUnauthorized: true, timeout: 5_000 });
    const end = (answer: string | null): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('secureConnect', () => end(null));
    socket.once('timeout', () => end('no answer within five seconds'));
    socket.once('error', (error) => end(error.message));
  });
}
