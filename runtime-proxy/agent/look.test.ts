import * as net from 'node:net';
import { silentLog } from '../../platform/log';
import { knockAt, watchEnvoy } from './look';
import { noActivity } from './protocol';

const live = { envoyVersion: '1.40.0', live: true, activity: { ...noActivity, listeners: { 'inbound/a.web': 'v1' } } };
const door = { host: '127.0.0.1', port: 1 };

/** An Envoy in little: its life, whether its main thread answers, and whether a worker does. */
function little() {
  const now = { life: 1 as number | null, admin: true, worker: true, doors: true };
  const asked = { doors: 0, knocks: 0 };
  const say = <T>(what: T): Promise<T> => (now.admin ? Promise.resolve(what) : Promise.reject(new Error('silence')));
  const look = watchEnvoy({
    admin: {
      state: () => say({ state: 'LIVE', version: '1.40.0' }),
      activity: () => say(live.activity),
      facesOutside: () => say(undefined),
      doors: () => ((asked.doors += 1), now.doors ? say([door]) : Promise.reject(new Error('too large'))),
    },
    acknowledged: () => ({ listeners: new Map(), routes: new Map(), clusters: new Map() }),
    life: () => now.life,
    isUp: () => undefined,
    knock: () => ((asked.knocks += 1), Promise.resolve(now.worker)),
    log: silentLog,
  });
  return { now, asked, look };
}

test('an Envoy whose admin interface is silent is as it was seen last, for as long as its workers answer', async () => {
  const { now, asked, look } = little();
  expect([await look(), await look()]).toEqual([live, live]);
  expect(asked).toEqual({ doors: 1, knocks: 0 });
  now.admin = false;
  for (let turn = 0; turn < 20; turn += 1) expect(await look()).toEqual(live);
  expect(asked.knocks).toBe(20);
});
test('one in which nobody answers is down after three looks, and up with the first answer', async () => {
  const { now, look } = little();
  await look();
  Object.assign(now, { admin: false, worker: false });
  const seen = [];
  for (let turn = 0; turn < 4; turn += 1) seen.push((await look()).live);
  expect(seen).toEqual([true, true, false, false]);
  now.worker = true;
  expect((await look()).live).toBe(true);
  now.worker = false;
  expect((await look()).live).toBe(true);
});
test('that its doors cannot be said takes nothing from what it serves; they are asked for at the next look', async () => {
  const { now, asked, look } = little();
  now.doors = false;
  expect([await look(), await look()]).toEqual([live, live]);
  expect(asked.doors).toBe(2);
  now.doors = true;
  await look();
  now.admin = false;
  for (let turn = 0; turn < 5; turn += 1) expect(await look()).toEqual(live);
});
test('one that has ended is down at once; of its next life nothing is known before it says so itself', async () => {
  const { now, look } = little();
  await look();
  now.life = null;
  expect((await look()).live).toBe(false);
  Object.assign(now, { life: 2, admin: false });
  expect((await look()).live).toBe(false);
  now.admin = true;
  expect((await look()).live).toBe(true);
});

describe('a knock', () => {
  /** Where there is an answer nobody waits so long for it. */
  const patientMs = 300_000;
  const serve = (take: (socket: net.Socket) => void, withinMs?: number) => async (): Promise<boolean> => {
    const server = net.createServer((socket) => take(socket.on('error', () => undefined).resume()));
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
    const at = server.address();
    const answers = await knockAt({ host: '127.0.0.1', port: at !== null && typeof at === 'object' ? at.port : 0 }, withinMs);
    await new Promise((resolve) => server.close(resolve));
    return answers;
  };
  test.each([
    ['bytes are an answer', true, serve((socket) => void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'), patientMs)],
    ['an end is one', true, serve((socket) => void socket.destroy(), patientMs)],
    ['a connection alone is none', false, serve(() => undefined)],
    ['nobody listens', false, () => knockAt(door)],
  ])('%s', async (_what, answers, knock) => {
    expect(await knock()).toBe(answers);
  });
});
