import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RolloutStatus } from '../../core/bundle/status';
import { until } from '../../test/kit/until';
import { emptyStatus } from './status';
import { streamStatus } from './status-stream';

/** As large as with some hundred proxies. */
const status = (generation: number): RolloutStatus => ({ ...emptyStatus('prod', 0), generation, message: 'x'.repeat(200_000) });

let server: http.Server;
let stream: http.ServerResponse | null = null;
let tell: (status: RolloutStatus) => void = () => undefined;
let elsewhere = false;
let look: () => Promise<unknown> = () => Promise.resolve(status(0));
beforeEach(async () => {
  [stream, elsewhere, look] = [null, false, () => Promise.resolve(status(0))];
  server = http.createServer((_request, response) => {
    stream = response;
    streamStatus(response, {
      look,
      isElsewhere: () => elsewhere,
      watch: (listener) => ((tell = listener), () => (tell = () => undefined)),
    });
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});
const open = (): Promise<http.IncomingMessage> =>
  new Promise((resolve, reject) => {
    const { port } = server.address() as AddressInfo; // a TCP server that listens has one
    http.get({ host: '127.0.0.1', port }, resolve).on('error', reject);
  });
/** Generations as they come, until one of them has come. */
async function readUntil(generation: number, from: http.IncomingMessage): Promise<readonly number[]> {
  let text = '';
  const found: number[] = [];
  for await (const chunk of from) {
    const events = (text + String(chunk)).split('\n\n');
    text = events.pop() ?? '';
    for (const event of events) if (event.startsWith('event: status\ndata: ')) found.push(JSON.parse(event.slice(20)).generation);
    if (found.includes(generation)) return found;
  }
  return found;
}

test('who does not read has one status waiting, however many there were, and reads the newest in the end', async () => {
  const response = await open();
  for (let generation = 1; generation <= 200; generation += 1) tell(status(generation));
  expect(stream?.writableLength).toBeLessThan(600_000);
  const seen = await readUntil(200, response);
  expect(seen.at(-1)).toBe(200);
  expect(seen.length).toBeLessThan(10);
});

test('another replica is asked for the status one time after the other, also when it does not answer', async () => {
  let [asked, answer]: [number, (value: unknown) => void] = [0, () => undefined];
  elsewhere = true;
  look = () => ((asked += 1), new Promise((resolve) => (answer = resolve)));
  const response = await open();
  await until('it is asked', () => asked > 0);
  await new Promise((resolve) => setTimeout(resolve, 1_600));
  expect(asked).toBe(1);
  answer(status(7));
  expect(await readUntil(7, response)).toEqual([7]);
});
