/** A type test asserts words, not only that there is an error: `@ts-expect-error` alone has hidden wrong errors. */
import { cp, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { mistakes, mistakesText } from './mistakes-list';
import { type TypeError, checkPolicies, organisation, root } from './policy-compiler';

let folder = '';
let said: ReadonlyMap<number, readonly TypeError[]>;
let elsewhere: readonly TypeError[];

beforeAll(async () => {
  folder = await realpath(await mkdtemp(path.join(tmpdir(), 'meshwright-mistakes-')));
  await cp(organisation, folder, { recursive: true });
  const file = path.join(folder, 'mistakes', 'mistakes.ts');
  await writeFile(file, mistakesText.replaceAll('// @ts-expect-error ', '// MISTAKE '));
  const { errors } = await checkPolicies([path.join(folder, '**', '*.ts')], folder);
  const byLine = new Map<number, TypeError[]>();
  for (const error of errors) if (error.file === file) byLine.set(error.line, [...(byLine.get(error.line) ?? []), error]);
  said = byLine;
  elsewhere = errors.filter((error) => error.file !== file);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('the organisation itself compiles', () => expect(elsewhere).toEqual([]));
test('there are as many mistakes as there have been', () => {
  expect(mistakes.length).toBeGreaterThanOrEqual(64);
  expect(new Set(mistakes.map((one) => one.number)).size).toBe(mistakes.length);
});
test('nothing else in the file of mistakes is an error', () => {
  const wanted = new Set(mistakes.map((one) => one.line));
  expect([...said.keys()].filter((line) => !wanted.has(line))).toEqual([]);
});
test.each(mistakes.map((one) => [one.number, one.what, one] as const))('%s %s', (_, __, mistake) => {
  const errors = said.get(mistake.line) ?? [];
  expect(errors.map((error) => error.text)).toEqual([expect.stringContaining(mistake.says)]);
});
test("this repository's own policies compile", async () => {
  expect((await checkPolicies([path.join(root, 'policies', '**', '*.ts')], root)).errors).toEqual([]);
});
