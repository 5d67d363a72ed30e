/** Each example raises its own diagnostic and nothing else, says what it is recorded to say, and its repair raises nothing. `UPDATE_GOLDEN=1` records. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { formatText } from '../../cli/findings';
import { styleOf } from '../../cli/output';
import { compile } from '../../compiler/pipeline';
import { catalogue } from '../../core/diagnostics/catalogue';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { sourceTree } from '../../core/source';
import { parseExample, withSays } from '../../scripts/docs/examples';

const folder = path.join(__dirname, 'diagnostics');
const base = new Map(
  fs
    .readdirSync(path.join(folder, 'base'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => [name, fs.readFileSync(path.join(folder, 'base', name), 'utf8')] as const),
);
const update = process.env['UPDATE_GOLDEN'] === '1';
if (update && process.env['CI']) throw new Error('golden files are not rewritten in CI');

async function said(over: ReadonlyMap<string, string | null>, typecheck: boolean): Promise<readonly Diagnostic[]> {
  const files = new Map(base);
  for (const [name, text] of over) {
    if (text === null) files.delete(name);
    else files.set(name, text);
  }
  return (await compile(sourceTree(files), { asOf: '2026-11-22', typecheck })).diagnostics;
}
const text = (diagnostics: readonly Diagnostic[]): string => formatText(diagnostics, { show: (file) => `policies/${file}`, style: styleOf(false) });

it('the base mesh is without findings', async () => expect(text(await said(new Map(), true))).toBe(''));

const names = fs.readdirSync(folder).filter((name) => name.endsWith('.txt'));
it.each(names.map((name) => name.replace('.txt', '')))('%s', async (code) => {
  const file = path.join(folder, `${code}.txt`);
  const example = parseExample(code, fs.readFileSync(file, 'utf8'));
  expect(catalogue.map((entry) => entry.code)).toContain(code);
  if (example.bad.size === 0) return expect(example.prose).not.toBe('');
  const bad = await said(example.bad, example.types);
  expect([...new Set(bad.map((one) => one.code))]).toEqual([code]);
  if (update) fs.writeFileSync(file, withSays(fs.readFileSync(file, 'utf8'), text(bad)));
  else expect(text(bad)).toBe(example.says);
  expect(text(await said(example.good, true))).toBe('');
});
