import { isDeepStrictEqual } from 'node:util';

/**
 * What is wanted comes to be seen within a minute, and the look after that sees it too. For what a change leads to at another place than the one that told
 * of it: a gauge is of Envoy's main thread, and its workers hear afterwards.
 */
export async function settles<T>(look: () => Promise<T>, wanted: T): Promise<void> {
  const end = performance.now() + 60_000;
  let seen = await look();
  while (!isDeepStrictEqual(seen, wanted) && performance.now() < end) seen = await look();
  expect(seen).toEqual(wanted);
  expect(await look()).toEqual(wanted);
}
