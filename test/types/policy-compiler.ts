/** Checks policy sources with native tsc under the options that every policy repository is checked with. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';

export const root = path.resolve(__dirname, '..', '..');
export const organisation = path.join(__dirname, 'organisation');
const tsc = path.join(root, 'node_modules', '@typescript', 'native', 'bin', 'tsc');

export interface TypeError {
  /** Absolute, symlinks resolved as tsc prints them. */
  readonly file: string;
  readonly line: number;
  /** First line and what is indented below it. */
  readonly text: string;
}
export interface Checked {
  readonly errors: readonly TypeError[];
  readonly instantiations: number;
}

/** @param include globs or files, absolute. @param outside a folder that relative paths in tsc's output start from. */
export async function checkPolicies(include: readonly string[], cwd: string): Promise<Checked> {
  const folder = await mkdtemp(path.join(tmpdir(), 'meshwright-types-'));
  try {
    const config = path.join(folder, 'tsconfig.json');
    await writeFile(
      config,
      JSON.stringify({
        extends: path.join(root, 'sdk', 'policy-tsconfig.json'),
        files: [path.join(root, 'sdk', 'types', 'lib.d.ts')],
        include,
      }),
    );
    return parse(await run([tsc, '-p', config, '--pretty', 'false', '--extendedDiagnostics', '--checkers', '1'], cwd), cwd);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function run(args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [...args], { cwd, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number') reject(error);
      else resolve(`${stdout}${stderr}`);
    });
  });
}

function parse(output: string, cwd: string): Checked {
  const errors: { file: string; line: number; text: string }[] = [];
  for (const line of output.split('\n')) {
    const error = /^(.+?)\((\d+),\d+\): (error .*)$/.exec(line);
    const last = errors.at(-1);
    if (error) errors.push({ file: path.resolve(cwd, error[1] ?? ''), line: Number(error[2]), text: error[3] ?? '' });
    else if (line.startsWith('error ')) errors.push({ file: '', line: 0, text: line });
    else if (line.startsWith('  ') && last) last.text += `\n${line}`;
  }
  const instantiations = Number(/^Instantiations:\s+(\d+)/m.exec(output)?.[1] ?? Number.NaN);
  return { errors, instantiations };
}
