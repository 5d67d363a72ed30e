/** Runs the tests again after each change of the policies, until SIGINT or SIGTERM. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { reasonOf } from '../../core/lib/reason';
import { UsageError, type CommandContext, type ExitCode } from '../command';
import { policyFolder, sourcesOf, type Sources } from '../policies';
import type { Values } from '../values';
import { noMeshLine, nothingToRun, printTests, totalLine } from './print';
import type { Session, TestRun } from './session';

/** An editor writes a file in several steps, and a checkout many files: they are one change. */
const debounceMs = 40;
/** Of a file system without events, or one that lost some. */
const pollMs = 2_000;

/** @param report told of each run: writes the reports that were asked for. @returns 0 when it was ended by a signal, whatever the tests said: who watches has read it. */
export async function watchTests(
  context: CommandContext,
  values: Values,
  session: Session,
  report: (run: TestRun, sources: Sources) => Promise<void>,
): Promise<ExitCode> {
  const folder = await policyFolder(context, values.text('dir'));
  if (folder === null) throw new UsageError(`there is no folder \`${values.text('dir') ?? '.'}\` to watch`);
  const { out } = context;
  const changes = changesBelow(folder);
  const stop = (): void => changes.stop();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, stop);
  // Nobody reads any more (`| head`): there is nothing to wait for.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', stop);
  try {
    let last: string | null = null;
    for (let first = true; await changes.next(); first = false) {
      const sources = await sourcesOf(context, values.text('dir'));
      const digest = sources.tree?.digest ?? JSON.stringify(sources.diagnostics);
      if (digest === last) continue;
      last = digest;
      const run = await session.run(sources);
      if (changes.stopped()) break;
      printRun(context, values, run, sources, first);
      await report(run, sources);
      out.line(out.style.dim(`waiting for a change in ${sources.label} (Ctrl-C ends)`));
    }
    return 0;
  } finally {
    stop();
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, stop);
  }
}

function printRun({ out }: CommandContext, values: Values, run: TestRun, sources: Sources, first: boolean): void {
  if (!first) out.line();
  // What passed before and was not run again is in the total alone.
  printTests(out, run, sources.show, new Set(run.files));
  if (run.mesh === 'none') out.line(out.style.red(noMeshLine(run)));
  else {
    const nothing = nothingToRun(run, values.text('filter'));
    if (nothing !== null) out.line(nothing);
    if (run.mesh === 'last good') out.line(out.style.red('the policies do not compile: below, the tests against them as they last did'));
    out.line(totalLine(run, null));
  }
}

interface Changes {
  /** Waits for a change that has settled; at once for the first time. False when stopped. */
  next(): Promise<boolean>;
  stop(): void;
  stopped(): boolean;
}

function changesBelow(folder: string): Changes {
  let changed = true;
  let ended = false;
  let wake: (() => void) | null = null;
  let settling: NodeJS.Timeout | null = null;
  const told = (): void => {
    changed = true;
    if (settling) clearTimeout(settling);
    settling = setTimeout(() => {
      settling = null;
      wake?.();
    }, debounceMs);
  };
  const watchers: fs.FSWatcher[] = [];
  const watch = (where: string, recursive: boolean, concerns: (name: string) => boolean): void => {
    try {
      const watcher = fs.watch(where, { recursive }, (_event, name) => {
        if (name === null || concerns(name)) told();
      });
      watcher.on('error', () => undefined); // the timer sees to it
      watchers.push(watcher);
    } catch (error) {
      process.stderr.write(`meshwright: no events of ${where} (${reasonOf(error)}): looking every ${pollMs / 1000} s\n`);
    }
  };
  watch(folder, true, () => true);
  // `#name` is said in the package.json beside the folder.
  watch(path.dirname(folder), false, (name) => name === 'package.json');
  const timer = setInterval(told, pollMs);
  return {
    async next() {
      while (!ended && (!changed || settling !== null)) await new Promise<void>((resolve) => (wake = resolve));
      wake = null;
      changed = false;
      return !ended;
    },
    stop() {
      if (ended) return;
      ended = true;
      clearInterval(timer);
      if (settling) clearTimeout(settling);
      for (const watcher of watchers) watcher.close();
      wake?.();
    },
    stopped: () => ended,
  };
}
