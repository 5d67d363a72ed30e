/**
 * The loop's memory: an append-only journal of entries and an atomic snapshot of what they fold to. A kill at any moment loses at most the entry
 * being written. `snapshot.json` says up to which entry it is; `journal-<first seq>.log` holds those after it, one a line, each with a check sum.
 */
import { gitops } from '../../core/diagnostics/gitops';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { digestOf, shortDigest } from '../../core/lib/digest';
import { apply, emptyState, type Entry, type EntryBody, type LoopState } from './state';
import type { Storage } from './storage';

const snapshotName = 'snapshot.json';
const journalPattern = /^journal-(\d{12})\.log$/;
const journalName = (first: number): string => `journal-${String(first).padStart(12, '0')}.log`;
const format = 1;

export interface Journal {
  readonly state: LoopState;
  /** What had to be put aside when it was opened. */
  readonly diagnostics: readonly Diagnostic[];
  /** Writes an entry, then folds it in. After a failed write the journal is closed for good: what is on the disk is not known. */
  write(body: EntryBody): Promise<LoopState>;
  /** Refuses every later write: what was in flight stays in flight, for the next start to judge. */
  close(): Promise<void>;
}
export interface JournalOptions {
  readonly now: () => number;
  /** Entries between two snapshots; default 500. */
  readonly snapshotEvery?: number;
}

/** Opens the journal: reads the snapshot and what follows it, drops a torn last line, and starts a fresh file. */
export async function openJournal(storage: Storage, options: JournalOptions): Promise<Journal> {
  const diagnostics: Diagnostic[] = [];
  const aside = async (name: string, reason: string): Promise<void> => {
    diagnostics.push(gitops.journalDamaged({ file: name, reason }));
    await storage.rename(name, `damaged-${options.now()}-${name}`);
  };

  let state = emptyState;
  const snapshot = await storage.read(snapshotName);
  if (snapshot !== null) {
    const read = decodeSnapshot(snapshot);
    if (read) state = read;
    else await aside(snapshotName, 'it is not a snapshot');
  }
  const files = (await storage.list()).filter((name) => journalPattern.test(name)).sort();
  for (const [index, name] of files.entries()) {
    const lines = ((await storage.read(name)) ?? '').split('\n');
    const torn = lines.pop() ?? '';
    let problem: string | null = null;
    for (const [number, line] of lines.entries()) {
      const entry = decodeLine(line);
      if (!entry) problem = `line ${number + 1} does not match its check sum`;
      else if (entry.seq > state.seq + 1) problem = `entry ${state.seq + 1} is missing`;
      else if (entry.seq === state.seq + 1) state = apply(state, entry);
      if (problem) break;
    }
    // Only the last file can end in the middle of a line: each is followed by its successor after a whole one.
    if (!problem && torn !== '' && index < files.length - 1) problem = 'it ends in the middle of a line';
    if (problem) await aside(name, problem);
  }

  let file = journalName(state.seq + 1);
  let since = 0;
  let broken = false;
  const compact = async (): Promise<void> => {
    await storage.write(snapshotName, encodeSnapshot(state));
    file = journalName(state.seq + 1);
    since = 0;
    for (const name of await storage.list()) if (journalPattern.test(name)) await storage.remove(name);
  };
  await compact();

  let last: Promise<void> = Promise.resolve();
  const writeOne = async (body: EntryBody): Promise<LoopState> => {
    if (broken) throw new Error('internal: the journal is closed');
    const entry: Entry = { ...body, seq: state.seq + 1, at: options.now() };
    try {
      await storage.append(file, encodeLine(entry), body.kind !== 'leg');
      state = apply(state, entry);
      since += 1;
      if (since >= (options.snapshotEvery ?? 500)) await compact();
    } catch (error) {
      broken = true;
      throw error;
    }
    return state;
  };
  return {
    get state() {
      return state;
    },
    diagnostics,
    write: (body) => {
      // One after the other: an operator's entry may come while the loop writes its own.
      const done = last.then(() => writeOne(body));
      last = done.then(
        () => undefined,
        () => undefined,
      );
      return done;
    },
    close: async () => {
      broken = true;
      await last;
      await storage.close();
    },
  };
}

const sum = (text: string): string => shortDigest(digestOf(text));

function encodeLine(entry: Entry): string {
  const text = JSON.stringify(entry);
  return `${sum(text)} ${text}\n`;
}

function decodeLine(line: string): Entry | null {
  const text = line.slice(13);
  if (line[12] !== ' ' || line.slice(0, 12) !== sum(text)) return null;
  // The check sum says that these are the bytes that `encodeLine` wrote.
  return JSON.parse(text) as Entry;
}

function encodeSnapshot(state: LoopState): string {
  const text = JSON.stringify(state);
  return `${JSON.stringify({ format, sum: sum(text) })}\n${text}\n`;
}

function decodeSnapshot(text: string): LoopState | null {
  const [head, body] = text.split('\n');
  if (head === undefined || body === undefined) return null;
  return head === JSON.stringify({ format, sum: sum(body) }) ? (JSON.parse(body) as LoopState) : null;
}
