/** End users from sources to objects: what policies say, what is refused, and what `ask` and the diff make of it. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Json, JsonObject } from '../core/lib/json';
import type { PortKey, WorkloadKey } from '../core/mesh/ids';
import { decide } from '../core/semantics/decide';
import { sourceTree } from '../core/source';
import { formatDiff, isEmptyDiff, semanticDiff } from './diff';
import { compile, type Compiled } from './pipeline';

const folder = path.join(__dirname, '..', 'policies');
const files = fs
  .readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  .map((name) => [name, fs.readFileSync(path.join(folder, name), 'utf8')] as const);
// RFC 8037 appendix A.2
const key = { kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', kid: 'a', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };
const jwks = (...keys: readonly Json[]): string => JSON.stringify({ keys });
const url = 'https://accounts.acme.example';
const allowed = "from: productpage, requests: ['GET /details/{id}']";
const admins = "acme.user(claim('role').is('admin'))";

/** The repository's own policies, with an issuer, and details for its users alone. `keys` null: no such file. */
function withUsers(user: string, keys: string | null, more = '', from = "jwks.file('platform/acme.jwks.json')"): Promise<Compiled> {
  const issuer = `import { issuer, jwks } from 'meshwright/policy';
export const acme = issuer('acme', { url: '${url}', audiences: ['shop'], keys: ${from} });
${more}`;
  const changed: { readonly [file: string]: (text: string) => string } = {
    'platform/services.policy.ts': (text) => `${text}\n${issuer}`,
    'platform/public.ts': (text) => text.replace('{ edge }', '{ acme, edge }'),
    'books/access.policy.ts': (text) =>
      `import { claim } from 'meshwright/policy';\nimport { acme } from '#platform';\n${text.replace(
        `details.ports.web.allow({ ${allowed} })`,
        `details.ports.web.allow({ ${allowed}, user: ${user} })`,
      )}`,
  };
  const tree = files.map(([file, text]) => [file, changed[file]?.(text) ?? text] as const);
  return compile(sourceTree([...tree, ...(keys === null ? [] : [['platform/acme.jwks.json', keys] as const])]), {
    asOf: '2026-11-22',
    typecheck: true,
  });
}
const ask = (compiled: Compiled, claims?: JsonObject | 'invalid') => {
  const ir = compiled.irs.get('prod');
  if (!ir) throw new Error(compiled.diagnostics.map((one) => `${one.code} ${one.message}`).join('\n'));
  return decide(ir, {
    from: { kind: 'workload', workload: 'bookinfo/productpage' as WorkloadKey },
    to: 'bookinfo/details.web' as PortKey,
    method: 'GET',
    path: '/details/7',
    headers: {},
    ...(claims === undefined ? {} : { claims }),
  });
};

test('keys that are fetched are an address, whatever is there today; another address is a difference', async () => {
  const at = (where: string): Promise<Compiled> => withUsers(admins, null, '', `jwks.fetch('${where}')`);
  const [first, again, other] = await Promise.all([at(`${url}/keys`), at(`${url}/keys`), at(`${url}/other`)]);
  expect(first.diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  expect(first.irs.get('prod')?.issuers.map(({ keys }) => keys)).toEqual([{ kind: 'fetched', url: `${url}/keys` }]);
  expect(ask(first, { iss: url, role: 'admin' })).toMatchObject({ outcome: 'allow' });
  const irs = [first, again, other].map((one) => one.irs.get('prod'));
  const [a, b, c] = irs;
  if (!a || !b || !c) throw new Error('no IR');
  expect(isEmptyDiff(semanticDiff(a, b))).toBe(true);
  expect(formatDiff(semanticDiff(a, c), 'text')).toContain(`what ${url}/other has`);
});
test.each(['https://10.0.0.1/keys', 'https://accounts.acme.example:99999/keys'])('keys are not fetched from %s', async (where) => {
  const { diagnostics } = await withUsers(admins, null, '', `jwks.fetch('${where}')`);
  expect(diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code)).toEqual(['MW3123']);
});

