/** gRPC servers of tests: methods whose messages are bytes as they are. */
import * as grpc from '@grpc/grpc-js';

const asIs = (value: Buffer): Buffer => value;
/** For clients: messages as they are. */
export const bytes = { serialize: asIs, deserialize: asIs };

type Method = grpc.MethodDefinition<Buffer, Buffer>;
/** A method by its whole name, `p.S/M`; either side may send a stream. */
export const grpcMethod = (name: string, { requestStream = false, responseStream = false } = {}): Method => ({
  ...{ path: `/${name}`, requestStream, responseStream },
  ...{ requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs },
});
export const bothStream = { requestStream: true, responseStream: true };

/** Says what it heard, and something in the trailers. */
export const saysWhatItHeard: grpc.handleUnaryCall<Buffer, Buffer> = (call, answer) => {
  const trailers = new grpc.Metadata();
  trailers.set('said-last', 'so');
  answer(null, Buffer.from(`heard ${call.request.toString()}`), trailers);
};
/** Answers each message with itself, and ends when it is told to. */
export const echoes: grpc.handleBidiStreamingCall<Buffer, Buffer> = (call) => {
  call.on('data', (chunk: Buffer) => call.write(Buffer.from(`echo ${chunk.toString()}`)));
  call.on('end', () => call.end());
  call.on('error', () => undefined);
};

/** Serves methods of one service, each with its handler; port 0 is any. */
export async function serveGrpc(
  at: { readonly host: string; readonly port: number },
  methods: { readonly [name: string]: readonly [Method, grpc.UntypedHandleCall] },
  credentials = grpc.ServerCredentials.createInsecure(),
): Promise<{ readonly port: number; close(): void }> {
  const server = new grpc.Server();
  const each = <T>(pick: (of: readonly [Method, grpc.UntypedHandleCall]) => T): { readonly [name: string]: T } =>
    Object.fromEntries(Object.entries(methods).map(([name, of]) => [name, pick(of)]));
  server.addService(
    each(([method]) => method),
    each(([, handler]) => handler),
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${at.host}:${at.port}`, credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  return { port, close: () => server.forceShutdown() };
}
