/** Generates docs/reference, docs/diagnostics, and the pages of examples/; `--check` writes nothing and fails when they are not what would be written. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { starter } from '../../cli/starter';
import { verbs } from '../../cli/verbs';
import { stages } from '../../compiler/pipeline';
import { catalogue } from '../../core/diagnostics/catalogue';
import { listFiles, readTextIfThere, writeFileAtomic } from '../../platform/files';
import { cliReference } from './cli';
import { customResources, schemasOf } from '../crds/definitions';
import { configurationReference } from './configuration';
import { customResourceReference } from './custom-resources';
import { diagnosticPage, diagnosticsReference } from './diagnostics';
import { examplePages } from './example-meshes';
import { readExamples } from './examples';
import { languageReference } from './language';
import { metricsIn, metricsReference } from './metrics';
import { testingReference } from './testing';

const root = path.resolve(__dirname, '..', '..', '..');
const read = (file: string): Promise<string> => fs.readFile(path.join(root, file), 'utf8');
const servers = [
  { name: 'control-plane', verb: 'serve control-plane' },
  { name: 'ca', verb: 'serve ca' },
  { name: 'gitops', verb: 'serve gitops' },
  { name: 'webhook', verb: 'serve webhook' },
  { name: 'signer', verb: 'serve signer' },
  { name: 'agent', verb: 'agent' },
  { name: 'up', verb: 'up' },
];

async function documents(): Promise<ReadonlyMap<string, string>> {
  const sources = await Promise.all(
    ['platform', 'compiler', 'runtime-proxy', 'webhook', 'gitops', 'deploy'].map(async (folder) =>
      (await listFiles(path.join(root, folder))).map((file) => `${folder}/${file}`),
    ),
  );
  const code = sources.flat().filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
  const metrics = (await Promise.all(code.map(async (file) => metricsIn(file, await read(file))))).flat();
  const examples = readExamples(path.join(root, 'test/golden/diagnostics'));
  const schemas = await Promise.all(
    servers.map(async (server) => ({
      ...server,
      schema: JSON.parse((await readTextIfThere(path.join(root, `cli/schemas/${server.name}.schema.json`))) ?? '{}'),
    })),
  );
  const policyFiles = (await listFiles(path.join(root, 'sdk/types/policy'))).filter((name) => name !== 'index.d.ts');
  return new Map([
    ['docs/reference/cli.md', cliReference(verbs)],
    ['docs/reference/diagnostics.md', diagnosticsReference(catalogue)],
    ['docs/reference/metrics.md', metricsReference(metrics, stages)],
    ['docs/reference/configuration.md', configurationReference(schemas)],
    ['docs/reference/custom-resources.md', customResourceReference(customResources, schemasOf(root))],
    [
      'docs/reference/language.md',
      languageReference([
        {
          name: 'meshwright/policy',
          intro: 'What a `*.policy.ts` imports.',
          text: (await Promise.all(policyFiles.map((name) => read(`sdk/types/policy/${name}`)))).join('\n'),
        },
        { name: 'meshwright/testing', intro: 'What a `*.policy.test.ts` imports.', text: await read('sdk/types/testing.d.ts') },
      ]),
    ],
    ['docs/reference/testing.md', await testing()],
    ...(await examplePages(root)),
    ...catalogue.map((entry) => [`docs/diagnostics/${entry.code}.md`, diagnosticPage(entry, examples.get(entry.code))] as const),
  ]);
}

async function testing(): Promise<string> {
  const verb = verbs.find((one) => one.name === 'test');
  if (!verb) throw new Error('internal: there is no verb `test`');
  return testingReference(await read('sdk/types/testing.d.ts'), verb, starter().get('policies/shop/access.policy.test.ts') ?? '');
}

/** In these folders, and written by hand. */
const byHand: ReadonlySet<string> = new Set(['docs/reference/features.md']);

async function main(check: boolean): Promise<number> {
  const wanted = await documents();
  const stale: string[] = [];
  for (const folder of ['docs/reference', 'docs/diagnostics', 'docs/examples']) {
    for (const name of await listFiles(path.join(root, folder))) {
      if (wanted.has(`${folder}/${name}`) || byHand.has(`${folder}/${name}`)) continue;
      stale.push(`${folder}/${name} (nothing makes it)`);
      if (!check) await fs.rm(path.join(root, folder, name));
    }
  }
  for (const [name, text] of wanted) {
    const file = path.join(root, name);
    if ((await readTextIfThere(file)) === text) continue;
    stale.push(name);
    if (check) continue;
    await fs.mkdir(path.dirname(file), { recursive: true });
    await writeFileAtomic(file, text);
  }
  if (stale.length > 0)
    process.stderr.write(
      `${check ? 'not as `npm run fix` makes them' : 'written'}:\n${stale
        .slice(0, 10)
        .map((name) => `  ${name}\n`)
        .join('')}${stale.length > 10 ? `  and ${stale.length - 10} more\n` : ''}`,
    );
  return check && stale.length > 0 ? 1 : 0;
}

main(process.argv.includes('--check')).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    process.stderr.write(`docs: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 2;
  },
);