test('a policy with users is asked as users', async () => {
  const compiled = await withUsers(admins, jwks(key));
  expect(compiled.diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  expect(ask(compiled)).toMatchObject({ outcome: 'deny', status: 403 });
  expect(ask(compiled, { iss: url, role: 'reader' })).toMatchObject({ outcome: 'deny', status: 403 });
  expect(ask(compiled, { iss: url, role: 'admin' })).toMatchObject({ outcome: 'allow', because: ['books/pageReadsDetails'] });
  expect(ask(compiled, { iss: 'https://evil.example', role: 'admin' })).toMatchObject({ stage: 'authentication', status: 401 });
  expect(ask(compiled, 'invalid')).toMatchObject({ stage: 'authentication', status: 401 });
  expect(JSON.stringify(compiled.objects.get('prod'))).toContain(key.x);
});

test('a change of claims is a difference', async () => {
  const [before, after] = await Promise.all([
    withUsers(admins, jwks(key)),
    withUsers("acme.user(claim('groups').includes('editors'))", jwks(key)),
  ]);
  const [was, is] = [before.irs.get('prod'), after.irs.get('prod')];
  if (!was || !is) throw new Error('no IR');
  const changes = semanticDiff(was, is).calls.map(({ kind, example }) => [kind, example.claims]);
  expect(changes).toContainEqual(['lost', { iss: url, role: 'admin' }]);
  expect(changes).toContainEqual(['gained', { iss: url, groups: ['editors'] }]);
});

test('a change of keys alone is a difference, with what it means for who has a token', async () => {
  const other = { ...key, kid: 'b', x: 'NCyANCADd8W-vvMEPMwkpZUnWZFZK7uVhCJJFzGgBbg' };
  const [before, after] = await Promise.all([withUsers(admins, jwks(key)), withUsers(admins, jwks({ ...key, x: other.x }, other))]);
  const [was, is] = [before.irs.get('prod'), after.irs.get('prod')];
  if (!was || !is) throw new Error('no IR');
  const diff = semanticDiff(was, is);
  expect([diff.calls, diff.unshown, isEmptyDiff(diff), isEmptyDiff(semanticDiff(was, was))]).toEqual([[], [], false, true]);
  const named = expect.stringMatching(
    /^tokens signed with a \(EdDSA, [0-9a-f]{12}\) are answered 401; tokens signed with a \(EdDSA, [0-9a-f]{12}\), b \(EdDSA, [0-9a-f]{12}\) are taken$/,
  );
  expect(diff.issuers).toEqual([
    expect.objectContaining({ issuer: 'acme', field: 'keys', means: named, at: ['bookinfo/details.web'], because: 'platform/acme' }),
  ]);
  expect(formatDiff(diff, 'text')).toMatch(
    /issuer acme: keys a \(.* are taken at bookinfo\/details\.web   platform\/acme\n.*1 issuer changes/,
  );
  expect(formatDiff(diff, 'markdown')).toContain('- issuer `acme`, keys: a (EdDSA');
});

test('a change of audiences is a difference, and none where no rule speaks of users', async () => {
  const more = (audience: string): string =>
    `export const other = issuer('b', { url: 'https://b.example', audiences: ['${audience}'], keys: jwks.file('platform/acme.jwks.json') });`;
  const irs = await Promise.all(['x', 'y'].map(async (audience) => (await withUsers(admins, jwks(key), more(audience))).irs.get('prod')));
  const [was, is] = irs.map((ir) => {
    if (!ir) throw new Error('no IR');
    return ir;
  });
  if (!was || !is) throw new Error('no IR');
  expect(semanticDiff(was, is).issuers.map(({ field, means }) => [field, means])).toEqual([
    ['audiences', 'tokens for x alone are answered 401; tokens for y alone are taken'],
  ]);
  const nobody = (ir: typeof was) => ({ ...ir, access: ir.access.map((rule) => ({ ...rule, user: null })) });
  expect(semanticDiff(nobody(was), nobody(is)).issuers).toEqual([]);
});

const rsa = (length: number): JsonObject => ({ kty: 'RSA', alg: 'RS256', n: 'A'.repeat(length), e: 'AQAB' });
test.each<readonly [string, string | null, string]>([
  ['a file that is not there', null, 'there is no such file'],
  ['no JSON', '{', 'it is not JSON'],
  ['no keys', jwks(), 'it is no JWK set'],
  ['a symmetric key', jwks({ kty: 'oct', alg: 'HS256', k: 'AAAA' }), 'holds a secret (`k`)'],
  ['a private key', jwks({ ...key, d: 'AAAA' }), 'holds a secret (`d`)'],
  ['no algorithm', jwks({ kty: 'OKP', crv: 'Ed25519', x: key.x }), 'has no `alg`'],
  ['another algorithm', jwks({ ...rsa(342), alg: 'HS256' }), 'has no `alg`'],
  ['an algorithm of another kind of key', jwks({ ...key, alg: 'ES256' }), 'is of another kind'],
  ['a short key', jwks(rsa(171)), 'less than 2048 bits'],
  ['a cut key', jwks({ ...key, x: 'AAAA' }), 'is not of the length of its curve'],
  ['a key for encryption', jwks({ ...key, use: 'enc' }), 'is not for signatures'],
  ['two keys of one name', jwks(key, key), 'has the `kid` of another'],
  ['too many', jwks(...Array.from({ length: 33 }, (_, i) => ({ ...key, kid: String(i) }))), 'more than 32 keys'],
  ['too much', jwks({ ...key, note: 'x'.repeat(70_000) }), 'longer than 65536'],
])('keys that are not trusted: %s', async (_, keys, says) => {
  const { diagnostics, objects } = await withUsers(admins, keys);
  expect(diagnostics.map(({ code, message }) => [code, message])).toEqual([['MW3090', expect.stringContaining(says)]]);
  expect(objects.size).toBe(0);
});

test.each<readonly [string, string, string]>([
  [
    'two issuers of one name',
    `export const other = issuer('acme', { url: 'https://b.example', audiences: ['x'], keys: jwks.file('platform/acme.jwks.json') });`,
    'MW3004',
  ],
  [
    'two issuers of one `iss`',
    `export const other = issuer('b', { url: '${url}', audiences: ['x'], keys: jwks.file('platform/acme.jwks.json') });`,
    'MW3004',
  ],
])('%s', async (_, more, code) => {
  expect((await withUsers(admins, jwks(key), more)).diagnostics.map((one) => one.code)).toEqual([code]);
});

test.each<readonly [string, string]>([
  ['a path out of the policies', "jwks.file('../keys.json')"],
  ['a claim with no name', "(acme.user(claim('').is('x')), jwks.file('platform/acme.jwks.json'))"],
])('words that are refused: %s', async (_, keys) => {
  const more = `import { claim } from 'meshwright/policy';\nexport const other = issuer('b', { url: 'https://b.example', audiences: ['x'], keys: ${keys} });`;
  expect((await withUsers(admins, jwks(key), more)).diagnostics.map((one) => one.code)).toEqual(['MW2125']);
});
