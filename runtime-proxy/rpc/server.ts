/** A gRPC server with the limits every server of ours has. */
import {
  Server,
  status,
  type handleUnaryCall,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerCredentials,
  type ServiceError,
} from '@grpc/grpc-js';
import { hostPort } from '../../core/lib/host-port';
import { listenHost } from '../../platform/listen-host';
import { identityOf, type PeerIdentity } from '../ca/spiffe';
import { maxMessageBytes } from './json-method';

/** A refusal that the caller is told, with a gRPC status code. Anything else thrown by a handler is told as INTERNAL, without its text. */
export class RpcRefusal extends Error {
  override readonly name = 'RpcRefusal';
  constructor(
    readonly code: status,
    message: string,
  ) {
    super(message);
  }
}

/** A server with message limits, and keep-alive so that a peer that is gone without a word is noticed. */
export function createServer(): Server {
  return new Server({
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': 64 * 1024 * 1024,
    'grpc.max_concurrent_streams': 64,
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 5_000,
  });
}

/** Binds and answers the port; `::` is every address of either family. A taken port rejects with one line that says so. */
export function bind(server: Server, host: string, port: number, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(hostPort(listenHost(host), port), credentials, (error, bound) => {
      if (!error) resolve(bound);
      else
        reject(
          /EADDRINUSE/.test(error.message)
            ? new Error(`port ${port} on ${host} is taken: choose another, or end what listens there`, { cause: error })
            : error,
        );
    });
  });
}

/** Who calls, by a certificate that the TLS layer verified; null for nobody. */
export function peerOf(call: { getAuthContext(): { readonly sslPeerCertificate?: { readonly raw?: Buffer } } }): PeerIdentity | null {
  const raw = call.getAuthContext().sslPeerCertificate?.raw;
  return raw ? identityOf(raw) : null;
}

/** A unary handler from an async function. */
export function unary<Request, Response>(
  handle: (request: Request, peer: PeerIdentity | null) => Promise<Response>,
  onError: (error: unknown) => void,
): handleUnaryCall<Request, Response> {
  return (call: ServerUnaryCall<Request, Response>, done: sendUnaryData<Response>) => {
    handle(call.request, peerOf(call)).then(
      (response) => done(null, response),
      (error: unknown) => {
        if (error instanceof RpcRefusal) return done(refusal(error.code, error.message));
        onError(error);
        done(refusal(status.INTERNAL, 'internal error'));
      },
    );
  };
}

const refusal = (code: status, details: string): Partial<ServiceError> => ({ code, details });

/** Ends the server: open calls get `graceMs`, then they are cut. */
export function stopServer(server: Server, graceMs = 500): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => (server.forceShutdown(), resolve()), graceMs);
    server.tryShutdown(() => (clearTimeout(timer), resolve()));
  });
}
