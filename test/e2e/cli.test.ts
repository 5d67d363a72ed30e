/** The command line as a script uses it: the built program, its exit codes, its one JSON document. */
import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { listFiles, temporaryFolder } from '../../platform/files';
import { gitEnvironment } from '../../platform/git';
import { runCommand, stopGroup } from '../../platform/process';

const root = path.resolve(__dirname, '..', '..');
const program = path.join(root, 'bin', 'meshwright.js');
const policies = path.join(root, 'policies');

jest.setTimeout(900_000);
let folder: string;
beforeAll(async () => (folder = await temporaryFolder('cli-test')));
afterAll(() => fs.rm(folder, { recursive: true, force: true }));

const environment = (more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv => ({
  ...process.env,
  XDG_CACHE_HOME: path.join(folder, 'cache'),
  NO_COLOR: '',
  FORCE_COLOR: '',
  ...more,
});
const meshwright = (args: readonly string[], options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {}) =>
  runCommand(process.execPath, [program, ...args], { cwd: options.cwd ?? folder, env: environment(options.env), timeoutMs: 300_000 });
/** Whatever this user's own configuration says. */
const git = (cwd: string, ...args: readonly string[]) => runCommand('git', args, { cwd, env: gitEnvironment(), timeoutMs: 300_000 });
const json = async (...args: readonly string[]): Promise<{ code: number | null; document: ReturnType<typeof JSON.parse> }> => {
  const { code, stdout } = await meshwright([...args, '--json']);
  return { code, document: JSON.parse(stdout) };
};

describe('check', () => {
  it('finds nothing in the example mesh, the second time from the cache', async () => {
    const first = await json('check', policies, '--as-of', '2026-11-22');
    expect(first).toMatchObject({ code: 0, document: { ok: true, environments: ['dev', 'staging', 'prod'] } });
    const second = await json('check', policies, '--as-of', '2026-11-22');
    expect(second).toMatchObject({ code: 0, document: { ok: true, cached: true } });
    expect(second.document.diagnostics).toEqual(first.document.diagnostics);
    const anew = await json('check', policies, '--as-of', '2026-11-22', '--no-cache');
    expect(anew).toMatchObject({ code: 0, document: { ok: true, cached: false } });
  });
  it('says file, line, code and what to do, exits 1, and keeps nothing of a failure', async () => {
    const broken = path.join(folder, 'broken');
    await fs.cp(policies, broken, { recursive: true });
    const file = path.join(broken, 'books', 'access.policy.ts');
    await fs.writeFile(file, (await fs.readFile(file, 'utf8')).replace('ratings.ports.web.allow', 'ratings.ports.wbe.allow'));
    for (let turn = 0; turn < 2; turn += 1) {
      const { code, document } = await json('check', broken);
      expect(code).toBe(1);
      expect(document).toMatchObject({ ok: false, cached: false });
      expect(document.diagnostics[0]).toMatchObject({
        severity: 'error',
        code: expect.stringMatching(/^MW1\d{3}$/),
        span: { file: expect.stringContaining('books/access.policy.ts'), line: 9 },
      });
    }
    const text = await meshwright(['check', broken]);
    expect(text.stdout).toMatch(/access\.policy\.ts:9:\d+ +error MW1\d{3} {2}/);
    const github = await meshwright(['check', broken, '--format', 'github']);
    expect(github.stdout).toMatch(/^::error file=.*access\.policy\.ts,line=9,col=\d+,title=MW1/m);
    const sarif = JSON.parse((await meshwright(['check', broken, '--format', 'sarif'])).stdout);
    expect(sarif.runs[0].results[0].locations[0].physicalLocation.region.startLine).toBe(9);
  });
  it('exits 2 for a wrong call, with one line', async () => {
    expect(await meshwright(['check', '--stop-after', 'lunch'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^meshwright: there is no stage `lunch`[^\n]*\n$/),
    });
    const inside = await json('check', path.join(policies, 'books'));
    expect(inside).toMatchObject({ code: 1, document: { diagnostics: [{ code: 'MW0003', help: expect.stringContaining('has one') }] } });
    expect((await meshwright(['frobnicate'])).code).toBe(2);
    expect(await meshwright(['diff', 'no-such-branch'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^meshwright: `no-such-branch` is (?:no|neither a) folder[^\n]*\n$/),
    });
    for (const wrong of [['frobnicate'], ['keys'], ['check', '--formt', 'json'], ['check', '--format', 'xml']]) {
      const { code, stdout, stderr } = await meshwright([...wrong, '--json']);
      expect([wrong, code]).toEqual([wrong, 2]);
      expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: { kind: 'usage', message: expect.stringMatching(/^[^\n]+/) } });
      expect(stderr).toMatch(/^meshwright: /);
    }
    expect(await json('check', path.join(folder, 'nowhere'))).toMatchObject({
      code: 1,
      document: { ok: false, diagnostics: [{ code: 'MW0003' }] },
    });
  });
});

