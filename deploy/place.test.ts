import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { temporaryFolder } from '../platform/files';
import { setDamagedAside } from './place';

test('state that cannot be read is put aside, and good state or none is left alone', async () => {
  const folder = await temporaryFolder('place');
  const checkpoint = path.join(folder, 'prod.json');
  try {
    expect(await setDamagedAside({ checkpoint })).toBe(false);
    await fs.writeFile(checkpoint, '{"version":3}');
    expect(await setDamagedAside({ checkpoint })).toBe(false);
    await fs.writeFile(checkpoint, '{"version":3,');
    expect(await setDamagedAside({ checkpoint })).toBe(true);
    expect(await fs.readdir(folder)).toEqual(['prod.json.damaged']);
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
});
