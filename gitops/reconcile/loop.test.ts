import fc from 'fast-check';
import { SimulatedWorld, type SimulatedCommit } from '../../test/kit/simulated-world';
import type { Loop, TurnResult } from './loop';

const outcomes = (loop: Loop): string[] => loop.state.attempts.map((a) => `${a.commit} ${a.outcome}`).reverse();

async function fresh(...commits: readonly (readonly [string, SimulatedCommit])[]): Promise<{ world: SimulatedWorld; loop: Loop }> {
  const world = new SimulatedWorld();
  for (const [id, content] of commits) world.push(id, content);
  const { loop } = await world.life();
  await loop.recover();
  return { world, loop };
}

test('a commit goes all the way, with a time for each leg', async () => {
  const { world, loop } = await fresh(['a', { text: 'A' }]);
  expect(await loop.turn('push')).toMatchObject({ kind: 'ended', outcome: 'live' });
  expect(Object.keys(loop.state.attempts[0]?.legs ?? {})).toEqual([
    'fetch',
    'compile',
    'diff',
    'validate',
    'sign',
    'preview',
    'update',
    'converge',
  ]);
  expect(world.inForce()).toBe('A');
  expect(await loop.turn('poll')).toEqual({ kind: 'idle' });
});

test('a commit that changes no object makes no release', async () => {
  const { world, loop } = await fresh(['a', { text: 'A' }]);
  await loop.turn('push');
  world.push('b', { text: 'A' });
  expect(await loop.turn('push')).toMatchObject({ outcome: 'unchanged' });
  expect(world.taken.map((release) => release.commit)).toEqual(['a']);
  expect(await loop.turn('poll')).toEqual({ kind: 'idle' });
});

test.each(['refused', 'invalid', 'nacked'] as const)('a commit that is %s is not tried again, and the next one is', async (fate) => {
  const { world, loop } = await fresh(['a', { text: 'A' }]);
  await loop.turn('push');
  world.push('b', { text: 'B', fate });
  expect(await loop.turn('push')).toMatchObject({ kind: 'ended', outcome: fate === 'nacked' ? 'aborted' : 'refused' });
  expect(world.inForce()).toBe('A');
  expect(await loop.turn('poll')).toEqual({ kind: 'idle' });
  expect(world.compiled.get('b')).toBe(1);
  world.push('c', { text: 'C' });
  await loop.turn('push');
  expect(world.inForce()).toBe('C');
  const last = world.taken.at(-1);
  expect(last?.stable).toEqual(world.taken[0]?.candidate);
});

test('a pardoned commit is tried again', async () => {
  const { world, loop } = await fresh(['b', { text: 'B', fate: 'invalid' }]);
  await loop.turn('push');
  world.commits.set('b', { text: 'B' });
  await loop.pardon('b');
  expect(await loop.turn('retry')).toMatchObject({ outcome: 'live' });
});

test('a newer commit that comes in the middle supersedes before anything is released', async () => {
  for (const moment of ['compile', 'validate', 'preview']) {
    const { world, loop } = await fresh(['a', { text: 'A' }]);
    let pushed = false;
    world.onStep = (name) => {
      if (name !== moment || pushed) return;
      pushed = true;
      world.push('b', { text: 'B' });
      loop.branchMayHaveMoved();
    };
    expect(await loop.turn('push')).toMatchObject({ outcome: 'superseded' });
    expect(await loop.turn('push')).toMatchObject({ outcome: 'live' });
    expect(world.taken.map((release) => release.commit)).toEqual(['b']);
  }
});

/** A mesh at A, with B on its way when C is pushed. */
async function during(fate: 'stuck' | 'slow', newer: SimulatedCommit): Promise<{ world: SimulatedWorld; loop: Loop }> {
  const { world, loop } = await fresh(['a', { text: 'A' }]);
  await loop.turn('push');
  world.push('b', { text: 'B', fate });
  world.onStep = (name) => {
    if (name === 'converge' && !world.branch.includes('c')) world.push('c', newer);
  };
  return { world, loop };
}

test('a roll-out that is stuck gives way to a newer commit, and its status says so', async () => {
  const { world, loop } = await during('stuck', { text: 'C' });
  expect(await loop.turn('push')).toMatchObject({ kind: 'ended', outcome: 'superseded' });
  expect(loop.state.attempts[0]).toMatchObject({ commit: 'b', supersededBy: 'c', diagnostics: [{ code: 'MW7129' }] });
  expect(world.inForce()).toBe('A');
  expect(await loop.turn('poll')).toMatchObject({ outcome: 'live' });
  expect(world.inForce()).toBe('C');
  expect(world.taken.at(-1)).toMatchObject({ stable: world.taken[0]?.candidate });
  expect(world.violations).toEqual([]);
  // Nothing is held against the one that gave way.
  expect(loop.state.quarantined).toEqual({});
});

test('a roll-out that gets on is not interrupted', async () => {
  const { world, loop } = await during('slow', { text: 'C' });
  expect(await loop.turn('push')).toMatchObject({ outcome: 'live' });
  expect(world.inForce()).toBe('B');
  expect(await loop.turn('poll')).toMatchObject({ outcome: 'live' });
  expect(world.inForce()).toBe('C');
});

