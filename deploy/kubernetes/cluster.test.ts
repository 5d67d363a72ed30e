import type { Kube } from '../../platform/kube';
import { bigRelease } from '../../test/kit/big-objects';
import { newTestSigner, signTestRelease } from '../../test/kit/signing';
import { judge } from './cluster';

test('a release of more objects than the API can hold is refused before anything is asked', async () => {
  const asked: string[] = [];
  const kube = new Proxy({}, { get: (_, name) => asked.push(String(name)) }) as Kube; // a stand-in that only says what was called
  const release = await signTestRelease(await newTestSigner(), bigRelease(30_000));
  const diagnostics = await judge(kube, { release, objects: [] });
  expect(diagnostics.map(({ code, message }) => [code, message.slice(0, 44)])).toEqual([
    ['MW6022', '`Release/prod/2` names 30000 objects and has'],
  ]);
  expect(asked).toEqual([]);
});
