import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openJournal, type Journal } from './journal';
import type { EntryBody } from './state';
import { openStorage } from './storage';

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'meshwright-journal-'));
});
afterEach(async () => {
  for (const journal of opened.splice(0)) await journal.close();
  await rm(dir, { recursive: true, force: true });
});

const opened: Journal[] = [];
const open = async (snapshotEvery = 500): Promise<Journal> => {
  const journal = await openJournal(await openStorage(dir), { now: () => 7, snapshotEvery });
  opened.push(journal);
  return journal;
};
const entries: readonly EntryBody[] = [
  { kind: 'head', commit: 'a' },
  { kind: 'begin', attempt: 1, commit: 'a', trigger: 'push' },
  { kind: 'leg', attempt: 1, leg: 'fetch', ms: 3 },
  { kind: 'intent', attempt: 1, generation: 4, release: `sha256:${'0'.repeat(64)}` as never },
  { kind: 'end', attempt: 1, outcome: 'live', diagnostics: [] },
  { kind: 'head', commit: 'b' },
];

test.each([1, 2, 3, 500])('what was written is there after the next start, with a snapshot every %i entries', async (every) => {
  const first = await open(every);
  for (const entry of entries) await first.write(entry);
  await first.close();
  const second = await open(every);
  expect(second.state).toEqual(first.state);
  expect(second.state).toMatchObject({
    seq: 6,
    head: 'b',
    settled: 'a',
    live: { generation: 4, commit: 'a' },
    nextAttempt: 2,
    inFlight: null,
  });
  expect(second.diagnostics).toEqual([]);
});

test('a last line that was cut anywhere is dropped, and nothing before it', async () => {
  const first = await open();
  for (const entry of entries) await first.write(entry);
  const [name = ''] = (await readdir(dir)).filter((file) => file.startsWith('journal'));
  const whole = await readFile(join(dir, name), 'utf8');
  const lastLine = whole.trimEnd().lastIndexOf('\n') + 1;
  const snapshot = await readFile(join(dir, 'snapshot.json'), 'utf8');
  for (let length = lastLine; length < whole.length; length += 7) {
    for (const file of await readdir(dir)) await rm(join(dir, file));
    await writeFile(join(dir, 'snapshot.json'), snapshot);
    await writeFile(join(dir, name), whole.slice(0, length));
    const next = await open();
    expect(next.state).toMatchObject({ seq: 5, head: 'a' });
    expect(next.diagnostics).toEqual([]);
    await next.close();
  }
});

test('a changed byte ends the reading there, and the file is put aside', async () => {
  const first = await open();
  for (const entry of entries) await first.write(entry);
  const [name = ''] = (await readdir(dir)).filter((file) => file.startsWith('journal'));
  const lines = (await readFile(join(dir, name), 'utf8')).split('\n');
  lines[2] = (lines[2] ?? '').replace('"ms":3', '"ms":4');
  await writeFile(join(dir, name), lines.join('\n'));
  const next = await open();
  expect(next.state.seq).toBe(2);
  expect(next.diagnostics.map((one) => one.code)).toEqual(['MW7130']);
  expect((await readdir(dir)).some((file) => file.startsWith('damaged-'))).toBe(true);
});

test('two writes at once get numbers of their own; none is possible after close', async () => {
  const journal = await open();
  await Promise.all(entries.map((entry) => journal.write(entry)));
  expect(journal.state.seq).toBe(6);
  await journal.close();
  await expect(journal.write({ kind: 'head', commit: 'c' })).rejects.toThrow('closed');
  expect((await open()).state.head).toBe('b');
});