test.each(['refused', 'invalid'] as const)('a newer commit that is %s ends no waiting; the next good one does', async (fate) => {
  const { world, loop } = await during('stuck', { text: 'C', fate });
  const push = world.onStep;
  let looks = 0;
  world.onStep = (name) => {
    push(name);
    if (name === 'status' && (looks += 1) === 40) {
      expect(world.state).toBe('rolling');
      world.push('d', { text: 'D' });
    }
  };
  expect(await loop.turn('push')).toMatchObject({ outcome: 'superseded' });
  expect(loop.state.attempts[0]).toMatchObject({ commit: 'b', supersededBy: 'd' });
  expect(world.compiled.get('c')).toBe(1);
  expect(await loop.turn('poll')).toMatchObject({ outcome: 'live' });
  expect(world.inForce()).toBe('D');
});

test('a branch that goes back to what proxies have ends the waiting, without a further release', async () => {
  const { world, loop } = await during('stuck', { text: 'A' });
  expect(await loop.turn('push')).toMatchObject({ outcome: 'superseded' });
  expect(await loop.turn('poll')).toMatchObject({ outcome: 'unchanged' });
  expect(world.inForce()).toBe('A');
  expect(world.taken).toHaveLength(2);
});

test('killed at any step of it, the newer commit ends up in force all the same', async () => {
  let steps = 0;
  for (let dieAt = 1, survived = false; !survived; dieAt++) {
    const world = new SimulatedWorld();
    world.push('a', { text: 'A' });
    await live(world, []);
    world.push('b', { text: 'B', fate: 'stuck' });
    let counted = 0;
    world.onStep = (name) => {
      counted += 1;
      if (name === 'converge' && world.branch.length === 2) world.push('c', { text: 'C' });
    };
    const loop = await live(world, [dieAt]);
    survived = counted < dieAt;
    judge(world, 'C');
    expect(loop.state.attempts.filter(({ outcome }) => outcome === 'aborted' || outcome === 'refused')).toEqual([]);
    expect(loop.state.quarantined).toEqual({});
    steps = dieAt;
  }
  expect(steps).toBeGreaterThan(40);
});

test.each(['fetch', 'compile', 'sign', 'update', 'converge'])('trouble at %s is no verdict on the commit', async (leg) => {
  const { world, loop } = await fresh(['a', { text: 'A' }]);
  world.trouble.push(leg);
  expect((await loop.turn('push')).kind).toBe('retry');
  let last: TurnResult = await loop.turn('retry');
  if (last.kind === 'ended' && last.outcome === 'unchanged') last = await loop.turn('retry');
  expect(world.inForce()).toBe('A');
  expect(world.taken).toHaveLength(1);
});

test('a release that was given up while nobody looked is not made again, unless somebody asks', async () => {
  const { world, loop } = await fresh(['a', { text: 'A' }]);
  await loop.turn('push');
  world.push('b', { text: 'B', fate: 'nacked' });
  world.trouble.push('converge');
  expect((await loop.turn('push')).kind).toBe('retry');
  expect(await loop.turn('poll')).toMatchObject({ outcome: 'aborted' });
  expect(world.taken).toHaveLength(2);
  await loop.pardon('b');
  world.commits.set('b', { text: 'B' });
  world.trouble.push('compile');
  expect((await loop.turn('poll')).kind).toBe('retry');
  expect(await loop.turn('poll')).toMatchObject({ outcome: 'live' });
  expect(loop.state.attempts[0]?.trigger).toBe('retry');
});

test('an update whose answer is lost is found out at the control plane', async () => {
  const { world, loop } = await fresh(['a', { text: 'A' }]);
  world.trouble.push('update answer');
  expect(await loop.turn('push')).toMatchObject({ outcome: 'live' });
});

test('rollback makes a higher release of the old objects and holds the commit until a new one', async () => {
  const { world, loop } = await fresh(['a', { text: 'A' }]);
  await loop.turn('push');
  world.push('b', { text: 'B' });
  await loop.turn('push');
  expect(await loop.rollback({ reason: 'test' })).toMatchObject({ outcome: 'live' });
  expect(world.inForce()).toBe('A');
  expect(world.taken.map((release) => release.generation)).toEqual([1, 2, 3]);
  expect(await loop.turn('poll')).toEqual({ kind: 'idle' });
  expect(world.inForce()).toBe('A');
  world.push('c', { text: 'C' });
  await loop.turn('push');
  expect(world.inForce()).toBe('C');
  expect(await loop.rollback({ to: 2, reason: 'test' })).toMatchObject({ outcome: 'live' });
  expect(world.inForce()).toBe('B');
  expect(await loop.rollback({ to: 77, reason: 'test' })).toMatchObject({ outcome: 'refused', diagnostics: [{ code: 'MW7125' }] });
});

