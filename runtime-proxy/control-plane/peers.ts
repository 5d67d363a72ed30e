/**
 * Replicas: each serves the proxies that came to it, one leads. The others tell the leader how far theirs are, so that it can decide; it tells them who takes
 * calls elsewhere and who has proved itself, so that each can take its place. What somebody said is forgotten when its stream ends.
 */
import { Client, Metadata, status, type ServerDuplexStream, type Server } from '@grpc/grpc-js';
import type { Principal } from '../../core/mesh/ids';
import { canonicalJson } from '../../core/lib/json';
import { reasonOf } from '../../core/lib/reason';
import type { Clock } from '../../platform/clock';
import type { Log } from '../../platform/log';
import type { Holder } from '../ca/client';
import type { PeerIdentity } from '../ca/spiffe';
import { channelOptions, clientCredentials } from '../rpc/credentials';
import { peerOf, RpcRefusal, unary } from '../rpc/server';
import { peerMethods, type LeaderAnswer, type LeaderCall, type PeerNews } from './peers-protocol';
import type { Plane } from './plane';
import type { RemoteProxies, RemoteProxy } from './remote';

export interface Leadership {
  leads(): boolean;
  /** Who leads and where it is reached, as far as is known. */
  leader(): { readonly identity: string; readonly address: string } | null;
}
export interface PeersConfig {
  /** The only one that is heard, and that is spoken to. */
  readonly principal: Principal;
  readonly leadership: Leadership;
  readonly plane: Plane;
  readonly remote: RemoteProxies;
  readonly holder: Holder;
  /** Answers for this replica while it leads. */
  readonly answer: (call: LeaderCall) => Promise<LeaderAnswer>;
  readonly clock: Clock;
  readonly log: Log;
}
export interface Peers {
  /** Called when the leader may be another one. */
  leaderChanged(): void;
  /** Asks the leader, which is another replica. Never rejects: who cannot be reached is a 503 that names it. */
  ask(call: LeaderCall): Promise<LeaderAnswer>;
  close(): void;
}

const gatherMs = 40;
const proxiesInMessage = 200;
const askMs = 10_000;
const retryMs = { first: 50, longest: 2_000 };
const fromLeader = 'the leader';

