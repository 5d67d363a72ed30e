/**
 * The wire: ADS for Envoys, delta and state of the world, and the report stream for agents, on one port, mTLS both. A caller is what its certificate says; Envoy's node is a label.
 * https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol
 */
import { status, type ServerDuplexStream, type ServiceError, type Server } from '@grpc/grpc-js';
import { AggregatedDiscoveryService } from '../../core/wire/gen/envoy/service/discovery/v3/ads_pb';
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from '../../core/wire/gen/envoy/service/discovery/v3/discovery_pb';
import type { Log } from '../../platform/log';
import { reportMethod, vouchedHeader, type AgentReport, type ReportAnswer } from '../agent/protocol';
import type { PeerIdentity } from '../ca/spiffe';
import { protobufMethod } from '../rpc/protobuf-method';
import { peerOf, RpcRefusal } from '../rpc/server';
import { deltaDialect, type AnyRequest, type Dialect } from './dialect';
import type { IssuerKeys } from './issuer-keys';
import type { Plane } from './plane';
import { Proven } from './proven';
import type { ProxyLink, SentResponse } from './proxy-link';
import { typeUrls } from './resources';
import { resourceTypes, type ResourceType } from './sequence';
import { stateOfTheWorld } from './state-of-the-world';

export interface WireEvents {
  readonly onResponse: (type: ResourceType) => void;
  readonly onRefusedPeer: () => void;
}
/** What both services' streams have: a caller, and an end. */
interface CallerStream {
  getAuthContext: Parameters<typeof peerOf>[0]['getAuthContext'];
  emit(event: 'error', error: Partial<ServiceError>): boolean;
}
const typeOf = (url: string): ResourceType | undefined => resourceTypes.find((type) => typeUrls[type] === url);
const longestTimerMs = 2 ** 31 - 1;

