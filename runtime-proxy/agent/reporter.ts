/**
 * The agent's connection to one replica of the control plane, and what goes by it: what is looked at in Envoy. It is made anew for ever, to another replica
 * where there is one, and under the new certificate after each rotation; the old one ends only when the new one is up.
 */
import * as dns from 'node:dns/promises';
import { isIP } from 'node:net';
import { Client, type ClientDuplexStream } from '@grpc/grpc-js';
import { hostPort } from '../../core/lib/host-port';
import { canonicalJson } from '../../core/lib/json';
import type { Principal } from '../../core/mesh/ids';
import { reasonOf } from '../../core/lib/reason';
import type { Clock } from '../../platform/clock';
import { jittered } from '../../platform/jitter';
import type { Log } from '../../platform/log';
import type { Holder, Svid } from '../ca/client';
import { channelOptions, clientCredentials } from '../rpc/credentials';
import { reportMethod, type AgentReport, type ReportAnswer } from './protocol';

/** Where the control plane is: one place, whose name may stand for many, or several of which any will do. */
export type ControlPlaneAddress = { readonly host: string; readonly port: number } | { readonly addresses: readonly string[] };

export interface Reporter {
  /** Looks and tells now. Resolves when it was written, or there was nobody to tell. */
  now(): Promise<void>;
  connected(): boolean;
  close(): void;
}
interface ReporterConfig {
  readonly controlPlane: ControlPlaneAddress;
  readonly server: Principal;
  readonly holder: Holder;
  readonly look: () => Promise<AgentReport>;
  /** Told of the connection in use, each time it is another one; null when there is none. */
  readonly onConnection: (client: Client | null) => void;
  readonly onKeys: (keys: NonNullable<ReportAnswer['keys']>) => void;
}
interface Connection {
  readonly address: string;
  readonly client: Client;
  readonly stream: ClientDuplexStream<AgentReport, ReportAnswer>;
  /** Whether the replica answered; false when it ended before it did. */
  readonly answered: Promise<boolean>;
  readonly ended: Promise<void>;
  isOver(): boolean;
  end(): void;
  /** What was told last. */
  last: string;
}

const idleMs = 2_000;
const hurryMs = 15;
const longestHurryMs = 250;
const longestRetryMs = 5_000;
/** How long a replica may take to answer. One to which thousands come at once answers later, and who leaves it then comes again and makes it later still. */
const answerWithinMs = { first: 5_000, longest: 40_000 };
/** A connection that lasted as long as this was one: the next one is not waited for. */
const lastingMs = 5_000;
/** As much as a replica may send to Envoy at once. */
const longestMessage = 64 * 1024 * 1024;

