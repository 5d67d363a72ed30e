import type { Clock } from '../../platform/clock';
import { SimulatedWorld } from '../../test/kit/simulated-world';
import { until } from '../../test/kit/until';
import { Driver } from './driver';

/** Time that stands still until the test lets a pause end; it keeps how long each was to be. */
class PausedClock implements Clock {
  readonly pauses: number[] = [];
  private readonly waiting: (() => void)[] = [];
  now = (): number => 0;
  monotonic = (): number => 0;
  sleep(ms: number, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.pauses.push(ms);
    return new Promise((resolve, reject) => {
      if (options.signal?.aborted) return reject(options.signal.reason);
      options.signal?.addEventListener('abort', () => reject(options.signal?.reason));
      this.waiting.push(resolve);
    });
  }
  /** Until so many pauses have begun. */
  begun(count: number): Promise<void> {
    return until(`${count} pauses`, () => this.pauses.length >= count);
  }
  end(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

async function start(random = 0.5): Promise<{ world: SimulatedWorld; driver: Driver; clock: PausedClock; fatal: unknown[] }> {
  const world = new SimulatedWorld();
  world.push('a', { text: 'A' });
  const { loop } = await world.life();
  const clock = new PausedClock();
  const fatal: unknown[] = [];
  const driver = new Driver(loop, {
    clock,
    random: () => random,
    pollMs: 1_000,
    backoffMs: { first: 100, longest: 900 },
    onFatal: (error) => fatal.push(error),
  });
  return { world, driver, clock, fatal };
}

test('pauses grow after trouble up to the longest, and end with success', async () => {
  const { world, driver, clock } = await start(1);
  world.trouble.push('fetch', 'fetch', 'fetch', 'fetch', 'fetch');
  driver.start();
  for (let i = 0; i < 5; i++) {
    await clock.begun(i + 1);
    expect(driver.ready).toBe(false);
    expect(driver.trouble.map((one) => one.code)).toEqual(['MW7142']);
    clock.end();
  }
  await clock.begun(6);
  expect(clock.pauses.slice(0, 5)).toEqual([100, 200, 400, 800, 900]);
  expect(driver.ready).toBe(true);
  expect(world.inForce()).toBe('A');
  await driver.close();
});

test('the poll is moved by up to a tenth each way', async () => {
  for (const [random, pause] of [
    [0, 900],
    [1, 1_100],
  ] as const) {
    const { driver, clock } = await start(random);
    driver.start();
    await clock.begun(1);
    expect(clock.pauses).toEqual([pause]);
    await driver.close();
  }
});

test('many pushes during one turn are one more turn', async () => {
  const { world, driver, clock } = await start();
  let fetches = 0;
  world.onStep = (name) => {
    if (name === 'fetch') fetches += 1;
    if (name === 'converge') for (let i = 0; i < 10; i++) driver.wake('push');
  };
  driver.start();
  await clock.begun(1);
  expect(fetches).toBe(2);
  await driver.close();
});

test('a journal that cannot be written ends the loop and says so', async () => {
  const { world, driver, fatal } = await start();
  world.onStep = (name) => {
    if (name.startsWith('append')) throw new Error('no space left');
  };
  driver.start();
  await until('the loop has ended', () => fatal.length > 0);
  expect(fatal).toMatchObject([{ message: 'no space left' }]);
  await driver.close();
});
