/** Writes the generated files of deploy/chart: `node dist/scripts/chart/main.js`; with `--check` it writes nothing and exits 1 when one differs. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { chartFiles } from './chart';

const root = path.resolve(__dirname, '..', '..', '..');
const chart = path.join(root, 'deploy', 'chart');
const byHand = new Set(['templates/NOTES.txt', 'README.md', '.helmignore']);
const check = process.argv.includes('--check');
const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as { readonly version: string };
const files = chartFiles(version, fs.readFileSync(path.join(root, 'deploy', 'install', 'values.schema.json'), 'utf8'));

const there = fs.existsSync(chart)
  ? fs
      .readdirSync(chart, { recursive: true, encoding: 'utf8' })
      .filter((name) => fs.statSync(path.join(chart, name)).isFile())
      .map((name) => name.split(path.sep).join('/'))
  : [];
let stale = 0;
for (const name of new Set([...files.keys(), ...there.filter((file) => !byHand.has(file))])) {
  const file = path.join(chart, name);
  const text = files.get(name);
  const before = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : undefined;
  if (before === text) continue;
  if (check) {
    stale += 1;
    process.stderr.write(`deploy/chart/${name} is not what deploy/install says: run \`npm run fix\`\n`);
  } else if (text === undefined) {
    fs.rmSync(file);
    process.stdout.write(`removed deploy/chart/${name}\n`);
  } else {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
    process.stdout.write(`wrote deploy/chart/${name}\n`);
  }
}
if (stale > 0) process.exitCode = 1;