describe('ask', () => {
  const ask = (...args: readonly string[]) => json('ask', policies, ...args);
  it.each([
    ['productpage', 'reviews:9080', '/reviews/7', 'allow', 'books/pageReadsReviews'],
    ['productpage', 'details.bookinfo:9080', '/details/7', 'allow', 'books/pageReadsDetails'],
    ['bookinfo/reviews', 'bookinfo/ratings.web', '/ratings/7', 'allow', 'books/reviewsReadRatings'],
    ['productpage', 'ratings:9080', '/ratings/7', 'deny', null],
    ['productpage', 'reviews:9080', '/reviews/7/secret', 'deny', null],
    ['details', 'reviews:9080', '/reviews/7', 'deny', null],
  ])('%s to %s, %s: %s', async (from, to, at, outcome, rule) => {
    const { code, document } = await ask('--from', from, '--to', to, '--path', at, '--env', 'prod');
    expect(code).toBe(0);
    expect(document.answers.prod.decision.outcome).toBe(outcome);
    expect(document.answers.prod.decision.because).toEqual(rule === null ? [] : [rule]);
    if (rule !== null) expect(document.answers.prod.places[rule]).toMatch(/access\.policy\.ts:\d+:\d+$/);
  });
  it('takes no method that is none', async () => {
    for (const method of ['', 'G T', 'GET\n'])
      expect(await meshwright(['ask', policies, '--from', 'productpage', '--to', 'reviews:9080', '--method', method])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('`--method` takes a word such as `GET`'),
      });
  });
  it('answers for the second hop alone', async () => {
    const { document } = await ask('--from', 'productpage', '--to', 'ratings:9080', '--path', '/ratings/7', '--inbound');
    expect(document.answers.prod.decision).toMatchObject({ outcome: 'deny', stage: 'inbound', status: 403 });
  });
  it('asks a gRPC port as a client of gRPC does', async () => {
    const shop = path.join(root, 'examples', 'online-boutique');
    const asked = ['--from', 'checkoutservice', '--to', 'paymentservice', '--path', '/hipstershop.PaymentService/Charge', '--env', 'prod'];
    const { document } = await json('ask', shop, ...asked);
    expect(document.answers.prod).toMatchObject({
      request: { method: 'POST', headers: { 'content-type': 'application/grpc' } },
      decision: { outcome: 'allow', because: ['payments/checkoutCharges'] },
    });
  });
  it.each(['169.254.169.254:80', '[2001:db8::7]:5432'])('knows nobody at an address outside that no policy names: %s', async (to) => {
    const { document } = await ask('--from', 'productpage', '--to', to, '--env', 'prod');
    expect(document.answers.prod).toMatchObject({ request: { to: null }, decision: { outcome: 'deny', stage: 'outbound', because: [] } });
  });
  it('takes headers of one name as one value', async () => {
    const asked = ['--from', 'productpage', '--to', 'reviews:9080', '--path', '/reviews/7', '--env', 'prod'];
    const { document } = await ask(...asked, '--header', 'X-A=1', '--header', 'x-a=2', '--header', 'cookie=a=b', '--header', 'cookie=c=d');
    expect(document.answers.prod.request.headers).toEqual({ 'x-a': '1,2', cookie: 'a=b; c=d' });
  });
  it('answers for somebody outside, by host', async () => {
    const { document } = await ask('--from', 'edge', '--host', 'shop.acme.example', '--path', '/productpage');
    expect(document.answers.prod.decision).toMatchObject({ outcome: 'allow', because: ['books/publicPage'] });
  });
  it.each([
    ['/reviews/7', "books would add:   reviews.ports.web.allow({ from: ratings, requests: ['GET /reviews/{id}'] })"],
    [
      '/else',
      "books would add, once the contract of the port has it:   reviews.ports.web.allow({ from: ratings, requests: ['GET /else'] })",
    ],
  ])('says of %s what its owner would write, in the words of the contract', async (at, line) => {
    const { stdout } = await meshwright(['ask', policies, '--from', 'ratings', '--to', 'reviews:9080', '--path', at, '--env', 'prod']);
    expect(stdout).toContain(line);
  });
  it('answers for a name that lies under a wildcard outside, and for one that does not', async () => {
    const own = path.join(folder, 'wildcard');
    await fs.cp(policies, own, { recursive: true });
    await fs.writeFile(
      path.join(own, 'books/outside.policy.ts'),
      [
        "import { external, https } from 'meshwright/policy';",
        "import { productpage } from './services.policy';",
        "export const docs = external('docs', { team: 'books', hosts: ['*.docs.example'], at: ['10.20.0.0/16'], ports: { api: https(443) } });",
        "export const named = external('named', { team: 'books', hosts: ['named.docs.example'], ports: { api: https(443) } });",
        "export const pageReadsNamed = named.ports.api.allow({ from: productpage, requests: ['GET /v1/{rest...}'] });",
        "export const pageReadsDocs = docs.ports.api.allow({ from: productpage, requests: ['GET /v1/{rest...}'], hosts: ['eu.docs.example'] });",
      ].join('\n'),
    );
    const decided = async (to: string) => {
      const { document } = await json('ask', own, '--from', 'productpage', '--to', to, '--path', '/v1/x', '--env', 'prod');
      return document.answers.prod.decision;
    };
    expect(await decided('eu.docs.example:443')).toMatchObject({ outcome: 'allow', because: ['books/pageReadsDocs'] });
    expect(await decided('us.docs.example')).toMatchObject({ outcome: 'deny', status: 403 });
    expect(await decided('NAMED.docs.example')).toMatchObject({ outcome: 'allow', because: ['books/pageReadsNamed'] });
    expect(await meshwright(['ask', own, '--from', 'productpage', '--to', 'docs.example:443'])).toMatchObject({ code: 2 });
  });
  it('names the near miss', async () => {
    expect(await meshwright(['ask', policies, '--from', 'productpag', '--to', 'reviews:9080'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('did you mean `productpage`?'),
    });
  });
});

