import * as fs from 'node:fs/promises';
import * as http from 'node:http';
import * as path from 'node:path';
import { temporaryFolder } from '../files';
import { runCommand } from '../process';
import { obtainPulumi, pulumiVersion } from './pulumi';

let folder = '';
beforeEach(async () => void (folder = await temporaryFolder('pulumi-tool')));
afterEach(() => fs.rm(folder, { recursive: true, force: true }));
const said: string[] = [];
const say = (line: string): void => void said.push(line);

/** A program that answers `version` as told. */
async function program(at: string, version: string): Promise<string> {
  await fs.mkdir(path.dirname(at), { recursive: true });
  await fs.writeFile(at, `#!/bin/sh\necho ${version}\n`, { mode: 0o755 });
  return at;
}

test('a named one is taken when it is good and refused with the repair when it is not', async () => {
  const good = await program(path.join(folder, 'a'), 'v3.230.1');
  await expect(obtainPulumi({ env: { MESHWRIGHT_PULUMI: good } })).resolves.toBe(good);
  const old = await program(path.join(folder, 'b'), 'v3.100.0');
  await expect(obtainPulumi({ env: { MESHWRIGHT_PULUMI: old } })).rejects.toThrow(/which is 3\.100\.0; put a Pulumi CLI/);
  await expect(obtainPulumi({ env: { MESHWRIGHT_PULUMI: path.join(folder, 'none') } })).rejects.toThrow('does not run');
});

test('the first good one on PATH is taken; an old one and the npm launcher are passed over', async () => {
  await program(path.join(folder, 'old', 'pulumi'), 'v2.9.0');
  await program(path.join(folder, 'node_modules', '.bin', 'pulumi'), `v${pulumiVersion}`);
  const good = await program(path.join(folder, 'good', 'pulumi'), `v${pulumiVersion}`);
  const PATH = ['old', 'node_modules/.bin', 'good'].map((name) => path.join(folder, name)).join(path.delimiter);
  await expect(obtainPulumi({ env: { PATH } })).resolves.toBe(good);
});

describe('an archive', () => {
  const serve = async (version: string): Promise<{ url: string; close(): void }> => {
    await program(path.join(folder, 'archive', 'pulumi', 'pulumi'), version);
    const archive = path.join(folder, 'archive.tar.gz');
    expect((await runCommand('tar', ['-czf', archive, '-C', path.join(folder, 'archive'), 'pulumi'])).code).toBe(0);
    const server = http.createServer((request, response) => {
      if (!request.url?.includes(`/pulumi-v${pulumiVersion}-`)) response.writeHead(404).end();
      else void fs.readFile(archive).then((bytes) => response.end(bytes));
    });
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return {
      url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
      close: () => {
        server.close();
        server.closeAllConnections();
      },
    };
  };

  test('is unpacked into the cache, once', async () => {
    const { url, close } = await serve(`v${pulumiVersion}`);
    const options = { env: { PATH: '' }, folder: path.join(folder, 'cache'), say, downloads: url };
    const found = await obtainPulumi(options);
    close();
    expect(found).toBe(path.join(folder, 'cache', `pulumi-${pulumiVersion}`, 'pulumi'));
    await expect(obtainPulumi(options)).resolves.toBe(found);
  });

  test('of another version is refused, and without Go the way out is named', async () => {
    const { url, close } = await serve('v3.1.0');
    const options = { env: { PATH: '' }, folder: path.join(folder, 'cache'), say, downloads: url };
    await expect(obtainPulumi(options)).rejects.toThrow(
      /go is not installed; put a Pulumi CLI .* on PATH, name one in MESHWRIGHT_PULUMI, or install Go/,
    );
    close();
    expect(said).toEqual(expect.arrayContaining([expect.stringContaining('what it gave is another version')]));
  });
});
