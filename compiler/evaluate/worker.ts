/**
 * Runs in a worker thread: one program in one fresh QuickJS runtime inside WebAssembly. Nothing of the program runs in this thread's own engine;
 * what goes in and comes out is text. The host ends the thread when it does not answer.
 */
import { parentPort, receiveMessageOnPort } from 'node:worker_threads';
import { newQuickJSWASMModule, type QuickJSContext, type QuickJSHandle, type QuickJSWASMModule } from 'quickjs-emscripten';
import { enough, type Finished, type Job, type Thrown } from './protocol';

let engine: Promise<QuickJSWASMModule> | undefined;
const megabyte = 1024 * 1024;

async function run(job: Job): Promise<Finished> {
  const quickjs = await (engine ??= newQuickJSWASMModule());
  const runtime = quickjs.newRuntime();
  runtime.setMemoryLimit(job.memoryBytes);
  runtime.setMaxStackSize(job.stackBytes);
  let ticks = 0;
  let charged = 0;
  let emitted: string | null = null;
  let ended = false;
  const refused: { kind: string; name: string }[] = [];
  runtime.setInterruptHandler(() => {
    ticks += 1;
    return ended || ticks + charged > job.fuel;
  });
  const context = runtime.newContext();
  let describer: QuickJSHandle | undefined;
  const fuel = (): number => ticks + charged;

  const door = context.newObject();
  const open = (name: string, body: (...args: QuickJSHandle[]) => QuickJSHandle | undefined): void => {
    const made = context.newFunction(name, body);
    context.setProp(door, name, made);
    made.dispose();
  };
  open('emit', (text) => {
    // One result: a module that could call this again would only end its own evaluation.
    emitted = emitted === null && text ? context.getString(text) : emitted;
    return undefined;
  });
  open('charge', (units) => {
    charged += units ? Math.max(0, Math.ceil(context.getNumber(units))) || 0 : 0;
    if (fuel() > job.fuel) ended = true;
    return ended ? context.true : context.false;
  });
  open('refuse', (kind, name) => {
    if (refused.length < 20 && kind && name) refused.push({ kind: context.getString(kind), name: context.getString(name).slice(0, 200) });
    return undefined;
  });
  open('describer', (describe) => {
    describer = describe?.dup();
    return undefined;
  });
  open('ask', (question) => {
    const answer = job.asking && question ? ask(job.asking, context.getString(question)) : '{"error":"there is nobody to ask"}';
    if (answer === enough) ended = true;
    return context.newString(answer === enough ? '{"error":"no more is answered"}' : answer);
  });
  context.setProp(context.global, '__meshwrightDoors', door);
  door.dispose();

  const result = context.evalCode(job.code, 'bundle.js', { type: 'global' });
  let thrown: Thrown | null = null;
  if (result.error) {
    runtime.setMemoryLimit(job.memoryBytes + 16 * megabyte);
    thrown = describe(context, describer, result.error);
  }
  const finished: Finished = {
    json: emitted,
    thrown,
    refused,
    fuel: fuel(),
    ticks,
    charged,
    heapBytes: quickjs.getWasmMemory().buffer.byteLength,
    pending: runtime.hasPendingJob(),
  };
  // A failed run leaves the engine in whatever state it is in: the host drops the whole thread then, and frees nothing.
  if (thrown === null && refused.length === 0) {
    result.dispose();
    describer?.dispose();
    context.dispose();
    runtime.dispose();
  }
  return finished;
}

/** What was thrown, told by the sandbox itself: this thread never touches the value. */
function describe(context: QuickJSContext, describer: QuickJSHandle | undefined, error: QuickJSHandle): Thrown {
  if (!describer) return { is: 'error', name: 'InternalError', message: 'the program did not start', stack: '' };
  const told = context.callFunction(describer, context.undefined, error);
  if (told.error) return { is: 'something that cannot be looked at' };
  return JSON.parse(context.getString(told.value)) as Thrown; // made by describe() of realm/host.ts
}

/** Waits for the host's answer without returning to the event loop: the program's call is synchronous. */
function ask(asking: NonNullable<Job['asking']>, question: string): string {
  const flag = new Int32Array(asking.signal);
  Atomics.store(flag, 0, 0);
  asking.port.postMessage(question);
  Atomics.wait(flag, 0, 0);
  const answer: unknown = receiveMessageOnPort(asking.port)?.message;
  return typeof answer === 'string' ? answer : '{"error":"the host did not answer"}';
}

parentPort?.on('message', (job: Job) => {
  run(job).then(
    (finished) => parentPort?.postMessage(finished),
    (error: unknown) =>
      parentPort?.postMessage({ crash: error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 300) : 'it failed' }),
  );
});
// The engine is made ready before the first program comes.
engine = newQuickJSWASMModule();
