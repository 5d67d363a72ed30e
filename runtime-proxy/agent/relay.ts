/**
 * Envoy's way to the control plane: a unix socket here, and from here the one connection that the agent's own reports go by, so that both reach the same
 * replica. Messages pass as they are but for one: what Envoy claims to have when it connects again goes with the agent's word for it. In the
 * state of the world it can claim nothing.
 */
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { Metadata, ServerCredentials, status, type Client, type ClientDuplexStream, type ServerDuplexStream } from '@grpc/grpc-js';
import { AggregatedDiscoveryService } from '../../core/wire/gen/envoy/service/discovery/v3/ads_pb';
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
  ResourceSchema,
  type DiscoveryResponse,
} from '../../core/wire/gen/envoy/service/discovery/v3/discovery_pb';
import { reasonOf } from '../../core/lib/reason';
import { typeUrl } from '../../core/wire/type-url';
import type { Log } from '../../platform/log';
import { protobufMethod } from '../rpc/protobuf-method';
import { createServer, stopServer } from '../rpc/server';
import { Kept } from './kept';
import { Ledger, type SentNames } from './ledger';
import { noneAcknowledged, type Acknowledged } from './envoy-admin';
import { vouchedHeader } from './protocol';

export interface Relay {
  /** From now on this connection is used; null: there is none. What goes by another one ends, and Envoy comes back at once. */
  attach(client: Client | null): void;
  /** What the Envoy of now has acknowledged. */
  acknowledged(): Acknowledged;
  close(): Promise<void>;
}
type Down = ServerDuplexStream<Buffer, Buffer>;
type Up = ClientDuplexStream<Buffer, Buffer>;
/** What is looked at of a stream's messages, in one of the two protocols. */
interface Watch {
  /** A response as it goes on to Envoy. */
  readonly sent: (bytes: Buffer) => Buffer;
  /** A request as it goes on. */
  readonly passed: (bytes: Buffer) => Buffer;
}
interface Stream {
  begin(client: Client): void;
  moveFrom(client: Client | null): void;
}

const asIs = (bytes: Buffer): Buffer => bytes;
/** Endpoints follow their cluster: one that is sent anew is warmed anew, and Envoy does not ask again for what it claims to have. */
const follows = new Map([[typeUrl.cluster, typeUrl.endpoints]]);

