/**
 * Writes the JSON Schemas that are generated from wire types: `node dist/scripts/generate-schemas.js`; with `--check` it writes nothing and
 * exits 1 when a checked-in schema differs from what the types say now.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { schemas } from './schemas';

const root = path.resolve(__dirname, '..', '..');
const check = process.argv.includes('--check');
let stale = 0;
for (const schema of schemas) {
  const text = schema.generate(root);
  const file = path.join(root, schema.file);
  const before = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  if (before === text) continue;
  if (check) {
    stale += 1;
    process.stderr.write(`${schema.file} is not what ${schema.source} says: run \`npm run fix\`\n`);
  } else {
    fs.writeFileSync(file, text);
    process.stdout.write(`wrote ${schema.file}\n`);
  }
}
if (stale > 0) process.exitCode = 1;
