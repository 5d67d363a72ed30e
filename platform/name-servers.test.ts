import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { temporaryFolder } from './files';
import { nameServersOf } from './name-servers';

test('name servers in the order of the file, without what is none', async () => {
  const folder = await temporaryFolder('name-servers');
  try {
    const file = path.join(folder, 'resolv.conf');
    await fs.writeFile(
      file,
      '# nameserver 192.0.2.9\nsearch example\nnameserver 192.0.2.1\n nameserver\t2001:db8::1 \nnameserver 1.2\nnameserver dead:beef\n',
    );
    expect(await nameServersOf(file)).toEqual(['192.0.2.1', '2001:db8::1']);
    expect(await nameServersOf(path.join(folder, 'nothing'))).toEqual([]);
  } finally {
    await fs.rm(folder, { recursive: true });
  }
});
