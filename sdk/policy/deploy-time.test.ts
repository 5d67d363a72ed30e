/** The words of rules about deployment, refused while a module runs, each with what to write instead. */
import * as sdk from './index';
import { PolicyError } from './policy-error';
import { entries } from './registry';

const mesh = sdk.defineMesh({
  trustDomain: 'acme.example',
  environments: ['dev', 'prod'],
  teams: { books: { namespaces: ['bookinfo'] } },
  runs: { envoy: '1.40.0' },
});
const space = sdk.namespace('bookinfo', { team: 'books' });
const sre = sdk.group('sre');

function refusal(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return `${error.code} ${error.message} | ${error.help}`;
  }
  throw new Error('not refused');
}
const from = (prefix: string): unknown => space.deploys({ by: [sre], images: { from: [prefix], digest: 'required' } });

test.each([
  ['ghcr.io/acme', 'it does not end with `/`', 'write `ghcr.io/acme/`'],
  ['GHCR.io/acme/', 'it holds capitals, which no image has', 'write `ghcr.io/acme/`'],
  ['https://ghcr.io/acme/', 'it holds a scheme', 'write the registry alone: `ghcr.io/acme/`'],
  ['ghcr.io/acme/shop:1.0', 'it holds a tag', 'write the path up to a `/`: `ghcr.io/acme/`'],
  ['ghcr.io/acme/shop@sha256:00', 'it holds a digest', "write `digest: 'required'`, and the path up to a `/`"],
  ['ghcr.io/*/', 'it is taken exactly', 'end it with `/`: all below is meant'],
  ['acme/', 'it does not begin with a registry', 'write the registry too: `docker.io/acme/`'],
  ['index.docker.io/acme/', 'it is another name of `docker.io`', 'write `docker.io/acme/`'],
  ['ghcr.io/acme//', '`` is no part of a path', 'write `registry/path/` as `docker pull` takes it'],
  ['ghcr.io/../acme/', '`..` is no part of a path', 'write `registry/path/` as `docker pull` takes it'],
  ['-ghcr.io/', 'it does not begin with a registry', 'write the registry too: `docker.io/-ghcr.io/`'],
])('images from %s', (prefix, why, help) => {
  const words = `\`${prefix}\` is not a prefix of images: ${why}, in \`images.from.0\` of \`bookinfo.deploys\``;
  expect(refusal(() => from(prefix))).toBe(`MW2124 ${words} | ${help}`);
});
test.each(['ghcr.io/acme/', 'docker.io/', 'localhost:5000/', 'localhost/a/', 'registry.acme.example:5000/a/b__c/d-e/'])(
  'images from %s are taken',
  (prefix) => {
    const before = entries().length;
    from(prefix);
    expect(entries()[before]?.value).toMatchObject({ kind: 'deploy', images: { from: [prefix] } });
  },
);

const job = (branch: string): unknown => sdk.githubActions({ repository: 'acme/books', branch });
test.each([
  ['refs/heads/main', 'is a ref where the name of a branch is meant', 'write `main`'],
  ['refs/heads/release/2.0', 'is a ref where the name of a branch is meant', 'write `release/2.0`'],
  ['refs/tags/v1', 'is a ref where the name of a branch is meant', 'write one branch by its name: `main`'],
  ['release/*', 'is not the name of a branch', 'write one branch by its name: `main`'],
  ['a..b', 'is not the name of a branch', 'write one branch by its name: `main`'],
  ['main ', 'is not the name of a branch', 'write one branch by its name: `main`'],
  ['-f', 'is not the name of a branch', 'write one branch by its name: `main`'],
])('branch %s', (branch, why, help) => {
  expect(refusal(() => job(branch))).toBe(`MW2124 \`${branch}\` ${why}, in \`branch\` of \`githubActions\` | ${help}`);
});
test.each(['main', 'release/2.0', 'feature/UPPER_case', 'ümlaut'])('branch %s is taken', (branch) =>
  expect(() => job(branch)).not.toThrow(),
);
test.each(['books', 'acme/books/more', 'https://github.com/acme/books', 'acme/', '-acme/books', 'acme/b*'])(
  'repository %s',
  (repository) => {
    expect(refusal(() => sdk.githubActions({ repository, branch: 'main' }))).toMatch(
      /^MW2124 .* is not a repository of GitHub.* \| write owner and name with a slash between them: `acme\/books`$/,
    );
  },
);

