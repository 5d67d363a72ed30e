/**
 * All proxies at once: real Envoys with agents, and clients that do what agents and Envoys do, join within a moment; the control plane is killed and all come back,
 * while a release moves and some of them are killed in the midst of it. Nobody is left behind. Larger herds: bench/herd.ts.
 */
import { startHerd, type Herd } from '../kit/herd';

jest.setTimeout(900_000);
const limitMs = 300_000;
let herd: Herd | null = null;
afterEach(() => herd?.stop());

test('who joins, comes back or is killed with many others is active in the end', async () => {
  const groups = [
    { kind: 'envoy', size: 3 },
    { kind: 'stream', size: 12 },
    { kind: 'stream', size: 12 },
  ] as const;
  const mine = (herd = await startHerd(groups));
  mine.startControlPlane();
  await mine.mesh.until('it is up', () => true);
  await mine.release(2_000);
  await Promise.all(groups.map((_, index) => mine.prepare(index)));
  groups.forEach((_, index) => mine.join(index));
  await mine.untilActive(1, limitMs);
  await mine.killControlPlane();
  mine.startControlPlane();
  await mine.mesh.until('it is up', () => true);
  await mine.release(3_000, [50, 100]);
  await mine.mesh.until('the first wave moves', ({ state }) => state === 'rolling' || state === 'converged');
  for (const index of [0, 1]) await mine.kill(index);
  await Promise.all([0, 1].map((index) => mine.prepare(index)));
  for (const index of [0, 1]) mine.join(index);
  await mine.untilActive(2, limitMs);
});
