import { latestOnly } from './latest-only';

const gate = (): { readonly opened: Promise<void>; open: () => void } => {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
};

test('one at a time; of what came meanwhile only the latest, and whoever was overtaken is settled with it', async () => {
  const done: number[] = [];
  const gates = [gate(), gate()];
  const run = latestOnly(async (value: number) => {
    await gates[done.push(value) - 1]?.opened;
  });
  const first = run(1);
  await Promise.resolve();
  expect(done).toEqual([1]);
  const later = [run(2), run(3), run(4)];
  await Promise.resolve();
  expect(done).toEqual([1]);
  gates[0]?.open();
  await first;
  gates[1]?.open();
  await Promise.all(later);
  expect(done).toEqual([1, 4]);
});
test('one that fails fails for those who asked for it, and the next one runs', async () => {
  const run = latestOnly((value: number) => (value === 1 ? Promise.reject(new Error('full')) : Promise.resolve()));
  await expect(run(1)).rejects.toThrow('full');
  await expect(run(2)).resolves.toBeUndefined();
});
