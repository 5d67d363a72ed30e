import { execFile } from 'node:child_process';
import type { Outcome } from '../core/diagnostics/diagnostic';
import { gitops } from '../core/diagnostics/gitops';
import { reasonOf } from '../core/lib/reason';

/** The oldest git that has what is used here: `init --initial-branch`, `GIT_CONFIG_COUNT`, protocol v2 over http-backend. */
export const oldestGit = '2.31.0';

export interface GitOptions {
  readonly cwd?: string;
  readonly env?: { readonly [name: string]: string };
  /** The program; default `git`. */
  readonly git?: string;
  /** Default 60,000 ms. */
  readonly timeoutMs?: number;
}

/** Thrown by `runGit`; `stderr` is git's own words. */
export class GitError extends Error {
  constructor(
    readonly args: readonly string[],
    readonly stderr: string,
    readonly code: number | string | null,
  ) {
    super(`git ${args[0] ?? ''} failed: ${stderr.trim().split('\n').pop() ?? String(code)}`);
    this.name = 'GitError';
  }
}

/**
 * Git's environment without the user's and the machine's configuration: no prompt, no helper, no hook of theirs, English, a name to commit under.
 * @see https://git-scm.com/docs/git#_environment_variables
 */
export function gitEnvironment(extra: { readonly [name: string]: string } = {}): NodeJS.ProcessEnv {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_')));
  return {
    ...inherited,
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_AUTHOR_NAME: 'meshwright',
    GIT_AUTHOR_EMAIL: 'meshwright@localhost',
    GIT_COMMITTER_NAME: 'meshwright',
    GIT_COMMITTER_EMAIL: 'meshwright@localhost',
    ...extra,
  };
}

/** Runs git and answers its standard output; rejects with `GitError`. */
export function runGit(args: readonly string[], options: GitOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      options.git ?? 'git',
      [...args],
      {
        ...(options.cwd ? { cwd: options.cwd } : {}),
        env: gitEnvironment(options.env),
        timeout: options.timeoutMs ?? 60_000,
        maxBuffer: 64 << 20,
      },
      (error, stdout, stderr) => {
        if (error) reject(new GitError(args, stderr || error.message, error.code ?? null));
        else resolve(stdout);
      },
    );
  });
}

/** Whether this machine's git can serve and push a repository over HTTP: its version, or one diagnostic with the repair. */
export async function checkGit(git = 'git'): Promise<Outcome<{ readonly version: string }>> {
  let text: string;
  try {
    text = await runGit(['--version'], { git });
  } catch (error) {
    return { diagnostics: [gitops.gitMissing({ command: git, reason: whyGit(error) })] };
  }
  const version = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  if (!version) return { diagnostics: [gitops.gitMissing({ command: git, reason: 'it does not tell its version' })] };
  if (older(version[0], oldestGit)) return { diagnostics: [gitops.gitTooOld({ found: version[0], needed: oldestGit })] };
  try {
    // Without arguments and a CGI environment it exits with an error of its own; only its absence is asked about.
    await runGit(['http-backend'], { git });
  } catch (error) {
    if (error instanceof GitError && /is not a git command|cannot run|not found/.test(error.stderr)) {
      return {
        diagnostics: [gitops.gitMissing({ command: `${git} http-backend`, reason: 'this git was installed without its HTTP server' })],
      };
    }
  }
  return { value: { version: version[0] }, diagnostics: [] };
}

function older(found: string, needed: string): boolean {
  const a = found.split('.').map(Number);
  const b = needed.split('.').map(Number);
  for (let i = 0; i < 3; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function whyGit(error: unknown): string {
  if (error instanceof GitError) return error.code === 'ENOENT' ? 'it is not on PATH' : (error.stderr.trim().split('\n')[0] ?? 'unknown');
  return reasonOf(error);
}
