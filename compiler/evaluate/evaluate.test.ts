import { join } from 'node:path';
import { readDirectory } from '../source';
import { createSandbox } from './sandbox';
import { evaluate } from './evaluate';

const sandbox = createSandbox();
afterAll(() => sandbox.close());

test('the example mesh evaluates to the same bytes twice, with an origin for each declaration', async () => {
  const read = await readDirectory(join(__dirname, '..', '..', 'policies'));
  expect(read.diagnostics).toEqual([]);
  if (!read.value) return;
  const first = await evaluate(read.value, { sandbox });
  expect(first.diagnostics).toEqual([]);
  const second = await evaluate(read.value, { sandbox });
  expect(JSON.stringify(second.value)).toBe(JSON.stringify(first.value));
  expect(first.value?.declarations.length).toBeGreaterThan(0);
  for (const { id } of first.value?.declarations ?? []) expect(first.value?.origins[id]?.span.line).toBeGreaterThan(0);
});