describe('why', () => {
  it.each([
    ['books/pageReadsReviews', 'books/pageReadsReviews'],
    ['bookinfo/ratings.web/default-deny', 'books/reviewsReadRatings'],
    ['ProxyConfig/bookinfo/bookinfo-reviews', 'books/reviews'],
    ['inbound/bookinfo/ratings.web', 'books/ratings'],
    ['bookinfo/reviews.web|v1', 'books/reviewsRoutes'],
    ['AdmissionRules/meshwright/rules', 'books/booksDeploy'],
    ['AdmissionRules/meshwright/rules', 'platform/stack'],
    ['bookinfo/reviews', 'books/reviewsForward'],
    ['books/reviewsForward', 'books/reviewsForward'],
  ])('%s leads to the line of %s', async (name, rule) => {
    const { code, document } = await json('why', name, policies);
    expect(code).toBe(0);
    const reason = document.reasons.find((one: { id: string }) => one.id === rule);
    expect(reason.place).toMatchObject({ file: expect.stringContaining('policy.ts'), line: expect.any(Number) });
  });
});

describe('test', () => {
  it('runs the policy tests in every environment and reports what no test decided', async () => {
    const report = path.join(folder, 'junit.xml');
    const { code, document } = await json('test', policies, '--junit', report);
    expect(code).toBe(0);
    expect(document.tests.length).toBeGreaterThan(4);
    expect(document.coverage).toMatchObject({ percent: 100, undecided: [], kinds: { guarantee: { rules: 1, decided: 1 } } });
    expect(await fs.readFile(report, 'utf8')).toContain(`tests="${document.tests.length}" failures="0"`);
  });
  it('counts what passing tests decided, prints the lines of the rest, and is a gate', async () => {
    const less = path.join(folder, 'less');
    await fs.cp(policies, less, { recursive: true });
    await fs.rm(path.join(less, 'orders', 'needs.policy.test.ts'));
    const { code, document } = await json('test', less, '--coverage-min', '100');
    expect(code).toBe(1);
    expect(document).toMatchObject({
      ok: false,
      coverage: { undecided: [{ id: 'books/reporterReadsDetails', kind: 'access', line: 10 }] },
    });
    const text = await meshwright(['test', less, '--coverage']);
    expect(text.code).toBe(0);
    expect(text.stdout).toMatch(/access rules 4 of 5, routes \d+ of \d+, guarantees 1 of 1/);
    expect(text.stdout).toMatch(/access\.policy\.ts:10:\d+ +access +books\/reporterReadsDetails/);
    expect((await meshwright(['test', policies, '--coverage-min', '100'])).code).toBe(0);
    // What a failing test asked is not covered.
    const file = path.join(less, 'books', 'access.policy.test.ts');
    await fs.writeFile(file, (await fs.readFile(file, 'utf8')).replace('toEqual([])', 'toEqual([ratings])'));
    expect((await meshwright(['test', less])).code).toBe(1);
  });
  it('runs a part by name, and refuses what does not go together', async () => {
    const { document } = await json('test', policies, '--filter', 'JASON');
    expect(document).toMatchObject({ ok: true, tests: [{ name: 'jason sees v2' }] });
    expect(document.coverage).toBeUndefined();
    expect(await meshwright(['test', policies, '--filter', 'qqq'])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('no test has'),
    });
    for (const wrong of [
      ['--coverage-min', '101'],
      ['--coverage-min', 'x'],
      ['--coverage-min', '90', '--filter', 'a'],
      ['--watch', '--json'],
      ['--watch', '--coverage-min', '1'],
    ])
      expect(await meshwright(['test', policies, ...wrong])).toMatchObject({ code: 2 });
  });
  it('writes a report with an error when the policies do not compile', async () => {
    const broken = path.join(folder, 'unreadable');
    await fs.cp(policies, broken, { recursive: true });
    await fs.writeFile(path.join(broken, 'books', 'access.policy.ts'), 'export const = 1;\n');
    const report = path.join(folder, 'broken.xml');
    expect((await meshwright(['test', broken, '--junit', report])).code).toBe(1);
    expect(await fs.readFile(report, 'utf8')).toMatch(/errors="1"[\s\S]*<error message="MW1/);
  });
  it('fails with the line of an expectation that does not hold', async () => {
    const wrong = path.join(folder, 'wrong');
    await fs.cp(policies, wrong, { recursive: true });
    const file = path.join(wrong, 'books', 'access.policy.test.ts');
    await fs.writeFile(file, (await fs.readFile(file, 'utf8')).replace('v2: 100', 'v2: 99'));
    const { code, document } = await json('test', wrong);
    expect(code).toBe(1);
    expect(document.tests.filter((test: { ok: boolean }) => !test.ok)).toMatchObject([
      { name: 'jason sees v2', failures: [{ environment: null, span: { file: 'books/access.policy.test.ts' } }] },
    ]);
  });
});

