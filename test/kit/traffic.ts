/** Traffic at a constant rate while a mesh changes: from an application inside and from outside, on connections that are kept and on ones of their own. */
import * as http from 'node:http';
import * as https from 'node:https';
import type { Address } from '../../runtime-proxy/inventory';
import { constantArrival } from './constant-arrival';
import { present } from './present';
import type { RunningMesh } from './running-mesh';

export interface Traffic {
  /** Waits until so many more were sent. */
  sent(more: number): Promise<void>;
  /** Sends no more, waits for what is under way; what was not as it should be, a line each. */
  stop(): Promise<readonly string[]>;
}
export interface TrafficOptions {
  readonly perSecond: number;
  /** What the nth request of its kind asks for. */
  ask(index: number): { readonly path: string; readonly headers?: http.OutgoingHttpHeaders };
  isGood(status: number | undefined, body: string): boolean;
  /** PEM of the authority of the gateway's certificate. */
  readonly trust: Buffer;
}
/** Inside: `page-1` calls reviews. Outside: somebody calls shop.example at `edge-1`. */
export function traffic(mesh: RunningMesh, { perSecond, ask, isGood, trust }: TrafficOptions): Traffic {
  const bad: string[] = [];
  // each in its turn: one that is left alone while a listener drains hears of it too late
  const keeping = { keepAlive: true, maxSockets: 4, scheduling: 'fifo' } as const;
  const [inside, outside] = [new http.Agent(keeping), new https.Agent(keeping)];
  const instance = (id: string) => mesh.inventory.instances.find((one) => one.id === id);
  const page: Address = present(instance('page-1')?.outbound);
  const edge: Address = present(instance('edge-1')?.listeners?.['https']);
  const send = (index: number): Promise<void> =>
    new Promise((resolve) => {
      const [fromPage, kept] = [index % 2 === 0, index % 4 < 2];
      const { path, headers } = ask(index);
      const fail = (why: string): void => {
        bad.push(`${fromPage ? 'inside' : 'outside'}, ${kept ? 'kept' : 'fresh'}, ${path}: ${why}`);
        resolve();
      };
      const take = (response: http.IncomingMessage): void => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.on('error', (error) => fail(error.message));
        response.on('end', () => (isGood(response.statusCode, body) ? resolve() : fail(`${response.statusCode} ${body.trim()}`)));
      };
      const [host, agent] = fromPage ? ['reviews.shop', kept ? inside : false] : ['shop.example', kept ? outside : false];
      const options = { ...(fromPage ? page : edge), path, headers: { ...headers, host }, timeout: 60_000, agent };
      const call = fromPage ? http.get(options, take) : https.get({ ...options, servername: host, ca: trust }, take);
      call.on('timeout', () => call.destroy(new Error('no answer')));
      call.on('error', (error) => fail(error.message));
    });
  let count = 0;
  const arrivals = constantArrival(perSecond, (index) => ((count = index), send(index)), { mostUnderWay: 64 });
  return {
    async sent(more) {
      const until = count + more;
      while (count < until) await new Promise((resolve) => setTimeout(resolve, 10));
    },
    async stop() {
      await arrivals.stop();
      inside.destroy();
      outside.destroy();
      return bad;
    },
  };
}

/** What traffic meets while something changes: a good while before and after it, too. */
export async function meanwhile(running: Traffic, change: (running: Traffic) => Promise<void>): Promise<readonly string[]> {
  try {
    await running.sent(80);
    await change(running);
    await running.sent(80);
  } catch (error) {
    await running.stop();
    throw error;
  }
  return running.stop();
}
