import { create, toBinary } from '@bufbuild/protobuf';
import { Client, credentials, Server, ServerCredentials, type ClientDuplexStream, type ServerDuplexStream } from '@grpc/grpc-js';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { AggregatedDiscoveryService } from '../../core/wire/gen/envoy/service/discovery/v3/ads_pb';
import { DeltaDiscoveryRequestSchema } from '../../core/wire/gen/envoy/service/discovery/v3/discovery_pb';
import { typeUrl } from '../../core/wire/type-url';
import { temporaryFolder } from '../../platform/files';
import { silentLog } from '../../platform/log';
import { protobufMethod } from '../rpc/protobuf-method';
import { serveRelay, type Relay } from './relay';

const { path: method } = protobufMethod(AggregatedDiscoveryService.method.deltaAggregatedResources);
const asIs = (bytes: Buffer): Buffer => bytes;
const raw = { requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs };
const nonsense = Buffer.from([0xff, 0xff, 0xff]);
const request = Buffer.from(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, { typeUrl: typeUrl.cluster })));

let folder: string;
let replica: Server;
let relay: Relay;
let way: Client;
let envoy: Client;
let come: (stream: ServerDuplexStream<Buffer, Buffer>) => void = () => undefined;
beforeEach(async () => {
  folder = await temporaryFolder('relay');
  replica = new Server();
  replica.addService(
    { stream: { ...raw, path: method, requestStream: true, responseStream: true } },
    {
      stream: (stream: ServerDuplexStream<Buffer, Buffer>) => {
        stream.on('error', () => undefined);
        stream.on('data', () => come(stream));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) =>
    replica.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  const socket = path.join(folder, 'ads.sock');
  relay = await serveRelay(socket, () => 1, silentLog);
  way = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  relay.attach(way);
  envoy = new Client(`unix:${socket}`, credentials.createInsecure());
});
afterEach(async () => {
  envoy.close();
  way.close();
  await relay.close();
  replica.forceShutdown();
  await fs.rm(folder, { recursive: true, force: true });
});
const open = (): ClientDuplexStream<Buffer, Buffer> => envoy.makeBidiStreamRequest(method, asIs, asIs);
const endOf = (stream: ClientDuplexStream<Buffer, Buffer>): Promise<string> =>
  new Promise((resolve) => stream.on('error', (error) => resolve(error.message)));

test('a message of Envoy that cannot be read ends its stream, and the next one is served', async () => {
  const stream = open();
  const ended = endOf(stream);
  stream.write(nonsense);
  expect(await ended).toContain('a message cannot be read');
  const next = open();
  endOf(next).catch(() => undefined);
  const came = new Promise<void>((resolve) => (come = () => resolve()));
  next.write(request);
  await came;
});

test('a message of the control plane that cannot be read ends the stream, and Envoy is not given it', async () => {
  const stream = open();
  const given: Buffer[] = [];
  stream.on('data', (bytes: Buffer) => given.push(bytes));
  const ended = endOf(stream);
  come = (from) => void from.write(nonsense);
  stream.write(request);
  expect(await ended).toContain('a message cannot be read');
  expect(given).toEqual([]);
});
