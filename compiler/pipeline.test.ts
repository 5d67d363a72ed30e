import * as fs from 'node:fs';
import * as path from 'node:path';
import { digestOfJson } from '../core/lib/digest';
import { sourceTree } from '../core/source';
import { buildRelease, compile, stages, type Compiled } from './pipeline';
import { compilerName } from './version';

const folder = path.join(__dirname, '..', 'policies');
const files = fs
  .readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => [name, fs.readFileSync(path.join(folder, name), 'utf8')] as const);
const options = { asOf: '2026-11-22', typecheck: false };
const edited = (name: string, from: string, to: string) =>
  sourceTree(files.map(([file, text]) => [file, file === name ? text.replace(from, to) : text] as const));

describe('the table of stages', () => {
  it('names each stage and its metric once', () => {
    expect(new Set(stages.map((stage) => stage.name)).size).toBe(stages.length);
    expect(new Set(stages.map((stage) => stage.metric)).size).toBe(stages.length);
    for (const stage of stages) expect(stage.metric).toBe(`meshwright_compiler_${stage.name}_seconds`);
  });
  it('runs them in order, tells of each, and stops where it is told', async () => {
    const begun: string[] = [];
    const measured: string[] = [];
    const compiled = await compile(sourceTree(files), {
      ...options,
      stopAfter: 'lower',
      onStage: (stage) => begun.push(stage),
      observe: (metric) => measured.push(metric),
    });
    expect(begun).toEqual(['source', 'typecheck', 'evaluate', 'lower']);
    expect(measured.length).toBe(4);
    expect([...compiled.irs.keys()]).toEqual(['dev', 'staging', 'prod']);
    expect(compiled.objects.size).toBe(0);
  });
});

describe('compile', () => {
  let whole: Compiled;
  beforeAll(async () => (whole = await compile(sourceTree(files), options)));

  it('gives every environment its objects, in order of name, and every rule a place', () => {
    expect(whole.diagnostics).toEqual([]);
    const names = (whole.objects.get('prod') ?? []).map((object) => `${object.kind}/${object.metadata.namespace}/${object.metadata.name}`);
    expect(names.length).toBeGreaterThan(8);
    expect(names).toEqual([...names].sort());
    expect(whole.sources['books/pageReadsReviews']).toMatchObject({ file: 'books/access.policy.ts', line: 7 });
    for (const { id } of whole.irs.get('prod')?.access ?? []) expect(whole.sources[id]).toBeDefined();
  });
  it('does not depend on the order in which files were read', async () => {
    const other = await compile(sourceTree([...files].reverse()), options);
    expect(digestOfJson([...other.objects])).toBe(digestOfJson([...whole.objects]));
  });
  it('changes no object for a comment, and one service for its timeout', async () => {
    const digests = (compiled: Compiled) =>
      new Map((compiled.objects.get('prod') ?? []).map((object) => [`${object.kind}/${object.metadata.name}`, digestOfJson(object)]));
    const commented = await compile(
      edited('books/traffic.policy.ts', 'export const reviewsRoutes', '// words\n\nexport const reviewsRoutes'),
      options,
    );
    expect(digests(commented)).toEqual(digests(whole));
    const slower = await compile(edited('books/traffic.policy.ts', "prod: '2s'", "prod: '3s'"), options);
    const before = digests(whole);
    expect([...digests(slower)].filter(([name, digest]) => before.get(name) !== digest).map(([name]) => name)).toEqual([
      'ServiceConfig/reviews.web',
    ]);
  });
  it('builds nothing of what is wrong', async () => {
    const wrong = await compile(edited('books/traffic.policy.ts', "to: 'v1',", 'to: { v1: 50, v3: 20 },'), options);
    expect([...new Set(wrong.diagnostics.map((one) => one.code))]).toEqual(['MW3020']);
    expect(wrong.objects.size).toBe(0);
    expect(
      await buildRelease({
        compiled: wrong,
        environment: 'prod',
        previous: null,
        commit: 'c',
        repository: 'r',
        asOf: '2026-11-22',
        notAfter: '2026-11-23T00:00:00.000Z',
      }),
    ).not.toHaveProperty('value');
  });
  it('says which environments there are when asked for another', async () => {
    const compiled = await compile(sourceTree(files), { ...options, environments: ['production'] });
    expect(compiled.diagnostics).toMatchObject([{ code: 'MW0002', message: expect.stringContaining('`staging`') }]);
  });
  it('a release follows the one in force', async () => {
    const common = {
      compiled: whole,
      environment: 'prod',
      commit: 'c',
      repository: 'r',
      asOf: '2026-11-22',
      notAfter: '2026-11-23T00:00:00.000Z',
    };
    const first = (await buildRelease({ ...common, previous: null })).value;
    if (!first) throw new Error('no release');
    expect(first).toMatchObject({ generation: 1, parent: null, stable: {} });
    const ir = whole.irs.get('prod') ?? null;
    const second = (await buildRelease({ ...common, previous: { release: first, ir } })).value;
    expect(second).toMatchObject({ generation: 2, parent: digestOfJson(first), stable: first.candidate, candidate: first.candidate });
    const afterAbort = (await buildRelease({ ...common, previous: { release: first, ir }, inForce: 'stable' })).value;
    expect(afterAbort?.stable).toEqual({});
  });
});

it('the name of the compiler is that of the package', () => {
  const { name, version } = JSON.parse(fs.readFileSync(path.join(__dirname, '..', 'package.json'), 'utf8'));
  expect(compilerName).toBe(`${name}@${version}`);
});
