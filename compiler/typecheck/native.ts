import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

export interface NativeCompiler {
  readonly path: string;
  readonly version: string;
}
export type NativeRun =
  | { readonly kind: 'ended'; readonly output: string; readonly exitCode: number | null }
  | { readonly kind: 'late' }
  | { readonly kind: 'memory' }
  | { readonly kind: 'failed'; readonly reason: string };

/** The native binary that `@typescript/native` would start through JavaScript; found without starting anything. Null when it is not installed. */
export function nativeCompiler(): NativeCompiler | null {
  const platform = `@typescript/typescript-${process.platform}-${process.arch}/package.json`;
  const from = createRequire(__filename);
  for (const base of [from, requireFrom(from, '@typescript/native/package.json')]) {
    try {
      const manifest = base?.resolve(platform);
      if (manifest === undefined || base === null) continue;
      const { version } = base(manifest) as { version: string }; // npm's own file
      const path = join(dirname(manifest), 'lib', process.platform === 'win32' ? 'tsc.exe' : 'tsc');
      if (existsSync(path)) return { path, version };
    } catch {
      // Not here: the next place is tried, and none is said by null.
    }
  }
  return null;
}

function requireFrom(from: NodeJS.Require, manifest: string): NodeJS.Require | null {
  try {
    return createRequire(from.resolve(manifest));
  } catch {
    return null;
  }
}

const mostOutput = 4 * 1024 * 1024;

/** Runs the compiler on a project. It gets no environment; it is killed when it is late, too large, or too talkative. */
export function runNative(
  compiler: NativeCompiler,
  project: string,
  limits: { readonly timeoutMs: number; readonly memoryBytes: number },
): Promise<NativeRun> {
  return new Promise((resolve) => {
    const child = spawn(compiler.path, ['-p', project, '--pretty', 'false'], {
      cwd: project,
      env: { GOMEMLIMIT: `${Math.floor(limits.memoryBytes * 0.9)}` },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let killedFor: 'late' | 'memory' | null = null;
    const kill = (why: 'late' | 'memory'): void => {
      killedFor ??= why;
      child.kill('SIGKILL');
    };
    const late = setTimeout(() => kill('late'), limits.timeoutMs);
    const look = (): void =>
      void residentBytes(child.pid).then((bytes) => {
        if (bytes > limits.memoryBytes) kill('memory');
      });
    look();
    const watch = setInterval(look, 100);
    const collect = (chunk: Buffer): void => {
      if (output.length < mostOutput) output += chunk.toString('utf8');
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const settle = (run: NativeRun): void => {
      clearTimeout(late);
      clearInterval(watch);
      resolve(run);
    };
    child.on('error', (error) => settle({ kind: 'failed', reason: error.message }));
    child.on('close', (exitCode, signal) => {
      if (killedFor) settle({ kind: killedFor });
      else if (signal !== null) settle(signal === 'SIGKILL' ? { kind: 'memory' } : { kind: 'failed', reason: `it was ended by ${signal}` });
      else settle({ kind: 'ended', output, exitCode });
    });
  });
}

/** Resident memory of a process, where the system tells it (Linux); 0 elsewhere. */
async function residentBytes(pid: number | undefined): Promise<number> {
  if (pid === undefined) return 0;
  const statm = await readFile(`/proc/${pid}/statm`, 'utf8').catch(() => '');
  return Number(statm.split(' ')[1] ?? 0) * 4096;
}
