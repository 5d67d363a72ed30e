import { workloadKey } from '../../core/mesh/ids';
import type { Instance } from '../inventory';
import { Leaving, leavingMs } from './leaving';

const one = (id: string, port: number): Instance => ({
  ...{ id, workload: workloadKey('shop', 'reviews'), app: {} },
  inbound: { web: { host: '127.0.0.1', port } },
});
const as = (...instances: readonly Instance[]): ReadonlyMap<string, Instance> =>
  new Map(instances.map((instance) => [instance.id, instance]));
const [a, b] = [one('a', 1), one('b', 2)];

test('who is in no inventory any more is leaving for a while', () => {
  const leaving = new Leaving();
  expect(leaving.note(as(a, b), as(b), 1_000)).toBe(true);
  expect([leaving.of('a', 1_000), leaving.of('a', 999 + leavingMs), leaving.of('a', 1_000 + leavingMs)]).toEqual([a, a, undefined]);
  expect(leaving.of('b', 1_000)).toBeUndefined();
});
test('who comes back is there, and who left long ago is forgotten', () => {
  const leaving = new Leaving();
  leaving.note(as(a, b), as(b), 1_000);
  expect(leaving.note(as(b), as(a, b), 1_001)).toBe(false);
  leaving.note(as(a, b), as(b), 2_000);
  expect(leaving.note(as(b), as(b), 2_000 + leavingMs)).toBe(false);
});
test('whose place another one has taken leaves at once, then and later', () => {
  const leaving = new Leaving();
  leaving.note(as(a, b), as(b, one('c', 1)), 1_000);
  expect(leaving.of('a', 1_000)).toBeUndefined();
  leaving.note(as(a, b), as(b), 2_000);
  leaving.note(as(b), as(b, one('c', 1)), 2_001);
  expect(leaving.of('a', 2_001)).toBeUndefined();
});
