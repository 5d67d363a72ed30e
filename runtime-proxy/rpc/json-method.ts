/**
 * gRPC methods whose messages are JSON texts, decoded field by field: the CA's and the agents' own protocol. Envoy's protocols are protobuf
 * (protobuf-method.ts).
 */
import type { MethodDefinition } from '@grpc/grpc-js';

/** Bytes of one message in either direction. */
export const maxMessageBytes = 4 * 1024 * 1024;

/** A gRPC method with JSON messages. A message that does not decode fails the call with INTERNAL before any handler sees it. */
export function jsonMethod<Request, Response>(
  path: string,
  parse: { readonly request: (value: unknown) => Request; readonly response: (value: unknown) => Response },
  stream: 'unary' | 'bidi' = 'unary',
): MethodDefinition<Request, Response> {
  const write = (value: unknown): Buffer => Buffer.from(JSON.stringify(value), 'utf8');
  const read = (bytes: Buffer): unknown => JSON.parse(bytes.toString('utf8'));
  return {
    path,
    requestStream: stream === 'bidi',
    responseStream: stream === 'bidi',
    requestSerialize: write,
    requestDeserialize: (bytes) => parse.request(read(bytes)),
    responseSerialize: write,
    responseDeserialize: (bytes) => parse.response(read(bytes)),
  };
}
