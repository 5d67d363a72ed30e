/** `nft`, for the suites that capture connections: the product itself takes the one of its image or machine. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { cacheFolder } from '../files';
import { runCommand } from '../process';
import { obtain, type ObtainOptions, oneLine, ToolUnavailable } from './obtain';

const repair = 'install the package `nftables`, or name the program in MESHWRIGHT_NFT';
/** The program's own package and the libraries that a machine may lack. */
const packages: readonly string[] = [
  ...['nftables', 'libnftables1', 'libnftnl11', 'libmnl0', 'libxtables12', 'libjansson4'],
  ...['libgmp10', 'libedit2', 'libbsd0', 'libmd0', 'libtinfo6'],
];

/**
 * The path of a working nft: MESHWRIGHT_NFT, else one on PATH or in sbin, else the cache, else unpacked from Debian's packages, which installs nothing.
 * Throws ToolUnavailable with the repair in one line.
 */
export async function obtainNft(options: ObtainOptions & { readonly env?: NodeJS.ProcessEnv } = {}): Promise<string> {
  const env = options.env ?? process.env;
  const named = env['MESHWRIGHT_NFT'];
  if (named !== undefined && named !== '') {
    if (await works(named)) return named;
    throw new ToolUnavailable('nft', `MESHWRIGHT_NFT names ${named}, which does not run`, repair);
  }
  const folders = [...(env['PATH'] ?? '').split(path.delimiter), '/usr/sbin', '/sbin'];
  for (const folder of folders) {
    const candidate = path.join(folder, 'nft');
    if (folder !== '' && (await works(candidate))) return candidate;
  }
  const version = 'debian';
  const libraries = path.join(options.folder ?? cacheFolder('tools'), `nft-${version}`, 'lib');
  return obtain(
    {
      name: 'nft',
      version,
      executable: 'nft',
      sha256: null,
      repair,
      make: async (work) => {
        await download(work, env);
        for (const file of await fs.readdir(work)) if (file.endsWith('.deb')) await must('dpkg-deb', ['-x', file, 'x'], work, env);
        await fs.rm(libraries, { recursive: true, force: true });
        await fs.mkdir(libraries, { recursive: true });
        const found = await fs.readdir(path.join(work, 'x'), { recursive: true, withFileTypes: true });
        for (const entry of found)
          if (!entry.isDirectory() && /\.so(\.|$)/.test(entry.name))
            await fs.cp(path.join(entry.parentPath, entry.name), path.join(libraries, entry.name), { verbatimSymlinks: true });
        await fs.rename(path.join(work, 'x', 'usr', 'sbin', 'nft'), path.join(libraries, 'nft'));
        const program = path.join(work, 'nft');
        await fs.writeFile(program, `#!/bin/sh\nLD_LIBRARY_PATH='${libraries}' exec '${libraries}/nft' "$@"\n`, { mode: 0o755 });
        if (!(await works(program))) throw new Error('what Debian has of it does not run on this machine');
        return program;
      },
    },
    options,
  );
}

/** Into `work`, without root and without installing; package lists that are not there are got first. */
async function download(work: string, env: NodeJS.ProcessEnv): Promise<void> {
  try {
    await must('apt-get', ['download', ...packages], work, env);
  } catch {
    await must('apt-get', ['update', '-qq'], work, env);
    await must('apt-get', ['download', ...packages], work, env);
  }
}

async function must(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<void> {
  const result = await runCommand(command, args, { cwd, env, timeoutMs: 5 * 60_000 }).catch((error: unknown) => {
    throw new Error(`${command} cannot be started (${oneLine(error)})`);
  });
  if (result.code !== 0)
    throw new Error(result.stderr.split('\n').find((line) => /^E:|error/i.test(line)) ?? `${command} ended with ${result.code}`);
}

async function works(program: string): Promise<boolean> {
  return runCommand(program, ['--version'], { timeoutMs: 20_000 }).then(
    ({ code }) => code === 0,
    () => false,
  );
}
