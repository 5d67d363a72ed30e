/**
 * Every repository below examples/, as somebody uses it: it checks without a finding, its tests pass and decide every rule, it builds, Envoy takes it,
 * its page shows its own modules, and what the page asks is answered so. `UPDATE_GOLDEN=1` writes the answers into the pages.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { exampleMeshes } from '../../scripts/docs/example-meshes';
import { compile } from '../../compiler/pipeline';
import { readDirectory } from '../../compiler/source';
import { listFiles, temporaryFolder } from '../../platform/files';
import { runCommand } from '../../platform/process';
import { obtainEnvoy } from '../../platform/tools/envoy';
import { validateProxies } from '../../runtime-proxy/validate';

jest.setTimeout(900_000);
const root = path.resolve(__dirname, '..', '..');
const program = path.join(root, 'bin', 'meshwright.js');

let folder: string;
beforeAll(async () => (folder = await temporaryFolder('examples')));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const folders = fs
  .readdirSync(path.join(root, 'examples'), { recursive: true, encoding: 'utf8' })
  .flatMap((file) => /^(.*)\/policies\/mesh\.policy\.ts$/.exec(file)?.[1] ?? [])
  .sort();
it('there are some', () => expect(folders).toContain('bookinfo/start'));

describe.each(folders)('%s', (example) => {
  const cwd = path.join(root, 'examples', example);
  const meshwright = (line: string) =>
    runCommand(process.execPath, [program, ...line.split(' ')], {
      cwd,
      env: { ...process.env, XDG_CACHE_HOME: path.join(folder, 'cache'), NO_COLOR: '1' },
      timeoutMs: 240_000,
    });

  it('checks, passes its tests with every rule decided, and builds', async () => {
    expect(await meshwright('check')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^nothing found/) });
    expect(await meshwright('test --coverage-min 100')).toMatchObject({ code: 0, stdout: expect.stringContaining('0 failed') });
    const bundle = path.join(folder, example.replace('/', '-'));
    expect(await meshwright(`build --env prod --out ${bundle}`)).toMatchObject({ code: 0 });
    expect(await listFiles(bundle)).toContainEqual(expect.stringMatching(/^proxies\/.*\.json$/));
  });

  it('is taken by Envoy, each proxy in each environment', async () => {
    const { value: tree } = await readDirectory(cwd);
    if (!tree) throw new Error('the policies cannot be read');
    const { objects } = await compile(tree, { asOf: '2026-11-22', typecheck: false });
    const envoyPath = await obtainEnvoy();
    expect(objects.size).toBeGreaterThan(0);
    for (const set of objects.values()) {
      const { value, diagnostics } = await validateProxies({ objects: set, envoyPath, timeoutMs: 240_000 });
      expect(diagnostics).toEqual([]);
      expect(value?.proxies.length).toBe(set.filter((object) => object.kind === 'ProxyConfig').length);
    }
  });

  it('differs from where it begins by what its page shows', async () => {
    const start = path.join(root, 'examples', path.dirname(example), 'start');
    const mesh = (await exampleMeshes(root)).find((one) => one.folder === example);
    if (cwd === start || !fs.existsSync(start)) {
      expect(mesh?.modules.length).toBeGreaterThan(0);
      return;
    }
    const read = (file: string): string | null => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : null);
    const other = (await listFiles(path.join(cwd, 'policies'))).filter(
      (file) => read(path.join(cwd, 'policies', file)) !== read(path.join(start, 'policies', file)),
    );
    expect([...(mesh?.modules ?? [])].sort()).toEqual(other.map((file) => `policies/${file}`).sort());
  });

  it('answers what its page asks as the page says', async () => {
    const page = path.join(cwd, 'README.md');
    const text = fs.readFileSync(page, 'utf8');
    const block = /```console\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
    const asked = [...block.matchAll(/^\$ meshwright (.*)$/gm)].map((match) => match[1] ?? '');
    expect(asked.length).toBeGreaterThan(0);
    const said: string[] = [];
    for (const line of asked) {
      const { stdout } = await meshwright(line);
      said.push(`$ meshwright ${line}\n${stdout.replace(/[ \t]+$/gm, '').trimEnd()}\n`);
    }
    const answered = said.join('');
    if (process.env['UPDATE_GOLDEN'] === '1' && process.env['CI'] !== 'true')
      fs.writeFileSync(
        page,
        text.replace(block, () => answered),
      );
    else expect(block).toBe(answered);
  });
});
