/** The two plugins that Pulumi would download, stood in for, as programs on PATH. See the READMEs beside them for what they are and are not. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { temporaryFolder } from '../../platform/files';

const plugins = ['pulumi-language-nodejs', 'pulumi-resource-kubernetes'] as const;

export interface StandInPlugins {
  /** The folder to put in front of PATH. */
  readonly path: string;
  /** Removes it. */
  close(): Promise<void>;
}

/** Writes launchers of the compiled stand-ins (`npm run build`) into a folder of its own. */
export async function standInPlugins(): Promise<StandInPlugins> {
  const folder = await temporaryFolder('pulumi-plugins');
  for (const name of plugins) {
    const main = await compiled(name);
    await fs.writeFile(path.join(folder, name), `#!/bin/sh\nexec ${quoted(process.execPath)} ${quoted(main)} "$@"\n`, { mode: 0o755 });
  }
  return { path: folder, close: () => fs.rm(folder, { recursive: true, force: true }) };
}

/** Beside this file when it is compiled itself; in dist/ when it runs as source. */
async function compiled(name: string): Promise<string> {
  for (const root of [__dirname, path.join(__dirname, '..', '..', 'dist', 'test', 'kit')]) {
    const file = path.join(root, name, 'main.js');
    const there = await fs.access(file).then(
      () => true,
      () => false,
    );
    if (there) return file;
  }
  throw new Error(`${name} is not built: run \`npm run build\``);
}
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
