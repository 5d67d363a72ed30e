/** Runs the named steps of a script and says how each went: shared by `check`, `fix` and `test`. */
import { runCommand, type CommandResult } from '../platform/process';

export interface ScriptStep {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}
export interface StepResult extends CommandResult {
  readonly name: string;
  readonly seconds: number;
}

/** The program of a package in node_modules/.bin, which npm puts on the path of its scripts. */
export const step = (name: string, line: string): ScriptStep => {
  const [command = '', ...args] = line.split(' ');
  return { name, command, args };
};

/** Two at a time, in order of start; prints a line as each ends, and the output of those that failed. */
export async function runSteps(steps: readonly ScriptStep[], options: { readonly atOnce?: number } = {}): Promise<readonly StepResult[]> {
  const results: StepResult[] = [];
  const waiting = [...steps];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const begun = performance.now();
      const ran = await runCommand(next.command, next.args, { timeoutMs: 15 * 60_000 }).catch((error: unknown) => ({
        code: 127,
        stdout: '',
        stderr: error instanceof Error ? error.message : String(error),
        timedOut: false,
      }));
      const result = { ...ran, name: next.name, seconds: (performance.now() - begun) / 1000 };
      results.push(result);
      process.stdout.write(`${result.code === 0 ? 'ok  ' : 'FAIL'} ${next.name.padEnd(28)} ${result.seconds.toFixed(1)} s\n`);
      if (result.code !== 0) process.stdout.write(`${result.stdout}${result.stderr}${result.timedOut ? 'ran out of time\n' : ''}`);
    }
  };
  await Promise.all(Array.from({ length: options.atOnce ?? 2 }, work));
  return results;
}