describe('diff', () => {
  it('says who is rerouted, and nothing for a comment', async () => {
    const changed = path.join(folder, 'changed');
    await fs.cp(policies, changed, { recursive: true });
    const file = path.join(changed, 'books', 'traffic.policy.ts');
    const before = await fs.readFile(file, 'utf8');
    await fs.writeFile(file, `// a word\n${before}`);
    const { document: same } = await json('diff', policies, changed);
    expect(same.environments.prod).toMatchObject({ calls: [], proxies: { changed: [], bytes: 0 } });
    await fs.writeFile(file, before.replace("to: 'v1',", 'to: { v1: 50, v3: 50 },'));
    const { code, document } = await json('diff', policies, changed);
    expect(code).toBe(0);
    expect(document.environments.prod).toMatchObject({
      calls: [{ kind: 'rerouted', after: 'v1 50 %, v3 50 %' }],
      proxies: { changed: ['bookinfo/bookinfo-productpage'] },
    });
  });
});

describe('init', () => {
  it('writes a repository that checks, tests and builds as it stands, and writes over nothing', async () => {
    expect((await meshwright(['init', 'fresh'])).code).toBe(0);
    const cwd = path.join(folder, 'fresh');
    const checked = await meshwright(['check', '--json'], { cwd });
    expect(JSON.parse(checked.stdout)).toMatchObject({ ok: true, diagnostics: [] });
    expect((await meshwright(['test'], { cwd })).code).toBe(0);
    expect((await meshwright(['build', '--env', 'prod'], { cwd })).code).toBe(0);
    expect(await meshwright(['init', 'fresh'])).toMatchObject({ code: 2, stderr: expect.stringContaining('writes over nothing') });
    // what must not be committed is not, and a repository that is there keeps its own list
    expect((await meshwright(['keys', 'generate', '--env', 'prod'], { cwd })).code).toBe(0);
    expect(await git(cwd, 'init', '--quiet')).toMatchObject({ code: 0 });
    const seen = await git(cwd, 'status', '--short', '--untracked-files=all');
    expect(seen.stdout).toContain('?? trust.json');
    expect(seen.stdout).not.toMatch(/keys\.json|bundle/);
    await fs.mkdir(path.join(folder, 'before'));
    await fs.writeFile(path.join(folder, 'before', '.gitignore'), 'mine\n');
    expect((await meshwright(['init', 'before'])).code).toBe(0);
    expect(await fs.readFile(path.join(folder, 'before', '.gitignore'), 'utf8')).toBe('mine\n');
  });
});