/** Adds the replicas' service to a server, and keeps this one connected to the leader while that is another. */
export function servePeers(server: Server, config: PeersConfig): Peers {
  const { principal, leadership, plane, remote, clock, log } = config;
  const isOne = (peer: PeerIdentity | null): peer is PeerIdentity =>
    peer !== null && peer.principal === principal && peer.notAfter > clock.now();
  let streams = 0;
  const tellers = new Set<Teller>();
  let timer: NodeJS.Timeout | null = null;
  const stopTurns = plane.afterTurn(() => {
    timer ??= setTimeout(() => {
      timer = null;
      for (const teller of tellers) teller.tell();
    }, gatherMs);
    timer.unref();
  });
  const hear = (source: string, { changed, gone }: PeerNews): void => plane.remoteChanged(changed, remote.put(source, changed, gone));
  const forget = (source: string): void => {
    remote.drop(source);
    plane.remoteChanged([], true);
  };

  const share = (raw: ServerDuplexStream<PeerNews, PeerNews>): void => {
    const refuse = (code: status, details: string): void => void raw.emit('error', { code, details });
    if (!isOne(peerOf(raw))) return refuse(status.UNAUTHENTICATED, 'show a certificate of the control plane');
    if (!leadership.leads()) return refuse(status.FAILED_PRECONDITION, 'another replica leads');
    const source = `replica ${(streams += 1)}`;
    const teller = new Teller(
      () => [...plane.local(), ...remote.all(source)],
      (news) => void raw.write(news),
    );
    tellers.add(teller);
    let over = false;
    const leave = (): void => {
      if (over) return;
      over = true;
      tellers.delete(teller);
      forget(source);
    };
    raw.on('data', (news: PeerNews) => {
      if (over) return;
      if (leadership.leads()) return hear(source, news);
      leave();
      refuse(status.FAILED_PRECONDITION, 'another replica leads');
    });
    raw.on('end', () => (leave(), raw.end()));
    raw.on('close', leave);
    raw.on('error', leave);
    raw.on('cancelled', leave);
    teller.tell();
  };
  const ask = unary<LeaderCall, LeaderAnswer>(
    async (call, peer) => {
      if (!isOne(peer)) throw new RpcRefusal(status.UNAUTHENTICATED, 'show a certificate of the control plane');
      if (!leadership.leads()) throw new RpcRefusal(status.FAILED_PRECONDITION, 'another replica leads');
      return config.answer(call);
    },
    (error) => log.error({ err: error }, 'a question of another replica failed'),
  );
  server.addService(peerMethods, { share, ask });

  // This replica's own way to the leader.
  const stop = new AbortController();
  let current: { readonly address: string; readonly client: Client; end(): void } | null = null;
  let wake: () => void = () => undefined;
  const open = (address: string): Promise<void> =>
    new Promise((resolve) => {
      const client = clientOf(address);
      const { path, requestSerialize, responseDeserialize } = peerMethods.share;
      const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new Metadata());
      const teller = new Teller(plane.local.bind(plane), (news) => void stream.write(news));
      let over = false;
      const end = (): void => {
        if (over) return;
        over = true;
        current = null;
        tellers.delete(teller);
        stream.cancel();
        client.close();
        forget(fromLeader);
        resolve();
      };
      current = { address, client, end };
      tellers.add(teller);
      stream.on('data', (news: PeerNews) => !over && hear(fromLeader, news));
      stream.on('error', (error) => {
        if (!over) log.debug({ address, reason: reasonOf(error) }, 'the stream to the leader ended');
        end();
      });
      stream.on('end', end);
      teller.tell();
    });
  const clientOf = (address: string): Client => {
    const svid = config.holder.current();
    return new Client(address, clientCredentials(svid.trust, principal, svid), channelOptions);
  };
  const stayConnected = async (): Promise<void> => {
    for (let failures = 0; !stop.signal.aborted; failures += 1) {
      const leader = leadership.leads() ? null : leadership.leader();
      let pause = 1_000;
      if (leader !== null && leader.address !== '') {
        const since = clock.monotonic();
        await open(leader.address);
        if (clock.monotonic() - since > 5_000) failures = 0;
        pause = Math.min(retryMs.first * 2 ** failures, retryMs.longest);
      } else failures = 0;
      const woken = new Promise<void>((resolve) => (wake = resolve));
      await Promise.race([woken, clock.sleep(pause, { signal: stop.signal, unref: true }).catch(() => undefined)]);
    }
  };
  void stayConnected();
  const stopRotation = config.holder.onRotation(() => current?.end());
  return {
    leaderChanged() {
      const leader = leadership.leads() ? null : leadership.leader();
      if (current !== null && current.address !== leader?.address) current.end();
      wake();
    },
    async ask(call) {
      const leader = leadership.leader();
      if (leader === null) return { status: 503, json: { error: 'no replica of the control plane leads just now: ask again in a moment' } };
      const client = clientOf(leader.address);
      try {
        const { path, requestSerialize, responseDeserialize } = peerMethods.ask;
        return await new Promise<LeaderAnswer>((resolve, reject) =>
          client.makeUnaryRequest(path, requestSerialize, responseDeserialize, call, { deadline: clock.now() + askMs }, (error, answer) =>
            answer === undefined || error ? reject(new Error(error?.details ?? 'no answer')) : resolve(answer),
          ),
        );
      } catch (error) {
        const at = `\`${leader.identity}\` at ${leader.address}`;
        return { status: 503, json: { error: `${at} leads the control plane and does not answer: ${reasonOf(error)}` } };
      } finally {
        client.close();
      }
    },
    close() {
      stop.abort(new Error('closed'));
      stopRotation();
      stopTurns();
      if (timer !== null) clearTimeout(timer);
      current?.end();
    },
  };
}

/** Tells what changed since it told last. */
class Teller {
  readonly #told = new Map<string, string>();
  constructor(
    readonly all: () => readonly RemoteProxy[],
    readonly write: (news: PeerNews) => void,
  ) {}

  tell(): void {
    const changed: RemoteProxy[] = [];
    const there = new Set<string>();
    for (const proxy of this.all()) {
      there.add(proxy.instance);
      const text = canonicalJson(proxy);
      if (this.#told.get(proxy.instance) === text) continue;
      this.#told.set(proxy.instance, text);
      changed.push(proxy);
    }
    const gone = [...this.#told.keys()].filter((instance) => !there.has(instance));
    for (const instance of gone) this.#told.delete(instance);
    if (gone.length > 0) this.write({ changed: [], gone });
    for (let at = 0; at < changed.length; at += proxiesInMessage)
      this.write({ changed: changed.slice(at, at + proxiesInMessage), gone: [] });
  }
}
