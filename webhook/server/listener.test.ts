import * as https from 'node:https';
import type { RequestListener, ServerResponse } from 'node:http';
import * as tls from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import { localAuthority } from '../../test/kit/serving-certificate';
import { until } from '../../test/kit/until';
import { listen, type Listener } from './listener';

test('told to end, it waits for whoever still uses the connections that are there, not only for who opens new ones', async () => {
  const authority = await localAuthority();
  const pair = await authority.serving();
  const certificate = { current: () => pair, onChange: () => undefined, problem: () => null, close: () => undefined };
  let closing = false;
  // Time passes here when it is told to, and between no two questions as much as it waits for.
  let now = 0;
  const sleepers = new Set<{ readonly until: number; readonly wake: () => void }>();
  const asleep = (ms: number): Promise<void> => new Promise((wake) => void sleepers.add({ until: now + ms, wake }));
  const pass = (ms: number): void => {
    now += ms;
    for (const sleeper of sleepers) if (sleeper.until <= now && sleepers.delete(sleeper)) sleeper.wake();
  };
  const listener = await listen(
    (_request, response) => void response.setHeader('connection', closing ? 'close' : 'keep-alive').end('yes'),
    {
      ...{ host: '127.0.0.1', port: 0, certificate, clientCa: null, connections: 100, requestMs: 120_000 },
      clock: { now: () => now, monotonic: () => now, sleep: asleep },
    },
  );
  const ask = (agent: https.Agent): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const request = https.get(listener.url, { agent, ca: authority.ca }, (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode));
      });
      request.once('error', reject);
    });
  const agents = Array.from({ length: 12 }, () => new https.Agent({ keepAlive: true, maxSockets: 1 }));
  await Promise.all(agents.map(ask));
  closing = true;
  let ended = false;
  const closed = listener.close().then(() => (ended = true));
  for (const agent of agents) {
    pass(300);
    expect(await ask(agent)).toBe(200);
  }
  expect(ended).toBe(false);
  await until('it has ended', () => (pass(100), ended));
  await closed;
  for (const agent of agents) agent.destroy();
});

describe('a connection on which nobody asked yet', () => {
  const opened: tls.TLSSocket[] = [];
  let listener: Listener;
  let ca: string;
  /** `headMs`: after it whoever has not asked is looked at. Where nobody is to be, it is long. */
  const start = async (connections: number, headMs = 120_000): Promise<void> => {
    const authority = await localAuthority();
    const pair = await authority.serving();
    ({ ca } = authority);
    const certificate = { current: () => pair, onChange: () => undefined, problem: () => null, close: () => undefined };
    /** Answered together, when every place is taken. */
    const held: ServerResponse[] = [];
    const answer: RequestListener = (request, response) => {
      if (request.url !== '/together') return void response.end('yes');
      held.push(response);
      if (held.length === connections) for (const one of held) one.end('yes');
    };
    listener = await listen(answer, {
      ...{ host: '127.0.0.1', port: 0, certificate, clientCa: null, connections },
      ...{ requestMs: 120_000, headMs },
    });
  };
  afterEach(async () => {
    for (const socket of opened.splice(0)) socket.destroy();
    await listener.close();
  });
  const connected = (): Promise<tls.TLSSocket> =>
    new Promise((resolve, reject) => {
      const socket = tls.connect({ host: '127.0.0.1', port: Number(new URL(listener.url).port), ca }, () => resolve(socket));
      opened.push(socket);
      socket.once('error', reject);
    });
  const firstLine = (socket: tls.TLSSocket): Promise<string> =>
    new Promise((resolve) => {
      socket.once('data', (data) => resolve(String(data).split('\r\n')[0] ?? ''));
      socket.once('close', () => resolve('closed'));
    });
  /** Whoever begins and does not go on is told so, unless a busy machine did not see it begin; by then those that came before were looked at, too. */
  const untilLookedAt = (): Promise<void> =>
    until('who does not go on is told so', async () => {
      const slow = await connected();
      slow.write('GET / HTTP/1.1\r\nhost:');
      return (await Promise.race([firstLine(slow), sleep(10_000, 'nothing', { ref: false })])) === 'HTTP/1.1 408 Request Timeout';
    });

  test('is kept, and answered when somebody asks', async () => {
    await start(100, 1_000);
    const silent = await connected();
    const answer = firstLine(silent);
    await untilLookedAt();
    silent.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    expect(await answer).toBe('HTTP/1.1 200 OK');
  });
  test('has to go when there is no room left', async () => {
    await start(10, 1_000);
    const silent = await connected();
    const answer = firstLine(silent);
    await untilLookedAt();
    for (let more = 0; more < 10; more += 1) await connected().catch(() => undefined);
    expect(await answer).toBe('closed');
  });
  test.each(['silent', 'asked'])('a crowd that took every place at once (%s) does not keep others out', async (kind) => {
    await (kind === 'silent' ? start(10, 1_000) : start(10));
    const status = (agent: https.Agent | false, path = '/'): Promise<number | undefined> =>
      new Promise((resolve) => {
        const request = https.get(`${listener.url}${path}`, { agent, ca }, (response) => {
          response.resume();
          response.once('end', () => resolve(response.statusCode));
        });
        request.once('error', () => resolve(undefined));
      });
    const agent = new https.Agent({ keepAlive: true });
    try {
      if (kind === 'silent') await Promise.all(Array.from({ length: 10 }, connected));
      else await Promise.all(Array.from({ length: 10 }, () => status(agent, '/together')));
      await until('somebody else is answered', async () => (await status(false)) === 200);
    } finally {
      agent.destroy();
    }
  });
  test('whoever has begun to ask when it ends is answered, who has not is let go', async () => {
    await start(100);
    const [silent, asking] = [await connected(), await connected()];
    const [end, answer] = [firstLine(silent), firstLine(asking)];
    asking.write('GET / HTTP/1.1\r\nhost:');
    const closed = listener.close();
    expect(await end).toBe('closed');
    asking.write(' x\r\nconnection: close\r\n\r\n');
    expect(await answer).toBe('HTTP/1.1 200 OK');
    await closed;
  });
  test('what is no request is told so', async () => {
    await start(100);
    for (const [text, line] of [
      ['nonsense\r\n\r\n', 'HTTP/1.1 400 Bad Request'],
      [`GET / HTTP/1.1\r\nhost: x\r\nlong: ${'x'.repeat(20_000)}\r\n\r\n`, 'HTTP/1.1 431 Request Header Fields Too Large'],
    ] as const) {
      const socket = await connected();
      const answer = firstLine(socket);
      socket.write(text);
      expect(await answer).toBe(line);
    }
  });
});
