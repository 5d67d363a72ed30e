import { Proven } from './proven';

test('the later certificate counts, and instances that came and went are forgotten', () => {
  const proven = new Proven();
  proven.note('stays', 2_000_000, 0);
  proven.note('stays', 1_000_000, 0);
  for (let time = 0; time < 100_000; time += 1) proven.note(`pod-${time}`, time + 10, time);
  expect([proven.until('stays'), proven.until('pod-5'), proven.until('pod-99999')]).toEqual([2_000_000, 0, 100_009]);
  expect(proven.size).toBeLessThan(2_000);
});
