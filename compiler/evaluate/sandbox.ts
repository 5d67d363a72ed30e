import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MessageChannel, Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import type { Crashed, Finished, Job } from './protocol';

export type Ran =
  | { readonly kind: 'finished'; readonly finished: Finished }
  | { readonly kind: 'crashed'; readonly reason: string }
  | { readonly kind: 'late' };
export interface Program {
  readonly code: string;
  readonly fuel: number;
  readonly memoryBytes: number;
  readonly wallMs: number;
  readonly ask?: (question: string) => string | Promise<string>;
}

/** A warm worker, kept between programs and given up after any that failed: what a bad program did to an engine ends with it. */
export interface Sandbox {
  run(program: Program): Promise<Ran>;
  close(): Promise<void>;
}

const megabyte = 1024 * 1024;
/** What policies themselves may use: deep recursion ends here on every machine alike. */
const stackBytes = 256 * 1024;
const mostFrameBytes = 2 * megabyte;
/**
 * The frame of the bundle's outermost function: esbuild hoists the top-level names of all modules into it, and the engine keeps 16 bytes of stack for each
 * local. Counted generously (32 bytes for each name of a `var` line), and on top of what policies may use, so that a large mesh recurses as deep as a small one.
 */
export function frameBytes(code: string): number {
  let names = 0;
  for (const [line] of code.matchAll(/^ {2}var [^=\n]*/gm)) names += line.split(',').length;
  return Math.min(mostFrameBytes, names * 32);
}

/** Makes a sandbox. No thread is started before `warm` or the first run. */
export function createSandbox(): Sandbox & { warm(): void } {
  let idle: Promise<Worker> | null = null;
  const take = async (): Promise<Worker> => {
    const worker = await (idle ?? start());
    idle = null;
    return worker;
  };
  const give = (worker: Worker): void => {
    worker.unref();
    if (idle) void worker.terminate();
    else idle = Promise.resolve(worker);
  };
  return {
    warm() {
      idle ??= start();
    },
    async run(program) {
      const worker = await take();
      worker.ref();
      const ran = await runIn(worker, program);
      if (ran.kind === 'finished' && ran.finished.thrown === null && ran.finished.refused.length === 0) give(worker);
      else void worker.terminate();
      return ran;
    },
    async close() {
      const worker = await idle;
      idle = null;
      await worker?.terminate();
    },
  };
}

async function start(): Promise<Worker> {
  const options = {
    // Nothing of this process: not its environment, its arguments or its loaders.
    env: {},
    argv: [],
    execArgv: [],
    resourceLimits: { stackSizeMb: 16, maxOldGenerationSizeMb: 512 },
    name: 'meshwright-sandbox',
  };
  const compiled = join(__dirname, 'worker.js');
  if (existsSync(compiled)) return quiet(new Worker(compiled, options));
  // Run from source (tests): the worker is made out of its TypeScript once for each process.
  const code = await (fromSource ??= workerFromSource());
  return quiet(
    new Worker(`(function (require) {${code}\n})(require('node:module').createRequire(require('node:worker_threads').workerData))`, {
      ...options,
      eval: true,
      workerData: __filename,
    }),
  );
}

let fromSource: Promise<string> | undefined;
async function workerFromSource(): Promise<string> {
  const built = await build({
    entryPoints: [join(__dirname, 'worker.ts')],
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
    packages: 'external',
    logLevel: 'silent',
  });
  return built.outputFiles[0]?.text ?? '';
}

/** An idle worker keeps nothing alive, and its failures are told by the run that has it. */
function quiet(worker: Worker): Worker {
  worker.on('error', () => undefined);
  worker.unref();
  return worker;
}

function runIn(worker: Worker, program: Program): Promise<Ran> {
  return new Promise((resolve) => {
    const channel = program.ask ? new MessageChannel() : null;
    const signal = new SharedArrayBuffer(4);
    const settle = (ran: Ran): void => {
      clearTimeout(timer);
      worker.off('message', onMessage);
      worker.off('error', onError);
      worker.off('exit', onExit);
      channel?.port1.close();
      resolve(ran);
    };
    const onMessage = (message: Finished | Crashed): void =>
      settle('crash' in message ? { kind: 'crashed', reason: message.crash } : { kind: 'finished', finished: message });
    const onError = (error: unknown): void =>
      settle({ kind: 'crashed', reason: error instanceof Error ? error.message : 'the worker failed' });
    const onExit = (): void => settle({ kind: 'crashed', reason: 'the worker ended' });
    const timer = setTimeout(() => {
      void worker.terminate();
      settle({ kind: 'late' });
    }, program.wallMs);
    worker.on('message', onMessage);
    worker.on('error', onError);
    worker.on('exit', onExit);
    if (channel && program.ask) {
      const { ask } = program;
      channel.port1.on('message', (question: string) => {
        void answer(ask, question).then((text) => {
          channel.port1.postMessage(text);
          const flag = new Int32Array(signal);
          Atomics.store(flag, 0, 1);
          Atomics.notify(flag, 0);
        });
      });
    }
    const job: Job = {
      code: program.code,
      fuel: program.fuel,
      memoryBytes: program.memoryBytes,
      stackBytes: stackBytes + frameBytes(program.code),
      ...(channel ? { asking: { port: channel.port2, signal } } : {}),
    };
    worker.postMessage(job, channel ? [channel.port2] : []);
  });
}

async function answer(ask: NonNullable<Program['ask']>, question: string): Promise<string> {
  try {
    return await ask(question);
  } catch (error) {
    return JSON.stringify({ error: error instanceof Error ? error.message : 'the question could not be answered' });
  }
}

/** How much memory a program may use when nothing is said. */
export const defaultMemory = 256 * megabyte;