test('a control plane that has lost its state is given back what was live, and the next commit follows it', async () => {
  const { world, loop } = await fresh(['a', { text: 'A' }]);
  await loop.turn('push');
  world.push('b', { text: 'B' });
  await loop.turn('push');
  const lose = (): void => {
    world.live = null;
    world.state = 'idle';
  };
  lose();
  expect(await loop.turn('poll')).toEqual({ kind: 'idle' });
  expect(world.inForce()).toBe('B');
  // Nothing is taken from anybody on the way: what it begins with is what proxies have.
  expect(world.taken.at(-1)).toMatchObject({ generation: 3, stable: world.taken[1]?.candidate, candidate: world.taken[1]?.candidate });
  lose();
  world.push('c', { text: 'C' });
  expect(await loop.turn('push')).toMatchObject({ outcome: 'live' });
  expect(world.taken.map((release) => release.generation)).toEqual([1, 2, 3, 4, 5]);
  expect(world.taken.at(-1)?.stable).toEqual(world.taken[1]?.candidate);
  expect(world.inForce()).toBe('C');
});

const story: readonly (readonly [string, SimulatedCommit])[] = [
  ['a', { text: 'A' }],
  ['b', { text: 'B', fate: 'refused' }],
  ['c', { text: 'C' }],
  ['d', { text: 'D', fate: 'nacked' }],
  ['e', { text: 'C' }],
  ['f', { text: 'F' }],
];

/** Lives until the branch's newest commit is settled one way or the other; dies at the given steps, one a life. */
async function live(world: SimulatedWorld, deaths: readonly number[]): Promise<Loop> {
  const queue = [...deaths];
  for (let lives = 0; lives < 60; lives++) {
    try {
      const { loop, dead } = await world.life(queue.shift() ?? Infinity);
      for (let turns = 0; turns < 20 && !dead(); turns++) {
        const result = turns === 0 ? await loop.recover() : await loop.turn('poll');
        if (turns > 0 && result.kind === 'idle') return loop;
      }
      if (!dead()) throw new Error('the loop does not come to rest');
    } catch (error) {
      if (!(error instanceof Error) || (error.constructor.name !== 'Killed' && !error.message.includes('journal is closed'))) throw error;
    }
  }
  throw new Error('the loop does not come to rest');
}

function judge(world: SimulatedWorld, expected: string): void {
  expect(world.violations).toEqual([]);
  expect(world.inForce()).toBe(expected);
  expect(world.taken.map((release) => release.generation)).toEqual(world.taken.map((_, index) => index + 1));
  // Never an older commit after a newer, never a bad one twice.
  const order = world.taken.map((release) => world.branch.indexOf(release.commit));
  expect(order).toEqual([...new Set(order)].sort((x, y) => x - y));
}

test('killed at any step, however often, the loop comes to the same end', async () => {
  let steps = 0;
  for (let dieAt = 1; ; dieAt++) {
    const world = new SimulatedWorld();
    let survived = true;
    for (const [id, content] of story) {
      world.push(id, content);
      let counted = 0;
      world.onStep = () => void (counted += 1);
      await live(world, [dieAt]);
      if (counted >= dieAt) survived = false;
      judge(world, id === 'b' ? 'A' : id === 'd' ? 'C' : content.text);
      // A refused commit is compiled once in a life that ends after the verdict was written down, and once more where it was not.
      if (content.fate) expect(world.compiled.get(id)).toBeLessThanOrEqual(2);
    }
    steps = dieAt;
    if (survived) break;
  }
  expect(steps).toBeGreaterThan(40);
});

test('killed at many steps in a row, with pushes and outside trouble between', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 70 }), { maxLength: 12 }),
      fc.array(fc.constantFrom('fetch', 'compile', 'sign', 'update', 'update answer', 'converge'), { maxLength: 4 }),
      fc.array(
        fc.record({ text: fc.constantFrom('A', 'B', 'C', 'D'), fate: fc.constantFrom(undefined, undefined, 'refused', 'invalid') }),
        { minLength: 1, maxLength: 5 },
      ),
      async (deaths, trouble, pushes) => {
        const world = new SimulatedWorld();
        world.trouble.push(...trouble);
        let expected: string | undefined;
        for (const [index, { text, fate }] of pushes.entries()) {
          world.push(`c${index}`, { text, ...(fate ? { fate } : {}) });
          if (!fate) expected = text;
          await live(world, deaths.slice(index * 3, index * 3 + 3));
        }
        if (expected === undefined) expect(world.taken).toEqual([]);
        else judge(world, expected);
      },
    ),
    { numRuns: 200, seed: 7 },
  );
});

test('a journal with a damaged line goes on from what the control plane says', async () => {
  const { world, loop } = await fresh(['a', { text: 'A' }]);
  await loop.turn('push');
  world.push('b', { text: 'B' });
  await loop.turn('push');
  for (const [name, text] of world.disk) if (name.startsWith('journal') || name === 'snapshot.json') world.disk.set(name, `x${text}`);
  const { loop: next, journal } = await world.life();
  expect(journal.diagnostics.map((d) => d.code)).toContain('MW7130');
  await next.recover();
  await next.turn('start');
  expect(outcomes(next)).toEqual(['b unchanged']);
  expect(world.taken).toHaveLength(2);
});