test.each<[string, () => unknown, string]>([
  ['everybody', () => sdk.group('system:authenticated'), 'MW2120 `system:authenticated` takes in everybody'],
  ['nobody in particular', () => sdk.group('system:unauthenticated'), 'MW2120 `system:unauthenticated` takes in everybody'],
  ['an anonymous user', () => sdk.kubernetesUser('system:anonymous'), 'MW2120 `system:anonymous` takes in everybody'],
  ['a group by a pattern', () => sdk.group('sre-*'), 'MW2124 `sre-*` is not the name of a group'],
  ['a group of blanks', () => sdk.group(' '), 'MW2124 ` ` is not the name of a group'],
  ['an account without its namespace', () => sdk.kubernetesAccount('deployer'), 'MW2124 `deployer` is not a namespace and an account'],
])('%s', (_, call, words) => expect(refusal(call)).toContain(words));
test('an account that is written as a user is told how to write it', () => {
  expect(refusal(() => sdk.kubernetesUser('system:serviceaccount:ci:deployer'))).toContain("| write `kubernetesAccount('ci/deployer')`");
});

test('a deployer written twice, by whatever handle', () => {
  expect(refusal(() => space.deploys({ by: [sre, sdk.kubernetesUser('ada'), sdk.group('sre')] }))).toBe(
    'MW2126 a deployer that is written twice, in `by.2` of `bookinfo.deploys` | name each deployer once',
  );
});
test('a range that no version is in', () => {
  const version = { min: '2.0.0', below: '1.10.0', downgrade: 'deny' };
  expect(refusal(() => space.deploys({ by: [sre], version }))).toBe(
    'MW2125 no version is from `2.0.0` on and below `1.10.0`, in `version` of `bookinfo.deploys` | `min` is included and `below` is not: give a higher `below`',
  );
  expect(refusal(() => mesh.versions({ ranges: { envoy: { below: '0.0.0' } } }))).toContain(
    'no version is below `0.0.0`, in `ranges.envoy` of',
  );
});
test('a product behind itself', () => {
  const skew = [{ of: 'istiod', behind: 'istiod', minor: 1 }];
  expect(refusal(() => mesh.versions({ ranges: { istiod: { min: '1.27.0' } }, skew }))).toContain('MW2120 `istiod` behind itself');
});
test('signatures of images are registered as not in force, so that lower refuses them by name', () => {
  const before = entries().length;
  space.deploys({ by: [sre], images: { from: ['ghcr.io/acme/'], digest: 'required', signedBy: ['acme-release'] } });
  expect(entries()[before]?.value).toEqual({ kind: 'unsupported', feature: 'signatures of images (`images.signedBy`)' });
});
test('a rule is of what it was said on, in the words of the wire', () => {
  const before = entries().length;
  const edge = sdk.gateway(space, 'edge', {
    serviceAccount: 'edge',
    listeners: { web: { port: 443, hosts: { 'a.example': 'books' }, certificate: sdk.secret('bookinfo/tls') } },
  });
  edge.deploys({
    by: [sdk.kubernetesAccount('ci/deployer'), sdk.githubActions({ repository: 'acme/books', branch: 'main', environment: 'production' })],
    only: ['prod'],
    mode: 'warn',
  });
  expect(entries()[before + 1]?.value).toEqual({
    kind: 'deploy',
    on: { ref: `#${before}` },
    by: [
      { kind: 'account', namespace: 'ci', name: 'deployer' },
      { kind: 'github', repository: 'acme/books', branch: 'main', environment: 'production' },
    ],
    only: ['prod'],
    mode: 'warn',
  });
});
