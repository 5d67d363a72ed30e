/** Looks at Envoy and tells the control plane, for ever: reconnects with back-off, and under its new certificate after each rotation. */
import { Client, type ClientDuplexStream } from '@grpc/grpc-js';
import { canonicalJson } from '../../core/lib/json';
import type { Principal } from '../../core/mesh/ids';
import type { Clock } from '../../platform/clock';
import type { Log } from '../../platform/log';
import type { Holder, Svid } from '../ca/client';
import { channelOptions, clientCredentials } from '../rpc/credentials';
import { reasonOf } from '../rpc/decode';
import { reportMethod, type AgentReport, type ReportAnswer } from './protocol';

export interface Reporter {
  /** Looks and tells now. Resolves when it was written, or there was nobody to tell. */
  now(): Promise<void>;
  connected(): boolean;
  close(): void;
}
interface ReporterConfig {
  readonly address: string;
  readonly server: Principal;
  readonly holder: Holder;
  readonly look: () => Promise<AgentReport>;
}

const idleMs = 2_000;
const hurryMs = 15;
const longestHurryMs = 250;
const longestRetryMs = 5_000;

export function report(
  { address, server, holder, look }: ReporterConfig,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Reporter {
  const stop = new AbortController();
  let open: {
    readonly stream: ClientDuplexStream<AgentReport, ReportAnswer>;
    readonly client: Client;
    readonly end: () => void;
    last: string;
  } | null = null;
  let hurry = false;
  let wake: () => void = () => undefined;

  const connect = (svid: Svid): Promise<void> =>
    new Promise((resolve) => {
      const client = new Client(address, clientCredentials(svid.trust, server, svid), channelOptions);
      const stream = client.makeBidiStreamRequest(reportMethod.path, reportMethod.requestSerialize, reportMethod.responseDeserialize);
      let over = false;
      const end = (): void => {
        if (over) return;
        over = true;
        if (open?.stream === stream) open = null;
        stream.cancel();
        client.close();
        resolve();
      };
      open = { stream, client, end, last: '' };
      stream.on('data', (answer: ReportAnswer) => {
        hurry = answer.hurry;
        wake();
      });
      stream.on('error', (error) => {
        if (!over) log.debug({ reason: reasonOf(error) }, 'the stream to the control plane ended');
        end();
      });
      stream.on('end', end);
      wake();
    });
  const stayConnected = async (): Promise<void> => {
    for (let failures = 0; !stop.signal.aborted; failures += 1) {
      const since = clock.monotonic();
      await connect(holder.current());
      if (clock.monotonic() - since > 5_000) failures = 0;
      await clock.sleep(Math.min(50 * 2 ** failures, longestRetryMs), { signal: stop.signal, unref: true }).catch(() => undefined);
    }
  };
  const tell = async (): Promise<void> => {
    const made = await look();
    if (open === null) return;
    const text = canonicalJson(made);
    if (open.last === text) return;
    open.last = text;
    open.stream.write(made);
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
  const stopRotation = holder.onRotation(() => open?.end());
  void stayConnected();
  void keepTelling();
  return {
    now: () => tell().catch(() => undefined),
    connected: () => open !== null,
    close() {
      stop.abort(new Error('closed'));
      stopRotation();
      open?.end();
    },
  };
}
