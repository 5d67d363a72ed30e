/** The directions of ARCHITECTURE.md: the code keeps them, and each rule is shown to catch what it is for. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { temporaryFolder } from '../../platform/files';
import { runCommand } from '../../platform/process';

const root = path.resolve(__dirname, '..', '..');
const config = path.join(root, '.dependency-cruiser.cjs');
const depcruise = path.join(root, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs');
interface Cruise {
  readonly summary: {
    readonly totalCruised: number;
    readonly violations: readonly { readonly rule: { readonly name: string }; readonly from: string; readonly to: string }[];
  };
}
async function cruise(cwd: string, folders: readonly string[]): Promise<Cruise> {
  const { stdout, stderr } = await runCommand(process.execPath, [depcruise, '--config', config, '--output-type', 'json', ...folders], {
    cwd,
  });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}

it('the code keeps every direction', async () => {
  const { summary } = await cruise(root, [
    'core',
    'platform',
    'sdk',
    'compiler',
    'runtime-proxy',
    'webhook',
    'deploy',
    'gitops',
    'web',
    'cli',
    'scripts',
    'bench',
    'policies',
  ]);
  expect(summary.totalCruised).toBeGreaterThan(300);
  expect(summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`)).toEqual([]);
});

/** file -> text, and the rule that has to say so. */
const crimes: readonly { readonly rule: string; readonly files: Readonly<Record<string, string>> }[] = [
  { rule: 'core-imports-only-core', files: { 'core/ir/a.ts': "import '../../platform/b';", 'platform/b.ts': '' } },
  { rule: 'core-lib-is-the-bottom', files: { 'core/lib/a.ts': "import '../ir/b';", 'core/ir/b.ts': '' } },
  { rule: 'core-semantics-knows-no-bundle', files: { 'core/semantics/a.ts': "import '../bundle/b';", 'core/bundle/b.ts': '' } },
  { rule: 'core-ir-knows-no-semantics', files: { 'core/ir/a.ts': "import '../semantics/b';", 'core/semantics/b.ts': '' } },
  { rule: 'stages-meet-in-core', files: { 'compiler/lower/a.ts': "import '../analyse/b';", 'compiler/analyse/b.ts': '' } },
  { rule: 'stages-meet-in-core', files: { 'compiler/emit/envoy/a.ts': "import '../istio/b';", 'compiler/emit/istio/b.ts': '' } },
  { rule: 'stages-know-no-pipeline', files: { 'compiler/lower/a.ts': "import '../pipeline';", 'compiler/pipeline.ts': '' } },
  { rule: 'sdk-is-pure', files: { 'sdk/policy/a.ts': "import '../../core/lib/b';", 'core/lib/b.ts': 'export const b = 1;' } },
  {
    rule: 'servers-never-reach-the-compiler',
    files: { 'runtime-proxy/a.ts': "import '../compiler/pipeline';", 'compiler/pipeline.ts': '' },
  },
  { rule: 'servers-never-reach-the-compiler', files: { 'webhook/a.ts': "import '../deploy/b';", 'deploy/b.ts': '' } },
  { rule: 'io-only-at-the-edges', files: { 'compiler/lower/a.ts': "import 'node:fs';" } },
  { rule: 'io-only-at-the-edges', files: { 'core/semantics/a.ts': "import 'node:http';" } },
  { rule: 'pulumi-only-in-deploy', files: { 'gitops/a.ts': "import '@pulumi/pulumi';" } },
  { rule: 'express-only-in-http-servers', files: { 'gitops/reconcile/a.ts': "import 'express';" } },
  { rule: 'express-only-in-http-servers', files: { 'webhook/admit/a.ts': "import 'express';" } },
  { rule: 'kubernetes-client-only-in-platform', files: { 'gitops/reconcile/a.ts': "import '@kubernetes/client-node';" } },
  { rule: 'grpc-only-in-servers', files: { 'gitops/a.ts': "import '@grpc/grpc-js';" } },
  { rule: 'policies-import-the-sdk-only', files: { 'policies/books/a.policy.ts': "import '../../core/b';", 'core/b.ts': '' } },
  { rule: 'no-cycles', files: { 'core/ir/a.ts': "import './b';", 'core/ir/b.ts': "import './a';" } },
  { rule: 'product-imports-no-tests', files: { 'cli/a.ts': "import '../test/kit/b';", 'test/kit/b.ts': '' } },
  { rule: 'product-imports-no-scripts', files: { 'cli/a.ts': "import '../scripts/b';", 'scripts/b.ts': '' } },
  { rule: 'nothing-imports-the-cli', files: { 'gitops/a.ts': "import '../cli/b';", 'cli/b.ts': '' } },
  { rule: 'nothing-unresolved', files: { 'cli/a.ts': "import './not-there';" } },
];

describe('a rule catches what it is for', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await temporaryFolder('architecture');
    await fs.symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
    for (const file of ['tsconfig.base.json', 'package.json']) await fs.copyFile(path.join(root, file), path.join(folder, file));
  });
  afterEach(() => fs.rm(folder, { recursive: true, force: true }));

  it.each(crimes)('$rule: $files', async ({ rule, files }) => {
    for (const [name, text] of Object.entries(files)) {
      await fs.mkdir(path.dirname(path.join(folder, name)), { recursive: true });
      await fs.writeFile(path.join(folder, name), text);
    }
    const tops = [...new Set(Object.keys(files).map((name) => name.split('/')[0] ?? ''))];
    const { summary } = await cruise(folder, tops);
    expect(summary.violations.map((violation) => violation.rule.name)).toContain(rule);
  });
});

it('every rule has a crime that it catches', () => {
  const { forbidden }: { forbidden: readonly { name: string }[] } = jest.requireActual(config);
  const shown = new Set(crimes.map(({ rule }) => rule));
  expect(forbidden.map(({ name }) => name).filter((name) => !shown.has(name))).toEqual(['no-dev-dependency-in-the-product']);
});
