import { bookinfo } from '../../test/kit/bookinfo-ir';
import { completed } from './earlier';
import type { MeshIr } from './ir';

test('routes that an earlier compiler kept say nothing of what came later, and redirect where they did', () => {
  const ir = bookinfo();
  const later = new Set([
    'cors',
    'sticky',
    'rewrite',
    'requestHeaders',
    'responseHeaders',
    'mirrors',
    'fault',
    'scheme',
    'withoutHeaders',
    'callers',
    'ping',
  ]);
  const stripped = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(stripped)
      : typeof value !== 'object' || value === null
        ? value
        : Object.fromEntries(Object.entries(value).flatMap(([name, one]) => (later.has(name) ? [] : [[name, stripped(one)]])));
  const earlier = JSON.parse(
    JSON.stringify(stripped(ir)).replace(
      '"path":[{"kind":"literal","text":"productpage"}],"status":302',
      '"path":"/productpage","status":302',
    ),
  ) as MeshIr; // as an earlier compiler wrote it: what `completed` is for
  expect(JSON.stringify(earlier)).toContain('"path":"/productpage"');
  expect(completed({ ...earlier, access: ir.access })).toEqual(ir);
});
