/** SDS for one Envoy on a unix socket that only this user reaches: certificates and roots from memory, new ones pushed as they rotate. */
import { randomUUID } from 'node:crypto';
import { create, fromJson, toBinary } from '@bufbuild/protobuf';
import { anyPack, type Any } from '@bufbuild/protobuf/wkt';
import { ServerCredentials, status, type Server, type ServerDuplexStream } from '@grpc/grpc-js';
import { SecretSchema } from '../../core/wire/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb';
import {
  DeltaDiscoveryResponseSchema,
  DiscoveryResponseSchema,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  type DiscoveryRequest,
  type DiscoveryResponse,
} from '../../core/wire/gen/envoy/service/discovery/v3/discovery_pb';
import { SecretDiscoveryService } from '../../core/wire/gen/envoy/service/secret/v3/sds_pb';
import { digestOf } from '../../core/lib/digest';
import { typeUrl } from '../../core/wire/type-url';
import type { Log } from '../../platform/log';
import { createServer, stopServer } from '../rpc/server';
import { protobufMethod } from '../rpc/protobuf-method';

/** One secret as SDS has it: a key with its chain, or roots. PEM. */
export type Secret =
  { readonly kind: 'certificate'; readonly key: string; readonly chain: string } | { readonly kind: 'trust'; readonly roots: string };

export interface SecretsServer {
  /** Sets a secret and pushes it to whoever asked for it. */
  set(name: string, secret: Secret): void;
  /** Whether Envoy has a use for it now. */
  isWanted(name: string): boolean;
  close(): Promise<void>;
}
export interface SecretsEvents {
  /** Once for each name that Envoy asks for and that nobody has set: it may be set later. */
  readonly onWanted: (name: string) => void;
  /** Envoy did not take what it was given last. */
  readonly onRefused: (name: string, reason: string) => void;
}
interface Packed {
  readonly version: string;
  readonly resource: Any;
}
interface Subscriber {
  readonly names: Set<string>;
  push(changed: readonly string[]): void;
}

/** Serves on `socket`. */
export async function serveSecrets(socket: string, { onWanted, onRefused }: SecretsEvents, log: Log): Promise<SecretsServer> {
  const secrets = new Map<string, Packed>();
  const subscribers = new Set<Subscriber>();
  const asked = new Set<string>();
  const ask = (name: string): void => {
    if (secrets.has(name) || asked.has(name)) return;
    asked.add(name);
    onWanted(name);
  };
  const follow = (
    stream: { on(event: 'end' | 'close' | 'error', listener: () => void): unknown; end(): void },
    subscriber: Subscriber,
  ): void => {
    subscribers.add(subscriber);
    const leave = (): void => void subscribers.delete(subscriber);
    stream.on('end', () => (leave(), stream.end()));
    stream.on('close', leave);
    stream.on('error', leave);
  };
  const refused = (names: readonly string[], reason = ''): void => {
    log.error({ names, reason }, 'Envoy refused a certificate');
    for (const name of names) onRefused(name, reason);
  };
  const found = (names: Iterable<string>): readonly (readonly [string, Packed])[] =>
    [...names].flatMap((name) => {
      const packed = secrets.get(name);
      return packed ? [[name, packed] as const] : [];
    });

  const streamSecrets = (stream: ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>): void => {
    let nonce = '';
    const subscriber: Subscriber = {
      names: new Set(),
      push() {
        const ready = found(subscriber.names);
        // State of the world: an answer that lacks a name would say that it is gone.
        if (ready.length === 0 || ready.length < subscriber.names.size) return;
        nonce = randomUUID();
        const versionInfo = digestOf(ready.map(([, packed]) => packed.version).join()).slice('sha256:'.length, 19);
        stream.write(
          create(DiscoveryResponseSchema, {
            versionInfo,
            typeUrl: typeUrl.secret,
            nonce,
            resources: ready.map(([, packed]) => packed.resource),
          }),
        );
      },
    };
    follow(stream, subscriber);
    stream.on('data', (request: DiscoveryRequest) => {
      if (request.responseNonce !== '' && request.responseNonce !== nonce) return;
      if (request.errorDetail) refused(request.resourceNames, request.errorDetail.message);
      const before = subscriber.names.size;
      for (const name of request.resourceNames) subscriber.names.add(name);
      request.resourceNames.forEach(ask);
      if (request.responseNonce === '' || subscriber.names.size > before) subscriber.push(request.resourceNames);
    });
  };
  const deltaSecrets = (stream: ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>): void => {
    const unanswered = new Map<string, readonly string[]>();
    const subscriber: Subscriber = {
      names: new Set(),
      push(changed) {
        const ready = found(changed.filter((name) => subscriber.names.has(name)));
        if (ready.length === 0) return;
        const nonce = randomUUID();
        unanswered.set(
          nonce,
          ready.map(([name]) => name),
        );
        stream.write(
          create(DeltaDiscoveryResponseSchema, {
            typeUrl: typeUrl.secret,
            nonce,
            resources: ready.map(([name, packed]) => ({ name, version: packed.version, resource: packed.resource })),
          }),
        );
      },
    };
    follow(stream, subscriber);
    stream.on('data', (request: DeltaDiscoveryRequest) => {
      if (request.errorDetail) refused(unanswered.get(request.responseNonce) ?? [], request.errorDetail.message);
      unanswered.delete(request.responseNonce);
      for (const name of request.resourceNamesUnsubscribe) subscriber.names.delete(name);
      for (const name of request.resourceNamesSubscribe) subscriber.names.add(name);
      request.resourceNamesSubscribe.forEach(ask);
      subscriber.push(request.resourceNamesSubscribe);
    });
  };

  const server: Server = createServer();
  server.addService(
    {
      streamSecrets: protobufMethod(SecretDiscoveryService.method.streamSecrets),
      deltaSecrets: protobufMethod(SecretDiscoveryService.method.deltaSecrets),
      fetchSecrets: protobufMethod(SecretDiscoveryService.method.fetchSecrets),
    },
    {
      streamSecrets,
      deltaSecrets,
      fetchSecrets: (_call: unknown, done: (error: { code: status; details: string }) => void) =>
        done({ code: status.UNIMPLEMENTED, details: 'ask by stream' }),
    },
  );
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve())),
  );
  return {
    set(name, secret) {
      const packed = pack(name, secret);
      if (secrets.get(name)?.version === packed.version) return;
      secrets.set(name, packed);
      for (const subscriber of subscribers) if (subscriber.names.has(name)) subscriber.push([name]);
    },
    isWanted: (name) => [...subscribers].some((subscriber) => subscriber.names.has(name)),
    close: () => stopServer(server, 0),
  };
}

function pack(name: string, secret: Secret): Packed {
  const inline = (pem: string): { inlineBytes: string } => ({ inlineBytes: Buffer.from(pem).toString('base64') });
  const message = fromJson(SecretSchema, {
    name,
    ...(secret.kind === 'trust'
      ? { validationContext: { trustedCa: inline(secret.roots) } }
      : { tlsCertificate: { certificateChain: inline(secret.chain), privateKey: inline(secret.key) } }),
  });
  return {
    version: digestOf(toBinary(SecretSchema, message)).slice('sha256:'.length, 'sha256:'.length + 16),
    resource: anyPack(SecretSchema, message),
  };
}
