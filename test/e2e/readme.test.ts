/** README.md's snippets are the files that `init` writes, and its answers are the ones given. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { starter } from '../../cli/starter';
import { temporaryFolder } from '../../platform/files';
import { runCommand } from '../../platform/process';

jest.setTimeout(600_000);
const root = path.resolve(__dirname, '..', '..');
const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8');

it('shows the very files of a new repository', () => {
  const snippets = [...readme.matchAll(/<!-- snippet: (\S+) -->\n```ts\n([\s\S]*?)```/g)];
  expect(snippets.length).toBe(3);
  for (const [, name = '', text] of snippets) expect([name, text]).toEqual([name, starter().get(name)]);
});

it('gives the answers it shows', async () => {
  const folder = await temporaryFolder('readme');
  try {
    const meshwright = (line: string) =>
      runCommand(process.execPath, [path.join(root, 'bin', 'meshwright.js'), ...line.split(' ')], { cwd: folder, timeoutMs: 180_000 });
    expect((await meshwright('init .')).code).toBe(0);
    const shown = [...readme.matchAll(/^\$ meshwright (ask .*)\n((?:(?!\$|```).*\n)*)/gm)];
    expect(shown.length).toBe(2);
    for (const [, line = '', answer = ''] of shown) {
      const { stdout } = await meshwright(line);
      for (const expected of answer.trimEnd().split('\n'))
        expect(stdout.split('\n').map((one) => one.trimEnd())).toContain(expected.trimEnd());
    }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

it('links to files that are there', () => {
  for (const page of ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md']) {
    for (const [, target = ''] of fs.readFileSync(path.join(root, page), 'utf8').matchAll(/\]\((?!http)([^)#]+)[^)]*\)/g))
      expect([page, target, fs.existsSync(path.join(root, target))]).toEqual([page, target, true]);
  }
});