/** Adds both services to a server. */
export function addWire(
  server: Server,
  plane: Plane,
  keys: Pick<IssuerKeys, 'current'>,
  log: Log,
  now: () => number,
  events: WireEvents,
): { keysChanged(): void } {
  const proven = new Proven();

  /** Ends a stream when the caller's certificate lapses and no newer one was shown. */
  const untilLapse = (peer: PeerIdentity, end: (error: Partial<ServiceError>) => void): (() => void) => {
    proven.note(peer.instance, peer.notAfter, now());
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const left = proven.until(peer.instance) - now();
      if (left <= 0) return end({ code: status.UNAUTHENTICATED, details: 'the certificate has lapsed' });
      timer = setTimeout(arm, Math.min(left, longestTimerMs));
      timer.unref();
    };
    arm();
    return () => clearTimeout(timer);
  };
  const peerOrEnd = (stream: CallerStream): PeerIdentity | null => {
    const peer = peerOf(stream);
    if (peer === null || peer.notAfter <= now()) {
      events.onRefusedPeer();
      stream.emit('error', {
        code: status.UNAUTHENTICATED,
        details: 'show a certificate of this mesh that names one principal, workload and instance',
      });
      return null;
    }
    return peer;
  };
  /** A handler that throws would end the process: a broken message ends its stream only. */
  const guard =
    <T>(stream: CallerStream, run: (message: T) => void): ((message: T) => void) =>
    (message) => {
      try {
        run(message);
      } catch (error) {
        if (error instanceof RpcRefusal) return void stream.emit('error', { code: error.code, details: error.message });
        log.error({ err: error }, 'a message could not be handled');
        stream.emit('error', { code: status.INTERNAL, details: 'internal error' });
      }
    };

  /** One proxy's stream, in either protocol. */
  const serve = <Request extends AnyRequest, Response>(
    raw: ServerDuplexStream<Request, Response>,
    speak: (link: () => ProxyLink | null) => Dialect<Request, Response>,
  ): void => {
    const peer = peerOrEnd(raw);
    if (peer === null) return;
    let link: ProxyLink | null = null;
    let over = false;
    const dialect = speak(() => link);
    const write = (sent: SentResponse): void => {
      if (over) return;
      const { type, nonce, added, removed } = sent;
      const response = dialect.say(sent);
      // what cannot be said is done: nobody will answer it
      if (response === null) return queueMicrotask(() => void (over || link?.answer(type, nonce, null)));
      events.onResponse(type);
      log.debug({ instance: peer.instance, type, added: added.map((one) => `${one.name}@${one.version}`), removed }, 'sent');
      raw.write(response);
    };
    const stopLapse = untilLapse(peer, (error) => raw.emit('error', error));
    const leave = (): void => {
      if (over) return;
      over = true;
      stopLapse();
      if (link) plane.disconnect(link);
      log.info({ instance: peer.instance }, 'a proxy left');
    };
    raw.on(
      'data',
      guard(raw, (request: Request) => {
        if (over) return;
        const type = typeOf(request.typeUrl);
        if (type === undefined) return; // nothing of ours: Envoy asks for what we never mentioned
        const heard = dialect.hear(type, request);
        if (heard === null) return;
        if (link === null) {
          const version = request.node?.userAgentVersionType;
          const build = version?.case === 'userAgentBuildVersion' ? version.value.version : undefined;
          link = plane.connect(peer, build ? `${build.majorNumber}.${build.minorNumber}.${build.patch}` : null, write);
          log.info({ instance: peer.instance, principal: peer.principal, workload: peer.workload }, 'a proxy connected');
        }
        if (heard.answer !== null && link.answer(type, heard.answer.nonce, heard.answer.error))
          plane.nacked(peer.instance, heard.answer.error ?? '');
        link.subscribe(type, heard);
        // Who comes back with everything is sent nothing, and answers nothing: what it asks for is the news.
        plane.touch();
      }),
    );
    raw.on('end', () => (leave(), raw.end()));
    raw.on('close', leave);
    raw.on('error', leave);
    raw.on('cancelled', leave);
  };

  const report = (raw: ServerDuplexStream<AgentReport, ReportAnswer>): void => {
    const peer = peerOrEnd(raw);
    if (peer === null) return;
    let over = false;
    let told: boolean | null = null;
    const toldKeys = new Map<string, string>();
    const tell = (): void => {
      const hurry = plane.isHurried(peer.instance);
      const news = [...keys.current()].filter(([url, text]) => toldKeys.get(url) !== text);
      if (over || (hurry === told && news.length === 0)) return;
      told = hurry;
      for (const [url, text] of news) toldKeys.set(url, text);
      raw.write({ hurry, ...(news.length === 0 ? {} : { keys: Object.fromEntries(news) }) });
    };
    const stopLapse = untilLapse(peer, (error) => raw.emit('error', error));
    hurryListeners.add(tell);
    const leave = (): void => {
      if (over) return;
      over = true;
      stopLapse();
      hurryListeners.delete(tell);
      if (current.get(peer.instance) === raw) {
        current.delete(peer.instance);
        plane.report(peer, null);
      }
    };
    current.set(peer.instance, raw);
    raw.on(
      'data',
      guard(raw, (message: AgentReport) => {
        if (over || current.get(peer.instance) !== raw) return;
        plane.report(peer, message);
        tell();
      }),
    );
    raw.on('end', () => (leave(), raw.end()));
    raw.on('close', leave);
    raw.on('error', leave);
    raw.on('cancelled', leave);
    tell();
  };
  const current = new Map<string, unknown>();
  const hurryListeners = new Set<() => void>();
  plane.afterTurn(() => {
    for (const listener of hurryListeners) listener();
  });

  const { method } = AggregatedDiscoveryService;
  server.addService(
    {
      deltaAggregatedResources: protobufMethod(method.deltaAggregatedResources),
      streamAggregatedResources: protobufMethod(method.streamAggregatedResources),
    },
    {
      deltaAggregatedResources: (raw: ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>) =>
        serve(raw, () => deltaDialect(raw.metadata.get(vouchedHeader).length > 0)),
      streamAggregatedResources: (raw: ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>) =>
        serve(raw, (link) => stateOfTheWorld((type) => link()?.found(type) ?? [], raw.metadata.get(vouchedHeader).length > 0)),
    },
  );
  server.addService({ report: reportMethod }, { report });
  return {
    keysChanged: () => {
      for (const listener of hurryListeners) listener();
    },
  };
}
