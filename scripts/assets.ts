/** After `tsc -b`: what is not compiled but read at run time (declarations of the SDK, JSON Schemas, the status page) goes beside the compiled code. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { isNotFound, listFiles } from '../platform/files';

const root = path.resolve(__dirname, '..', '..');
const folders = ['core', 'platform', 'sdk', 'compiler', 'runtime-proxy', 'deploy', 'gitops', 'web', 'cli'];
const isAsset = (name: string): boolean =>
  (/\.(json|html|css|svg|js|mjs|cjs|proto|yaml|sh)$/.test(name) || name.endsWith('.d.ts')) &&
  path.basename(name) !== 'tsconfig.json' &&
  !name.includes('node_modules/');

async function same(from: string, to: string): Promise<boolean> {
  try {
    const [a, b] = await Promise.all([fs.readFile(from), fs.readFile(to)]);
    return a.equals(b);
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

async function main(): Promise<void> {
  for (const folder of folders) {
    for (const name of await listFiles(path.join(root, folder))) {
      if (!isAsset(name)) continue;
      const from = path.join(root, folder, name);
      const to = path.join(root, 'dist', folder, name);
      if (await same(from, to)) continue;
      await fs.mkdir(path.dirname(to), { recursive: true });
      await fs.copyFile(from, to);
    }
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`build: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
});
