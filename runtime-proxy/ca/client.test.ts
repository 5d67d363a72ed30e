import { systemClock, type Clock } from '../../platform/clock';
import { silentLog } from '../../platform/log';
import { freePorts } from '../../platform/ports';
import { testAuthority } from '../../test/kit/certificates';
import { holdIdentity, type Svid } from './client';

/** How long a holder means to wait, one after the other. Nobody waits. */
async function waits(count: number, kept: Svid | null, now = Date.now()): Promise<readonly number[]> {
  const stop = new AbortController();
  const slept: number[] = [];
  const clock: Clock = {
    ...systemClock,
    now: () => now,
    sleep: async (ms) => {
      slept.push(ms);
      if (slept.length >= count) stop.abort(new Error('enough'));
      return systemClock.sleep(1, { signal: stop.signal });
    },
  };
  const [port] = await freePorts(1, '127.0.0.1');
  const { trust } = await testAuthority('mesh.test');
  const config = { trustDomain: 'mesh.test', address: `127.0.0.1:${port}`, trust, token: () => Promise.resolve('mwj_none'), kept };
  const holder = await holdIdentity(config, { clock, log: silentLog, signal: stop.signal }).catch(() => null);
  if (holder !== null) await new Promise<void>((resolve) => setImmediate(resolve));
  holder?.close();
  return slept;
}

test('who asks a CA that is away comes again later each time, and not as often as somebody else', async () => {
  const [one, other] = [await waits(10, null), await waits(10, null)];
  for (const slept of [one, other])
    slept.forEach((ms, index) => {
      expect(ms).toBeLessThanOrEqual(Math.min(100 * 2 ** index, 30_000));
      expect(ms).toBeGreaterThanOrEqual(Math.min(50 * 2 ** index, 15_000));
    });
  expect(one).not.toEqual(other);
});

test('certificates of one second are not renewed in one second, and before two thirds of their life are over', async () => {
  const { trust } = await testAuthority('mesh.test');
  const hour = 3_600_000;
  const now = Date.now();
  const due: number[] = [];
  for (let index = 0; index < 8; index += 1)
    due.push(...(await waits(1, { key: '', chain: '', trust, obtained: now, notAfter: now + hour }, now)));
  expect(new Set(due.map((ms) => Math.round(ms / 1_000))).size).toBeGreaterThan(1);
  for (const ms of due) {
    expect(ms).toBeLessThanOrEqual((hour * 2) / 3);
    expect(ms).toBeGreaterThan(hour * 0.55);
  }
});