/** Serves on `socket`. `starts` counts the lives of the Envoy that comes there: a new one has nothing of what an old one had. */
export async function serveRelay(socket: string, starts: () => number, log: Log): Promise<Relay> {
  const streams = new Set<Stream>();
  let current: Client | null = null;
  let ledger = new Ledger(follows);
  let kept = new Kept();
  let life = starts();

  /** Whether versions are those of whole responses, which say nothing of what is in them. */
  let byResponse = false;

  const serve =
    (path: string, watch: (own: Ledger) => Watch) =>
    (down: Down): void => {
      let up: Up | null = null;
      let used: Client | null = null;
      let over = false;
      if (starts() !== life) [ledger, kept] = [new Ledger(follows), new Kept()];
      life = starts();
      ledger.begin();
      kept.begin();
      const { sent, passed } = watch(ledger);
      const end = (why: string): void => {
        if (over) return;
        over = true;
        streams.delete(stream);
        up?.cancel();
        down.emit('error', { code: status.UNAVAILABLE, details: why });
      };
      /** What cannot be read, from either side, ends the stream and nothing else. */
      const guard =
        (pass: (bytes: Buffer) => void) =>
        (bytes: Buffer): void => {
          if (over) return;
          try {
            pass(bytes);
          } catch (error) {
            log.error({ reason: reasonOf(error) }, 'a message between Envoy and the control plane cannot be read');
            end('a message cannot be read');
          }
        };
      const stream: Stream = {
        begin(client) {
          if (up !== null || over) return;
          used = client;
          const metadata = new Metadata();
          metadata.set(vouchedHeader, '1');
          const opening: Up = client.makeBidiStreamRequest(path, asIs, asIs, metadata);
          up = opening;
          opening.on(
            'data',
            guard((bytes) => void (down.write(sent(bytes)) || opening.pause())),
          );
          down.on('drain', () => opening.resume());
          opening.on('error', (error) => {
            if (!over) log.debug({ reason: error.message }, "Envoy's stream to the control plane ended");
            end('the control plane is away');
          });
          opening.on('end', () => end('the control plane ended the stream'));
          down.on(
            'data',
            guard((bytes) => void (opening.write(passed(bytes)) || down.pause())),
          );
          opening.on('drain', () => down.resume());
        },
        moveFrom(client) {
          if (used !== null && used !== client) end('the control plane is reached another way');
        },
      };
      const leave = (): void => {
        if (over) return;
        over = true;
        streams.delete(stream);
        up?.cancel();
      };
      down.on('end', () => (leave(), down.end()));
      down.on('close', leave);
      down.on('error', leave);
      down.on('cancelled', leave);
      streams.add(stream);
      // With nobody to ask Envoy waits here; it serves with what it has.
      if (current !== null) stream.begin(current);
    };

  const delta = (own: Ledger): Watch => {
    const opened = new Set<string>();
    return {
      sent: (bytes) => (own.sent(namesIn(bytes)), bytes),
      /** The first request of its type on a stream says what Envoy has. */
      passed(bytes) {
        const request = fromBinary(DeltaDiscoveryRequestSchema, bytes);
        if (request.responseNonce !== '') own.answered(request.responseNonce, request.errorDetail === undefined);
        if (opened.has(request.typeUrl)) return bytes;
        opened.add(request.typeUrl);
        const initialResourceVersions = own.vouch(request.typeUrl, request.initialResourceVersions);
        return Buffer.from(toBinary(DeltaDiscoveryRequestSchema, { ...request, initialResourceVersions }));
      },
    };
  };
  const world = (own: Ledger): Watch => {
    byResponse = true;
    return {
      sent(bytes) {
        const response = kept.complete(fromBinary(DiscoveryResponseSchema, bytes));
        own.sent(resourcesIn(response));
        return Buffer.from(toBinary(DiscoveryResponseSchema, response));
      },
      passed(bytes) {
        const request = fromBinary(DiscoveryRequestSchema, bytes);
        if (request.responseNonce !== '') {
          own.answered(request.responseNonce, request.errorDetail === undefined);
          kept.answered(request.responseNonce, request.errorDetail === undefined);
        }
        return bytes;
      },
    };
  };
  const server = createServer();
  const { deltaAggregatedResources, streamAggregatedResources } = AggregatedDiscoveryService.method;
  const raw = { requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs };
  for (const [method, watch] of [
    [protobufMethod(deltaAggregatedResources), delta],
    [protobufMethod(streamAggregatedResources), world],
  ] as const)
    server.addService({ stream: { ...method, ...raw } }, { stream: serve(method.path, watch) });
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve())),
  );
  return {
    attach(client) {
      current = client;
      for (const stream of streams) {
        stream.moveFrom(client);
        if (client !== null) stream.begin(client);
      }
    },
    acknowledged() {
      if (starts() !== life) return noneAcknowledged;
      const listeners = ledger.accepted(typeUrl.listener);
      if (!byResponse) return { ...noneAcknowledged, listeners };
      return { listeners, routes: ledger.accepted(typeUrl.route), clusters: ledger.accepted(typeUrl.cluster) };
    },
    close: () => stopServer(server, 0),
  };
}

function namesIn(bytes: Buffer): SentNames {
  const response = fromBinary(DeltaDiscoveryResponseSchema, bytes);
  return {
    type: response.typeUrl,
    nonce: response.nonce,
    names: [...response.resources.map(({ name }) => name), ...response.removedResources],
    versions: new Map(response.resources.map(({ name, version }) => [name, version])),
  };
}

/** In the state of the world each resource comes wrapped with its own version. */
function resourcesIn(response: DiscoveryResponse): SentNames {
  const resources = response.resources.flatMap((one) => anyUnpack(one, ResourceSchema) ?? []);
  return {
    type: response.typeUrl,
    nonce: response.nonce,
    names: resources.map(({ name }) => name),
    versions: new Map(resources.map(({ name, version }) => [name, version])),
  };
}