export function report(
  { controlPlane, server, holder, look, onConnection, onKeys }: ReporterConfig,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Reporter {
  const stop = new AbortController();
  let current: Connection | null = null;
  /** Has not been answered yet. */
  let opening: Connection | null = null;
  let hurry = false;
  let wake: () => void = () => undefined;
  let rotated: () => void = () => undefined;

  const open = (svid: Svid, address: string, withinMs: number): Connection => {
    const client = new Client(address, clientCredentials(svid.trust, server, svid), {
      ...channelOptions,
      'grpc.max_receive_message_length': longestMessage,
    });
    const stream = client.makeBidiStreamRequest(reportMethod.path, reportMethod.requestSerialize, reportMethod.responseDeserialize);
    let over = false;
    let settle: (answered: boolean) => void = () => undefined;
    let finish: () => void = () => undefined;
    const answered = new Promise<boolean>((resolve) => (settle = resolve));
    const ended = new Promise<void>((resolve) => (finish = resolve));
    const late = setTimeout(() => connection.end(), withinMs);
    late.unref();
    const connection: Connection = {
      ...{ address, client, stream, answered, ended, last: '' },
      isOver: () => over,
      end() {
        if (over) return;
        over = true;
        clearTimeout(late);
        if (current === connection) {
          current = null;
          onConnection(null);
        }
        stream.cancel();
        client.close();
        settle(false);
        finish();
      },
    };
    stream.on('data', (answer: ReportAnswer) => {
      clearTimeout(late);
      settle(true);
      if (answer.keys) onKeys(answer.keys);
      if (current !== null && current !== connection) return;
      hurry = answer.hurry;
      wake();
    });
    stream.on('error', (error) => {
      if (!over) log.debug({ address, reason: reasonOf(error) }, 'the connection to the control plane ended');
      connection.end();
    });
    stream.on('end', () => connection.end());
    return connection;
  };
  const stayConnected = async (): Promise<void> => {
    let failures = 0;
    let failed: string | null = null;
    let withinMs = answerWithinMs.first;
    while (!stop.signal.aborted) {
      const rotation = new Promise<void>((resolve) => (rotated = resolve));
      const addresses = await addressesOf(controlPlane).catch((error: unknown) => {
        log.debug({ reason: reasonOf(error) }, 'the control plane cannot be found');
        return [];
      });
      const address = choose(addresses, current?.address ?? null, failed);
      const begun = clock.monotonic();
      if (stop.signal.aborted) return;
      const next = (opening = address === null ? null : open(holder.current(), address, withinMs));
      const answered = await next?.answered;
      opening = null;
      if (next !== null && answered && !next.isOver()) {
        const before: Connection | null = current;
        current = next;
        withinMs = answerWithinMs.first;
        onConnection(next.client);
        before?.end();
        wake();
        await Promise.race([next.ended, rotation]);
        if (clock.monotonic() - begun >= lastingMs) failures = 0;
        if (!next.isOver()) continue;
      } else if (clock.monotonic() - begun >= withinMs) withinMs = Math.min(2 * withinMs, answerWithinMs.longest);
      failed = address;
      failures += 1;
      await clock
        .sleep(jittered(Math.min(50 * 2 ** failures, longestRetryMs)), { signal: stop.signal, unref: true })
        .catch(() => undefined);
    }
  };
  const tell = async (): Promise<void> => {
    const made = await look();
    if (current === null) return;
    const text = canonicalJson(made);
    if (current.last === text) return;
    current.last = text;
    current.stream.write(made);
  };
  const keepTelling = async (): Promise<void> => {
    let pause = hurryMs;
    while (!stop.signal.aborted) {
      await tell().catch((error: unknown) => log.debug({ reason: reasonOf(error) }, 'cannot look at Envoy'));
      pause = hurry ? Math.min(pause * 1.3, longestHurryMs) : idleMs;
      let woken = false;
      const called = new Promise<void>((resolve) => {
        wake = () => {
          woken = true;
          resolve();
        };
      });
      await Promise.race([called, clock.sleep(pause, { signal: stop.signal, unref: true }).catch(() => undefined)]);
      if (woken) pause = hurryMs;
    }
  };
  const stopRotation = holder.onRotation(() => rotated());
  void stayConnected();
  void keepTelling();
  return {
    now: () => tell().catch(() => undefined),
    connected: () => current !== null,
    close() {
      stop.abort(new Error('closed'));
      stopRotation();
      opening?.end();
      current?.end();
    },
  };
}

/** Every address a replica may be at. A name is looked up each time: replicas come and go. */
async function addressesOf(controlPlane: ControlPlaneAddress): Promise<readonly string[]> {
  if ('addresses' in controlPlane) return controlPlane.addresses;
  const { host, port } = controlPlane;
  const found = isIP(host) === 0 ? (await dns.lookup(host, { all: true })).map(({ address }) => address) : [host];
  return found.map((address) => hostPort(address, port));
}

/** The one in use as long as it is there; else any, but not the one that failed last if there is another. */
function choose(addresses: readonly string[], used: string | null, failed: string | null): string | null {
  if (used !== null && addresses.includes(used)) return used;
  const others = addresses.filter((address) => address !== failed);
  const from = others.length > 0 ? others : addresses;
  return from[Math.floor(Math.random() * from.length)] ?? null;
}