describe('a commit', () => {
  it('is read where the policies lie, from wherever one stands', async () => {
    const repository = path.join(folder, 'repository');
    await fs.cp(policies, path.join(repository, 'mesh', 'policies'), { recursive: true });
    await fs.writeFile(path.join(repository, 'mesh', 'package.json'), '{"imports":{"#*":"./policies/*/public.ts"}}');
    const done = async (...args: readonly string[]): Promise<void> => expect(await git(repository, ...args)).toMatchObject({ code: 0 });
    await done('init', '--quiet');
    await done('add', '.');
    await done('commit', '--quiet', '--message', 'mesh');
    const elsewhere = path.join(folder, 'elsewhere');
    await fs.mkdir(elsewhere);
    expect(await git(elsewhere, 'init', '--quiet')).toMatchObject({ code: 0 });
    await fs.symlink(repository, path.join(folder, 'linked'));
    const digests = new Set<string>();
    for (const [index, [cwd, ...given]] of [
      ['mesh'],
      ['mesh/policies'],
      ['.', 'mesh'],
      ['.', 'mesh/policies'],
      ['mesh/policies/books', '../..'],
      // from another repository, by whatever name, and from none
      ['../elsewhere', '../repository/mesh'],
      ['../elsewhere', '../linked/mesh'],
      ['..', path.join(repository, 'mesh', 'policies')],
    ].entries()) {
      const when = ['--as-of', '2026-11-22', '--not-after', '2030-01-01T00:00:00Z'];
      const built = await meshwright(
        ['build', ...given, '--commit', 'HEAD', '--env', 'prod', ...when, '--out', path.join(folder, `commit-${index}`), '--json'],
        { cwd: path.join(repository, cwd ?? '') },
      );
      expect([cwd, given, built.code]).toEqual([cwd, given, 0]);
      digests.add(JSON.parse(built.stdout).digest);
    }
    // what is checked out is that commit, as long as nothing is changed
    const out = path.join(folder, 'checked-out');
    const unchanged = ['build', '--env', 'prod', '--as-of', '2026-11-22', '--not-after', '2030-01-01T00:00:00Z', '--out', out, '--json'];
    const cwd = path.join(repository, 'mesh');
    digests.add(JSON.parse((await meshwright(unchanged, { cwd })).stdout).digest);
    expect(digests.size).toBe(1);
    const touched = path.join(cwd, 'policies', 'books', 'traffic.policy.ts');
    const committed = await fs.readFile(touched, 'utf8');
    await fs.writeFile(touched, `${committed}// not committed\n`);
    expect(await meshwright(unchanged, { cwd })).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('no commit has these policies'),
    });
    expect(await fs.readFile(path.join(out, 'release.json'), 'utf8')).toMatch(/"commit": *"0{40}"/);
    await fs.writeFile(touched, committed);

    // a work tree of its own has its own HEAD, and the branches of all
    const tree = path.join(folder, 'tree');
    await done('worktree', 'add', '--quiet', '-b', 'other', tree);
    const file = path.join(tree, 'mesh', 'policies', 'books', 'traffic.policy.ts');
    await fs.writeFile(file, `${await fs.readFile(file, 'utf8')}// changed\n`);
    await done('-C', tree, 'commit', '--quiet', '--all', '--message', 'in the tree');
    const log = await git(tree, 'log', '-2', '--format=%H');
    const [head = '', before = ''] = log.stdout.split('\n').map((oid) => oid.slice(0, 12));
    const compared = await meshwright(['diff', 'HEAD', 'HEAD~1', 'mesh', '--json'], { cwd: tree });
    expect(JSON.parse(compared.stdout)).toMatchObject({ before: `${head}:mesh/policies`, after: `${before}:mesh/policies` });
  });
});

