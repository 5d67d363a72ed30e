/** The compiler as a warm process of its own: the server stays responsive, and what runs out of memory there takes nobody along. */
import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { AnswerTo, CompilerRequest } from './protocol';

export interface CompilerProcess {
  ask<R extends CompilerRequest>(request: R): Promise<AnswerTo<R>>;
  close(): Promise<void>;
}
export interface CompilerProcessOptions {
  /** Longest time for one answer; then the process is killed and the next request starts a fresh one. */
  readonly timeoutMs: number;
  /** Old-space limit of the process. */
  readonly memoryMb: number;
  /** The program; default the one beside this file. */
  readonly program?: string;
}
export class CompilerDied extends Error {}

/** Starts the process at once and again whenever it ended. Requests are answered one after the other. */
export function startCompiler(options: CompilerProcessOptions): CompilerProcess {
  const program = options.program ?? join(__dirname, 'child.js');
  let child: ChildProcess | null = null;
  let closed = false;
  let queue: Promise<unknown> = Promise.resolve();

  const running = (): ChildProcess => {
    if (child && child.exitCode === null && child.signalCode === null && child.connected) return child;
    child = fork(program, [], {
      serialization: 'advanced',
      execArgv: [`--max-old-space-size=${options.memoryMb}`],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    // An IPC channel would keep the loop's own process alive.
    child.unref();
    child.channel?.unref();
    return child;
  };
  const exchange = (request: CompilerRequest): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (closed) return reject(new CompilerDied('it is closed'));
      const process = running();
      process.channel?.ref();
      const done = (settle: () => void): void => {
        clearTimeout(timer);
        process.off('message', onMessage);
        process.off('exit', onExit);
        process.off('error', onError);
        process.channel?.unref();
        settle();
      };
      const onMessage = (message: unknown): void => done(() => resolve(message));
      const onExit = (code: number | null, signal: string | null): void =>
        done(() => reject(new CompilerDied(signal ? `signal ${signal}` : `exit code ${code}`)));
      const onError = (error: Error): void => done(() => reject(new CompilerDied(error.message)));
      const timer = setTimeout(() => {
        done(() => reject(new CompilerDied(`no answer within ${options.timeoutMs} ms`)));
        // It may take a moment to go; the next request must not be given to it.
        if (child === process) child = null;
        process.kill('SIGKILL');
      }, options.timeoutMs);
      process.once('message', onMessage);
      process.once('exit', onExit);
      process.once('error', onError);
      process.send(request);
    });

  const ask = <R extends CompilerRequest>(request: R): Promise<AnswerTo<R>> => {
    const answer = queue.then(() => exchange(request));
    queue = answer.catch(() => undefined);
    return answer.then((message) => {
      if (typeof message === 'object' && message !== null && 'error' in message) throw new CompilerDied(String(message.error));
      // Our own child, of the same version, answers each request in kind.
      return (message as { readonly value: AnswerTo<R> }).value;
    });
  };
  void ask({ kind: 'warm' }).catch(() => undefined);
  return {
    ask,
    close: async () => {
      closed = true;
      const last = child;
      if (!last || last.exitCode !== null || last.signalCode !== null) return;
      await new Promise<void>((resolve) => {
        last.once('exit', () => resolve());
        last.kill('SIGKILL');
      });
    },
  };
}
