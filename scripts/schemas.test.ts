import * as fs from 'node:fs';
import * as path from 'node:path';
import { schemas } from './schemas';

/** One that nobody generates any more still decodes, and refuses what the types have had since. */
test('every checked-in schema is a generated one', () => {
  const root = path.join(__dirname, '..');
  const there = ['cli', 'core', 'deploy', 'gitops', 'platform', 'runtime-proxy', 'sdk', 'webhook'].flatMap((folder) =>
    fs
      .readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.schema.json'))
      .map((name) => `${folder}/${name}`),
  );
  // The chart's is made from the installation's.
  expect(there.filter((file) => file !== 'deploy/chart/values.schema.json').sort()).toEqual(
    schemas
      .map(({ file }) => file)
      .filter((file) => file.endsWith('.json'))
      .sort(),
  );
});