describe('build, keys and verify', () => {
  const build = (out: string, ...more: readonly string[]): readonly string[] => [
    'build',
    policies,
    '--env',
    'prod',
    '--as-of',
    '2026-11-22',
    '--not-after',
    '2026-11-23T00:00:00.000Z',
    '--no-cache',
    '--out',
    out,
    ...more,
  ];
  let signer: ChildProcess;
  beforeAll(async () => {
    expect((await meshwright(['keys', 'generate', '--env', 'prod'])).code).toBe(0);
    await fs.writeFile(
      path.join(folder, 'signer.json'),
      JSON.stringify({
        keyFile: path.join(folder, 'keys.json'),
        socketPath: path.join(folder, 's', 'sock'),
        stateFile: path.join(folder, 'floors.json'),
      }),
    );
    signer = spawn(process.execPath, [program, 'serve', 'signer', '--config', 'signer.json'], {
      cwd: folder,
      env: environment(),
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const ready = await new Promise<string>((resolve, reject) => {
      let said = '';
      signer.stdout?.on('data', (data) => ((said += String(data)).includes('\n') ? resolve(said.slice(0, said.indexOf('\n'))) : undefined));
      signer.once('exit', () => reject(new Error('the signer ended')));
    });
    expect(JSON.parse(ready)).toMatchObject({ ready: true });
  });
  afterAll(() => stopGroup(signer));

  it('gives the same bytes in another time zone, language, umask and folder', async () => {
    expect((await meshwright(build('one'), { env: { TZ: 'UTC', LANG: 'C', LC_ALL: 'C' } })).code).toBe(0);
    const elsewhere = await runCommand(
      '/bin/sh',
      ['-c', 'umask 077 && exec "$0" "$@"', process.execPath, program, ...build(path.join(folder, 'two'))],
      { cwd: '/', env: environment({ TZ: 'Asia/Kathmandu', LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8' }) },
    );
    expect(elsewhere.code).toBe(0);
    const [one, two] = [path.join(folder, 'one'), path.join(folder, 'two')];
    const names = await listFiles(one);
    expect(names.length).toBeGreaterThan(8);
    expect(await listFiles(two)).toEqual(names);
    for (const name of names) expect(await fs.readFile(path.join(two, name), 'utf8')).toBe(await fs.readFile(path.join(one, name), 'utf8'));
  });
  it('verifies what the signer signed, and refuses it with any one byte changed', async () => {
    expect((await meshwright(build('signed', '--signer', 's/sock'))).code).toBe(0);
    expect(await json('verify', 'signed')).toMatchObject({ code: 0, document: { ok: true, environment: 'prod' } });
    for (const name of await listFiles(path.join(folder, 'signed'))) {
      const file = path.join(folder, 'signed', name);
      const bytes = await fs.readFile(file);
      const changed = Buffer.from(bytes);
      const at = Math.floor(bytes.length / 2);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await fs.writeFile(file, changed);
      const { code, document } = await json('verify', 'signed');
      expect([name, code, document.ok]).toEqual([name, 1, false]);
      await fs.writeFile(file, bytes);
    }
    expect((await meshwright(['verify', 'signed'])).code).toBe(0);
  });
  it('goes where nothing else is: what is no bundle is refused by name, and stays', async () => {
    const cwd = path.join(folder, 'mine');
    expect((await meshwright(['init', 'mine'])).code).toBe(0);
    const before = await listFiles(cwd);
    await fs.mkdir(path.join(cwd, 'linked'));
    await fs.symlink(path.join(cwd, 'policies'), path.join(cwd, 'linked', 'services'));
    for (const [out, stranger] of [
      ['.', '.gitignore'],
      ['policies', 'mesh.policy.ts'],
      [folder, ''],
      ['linked', 'services'],
    ] as const) {
      const said = await meshwright(['build', '--env', 'prod', '--out', out], { cwd });
      expect(said).toMatchObject({ code: 2, stderr: expect.stringContaining(`\`${out}\` holds \`${stranger}`) });
    }
    expect(await listFiles(cwd)).toEqual(before);
    // a bundle may be written over, also one that was written by half
    for (let turn = 0; turn < 2; turn += 1) {
      expect((await meshwright(['build', '--env', 'prod', '--out', 'b'], { cwd })).code).toBe(0);
      await fs.rm(path.join(cwd, 'b', 'release.json'));
      await fs.writeFile(path.join(cwd, 'b', 'proxies', 'shop', 'gone.json'), '{');
    }
    expect((await meshwright(['build', '--env', 'prod', '--out', 'b'], { cwd })).code).toBe(0);
    expect(await listFiles(path.join(cwd, 'b', 'proxies'))).toEqual(['shop/shop-cart.json', 'shop/shop-web.json']);
  });
  it('what the machine refuses, and a time that is none, are one line', async () => {
    const cwd = path.join(folder, 'mine');
    const taken = await meshwright(['build', '--env', 'prod', '--out', 'package.json'], { cwd });
    expect(taken).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^meshwright: `.*package\.json`: file already exists \(EEXIST\)\n$/m),
    });
    const time = await meshwright(['build', '--env', 'prod', '--not-after', 'tomorrow'], { cwd });
    expect(time).toMatchObject({ code: 2, stderr: expect.stringMatching(/^meshwright: `--not-after` takes a UTC time .*\n$/) });
  });
  it('accepts nothing that is not signed', async () => {
    expect((await meshwright(build('unsigned'))).code).toBe(0);
    const { code, document } = await json('verify', 'unsigned');
    expect(code).toBe(1);
    expect(document.diagnostics[0].code).toBe('MW6002');
  });
});
