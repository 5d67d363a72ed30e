/** What is taken away from users is taken away at once, whatever still drains on that proxy: real Envoys with a drain that is longer than any wait here. */
import * as jose from 'jose';
import type { Issuer, MeshIr } from '../../core/ir/ir';
import { canonicalJson } from '../../core/lib/json';
import type { RuleId } from '../../core/mesh/ids';
import { eventually } from '../kit/layered-mesh';
import { type RunningMesh, request, runMesh } from '../kit/running-mesh';
import { objectsOf, pagePrincipal, reviewsPrincipal, smallMesh } from '../kit/small-mesh';

jest.setTimeout(240_000);
const drainSeconds = 3_600;
const iss = 'https://accounts.acme.example';
const workloads = [
  { id: 'page-1', workload: 'shop/page', principal: pagePrincipal, ports: [] },
  { id: 'reviews-1', workload: 'shop/reviews', principal: reviewsPrincipal, version: 'v1', ports: ['web'] },
];
let mesh: RunningMesh;
let keys: readonly jose.JWK[];
let tokenOf: (sub: string) => Promise<string>;

/** `reviews` is for these users of the issuers alone. */
const forUsers = (subjects: readonly string[], issuers: readonly string[], ...of: readonly number[]): MeshIr => {
  const base = smallMesh();
  const jwks = canonicalJson({ keys: of.map((index) => ({ ...keys[index] })) } as Parameters<typeof canonicalJson>[0]);
  const issuer = (name: string): Issuer => ({
    ...{ id: `platform/${name}` as RuleId, name, url: name === 'acme' ? iss : `https://${name}.example`, audiences: ['shop'] },
    keys: { kind: 'pinned', jwks },
  });
  return {
    ...base,
    issuers: issuers.map(issuer),
    access: base.access.map((rule) =>
      rule.id === 'shop/pageReads' ? { ...rule, user: { issuer: iss, claims: [{ name: 'sub', kind: 'oneOf', values: subjects }] } } : rule,
    ),
  };
};
async function ask(sub: string): Promise<number> {
  const outbound = mesh.inventory.instances.find(({ id }) => id === 'page-1')?.outbound;
  if (!outbound) throw new Error('no way in');
  const headers = { host: 'reviews.shop', authorization: `Bearer ${await tokenOf(sub)}` };
  return (await request({ ...outbound, path: '/7', headers })).status;
}
/** Of this user, when he is refused, or when that was waited for long enough, which is no part of a drain. */
const atLast = (sub: string): Promise<number> =>
  eventually(
    () => ask(sub),
    (status) => status === 403,
    120_000,
  );
const release = async (ir: MeshIr): Promise<void> => expect(await mesh.release(objectsOf(ir))).toMatchObject({ status: 202 });

/** All that drained before is over where a mesh begins. */
async function start(ir: MeshIr): Promise<void> {
  mesh = await runMesh(workloads, { agent: { listenerDrainSeconds: drainSeconds } });
  await Promise.all(workloads.map(({ id }) => mesh.startAgent(id)));
  await release(ir);
  await mesh.until('converged', (now) => now.state === 'converged' && now.generation === 1);
}

beforeAll(async () => {
  const pairs = await Promise.all(
    ['one', 'two', 'three'].map(async (kid) => ({ kid, ...(await jose.generateKeyPair('ES256', { extractable: true })) })),
  );
  keys = await Promise.all(pairs.map(async ({ kid, publicKey }) => ({ ...(await jose.exportJWK(publicKey)), kid, alg: 'ES256' })));
  const [first] = pairs;
  if (!first) throw new Error('no key');
  tokenOf = (sub) =>
    new jose.SignJWT({ sub })
      .setProtectedHeader({ alg: 'ES256', kid: 'one' })
      .setIssuer(iss)
      .setAudience('shop')
      .setExpirationTime('1h')
      .sign(first.privateKey);
});
afterEach(() => mesh?.stop());

test('with a key that comes in the same release, and replaces the listener: the drain is not waited for', async () => {
  await start(forUsers(['ada', 'eve'], ['acme'], 0));
  expect([await ask('ada'), await ask('eve')]).toEqual([200, 200]);
  await release(forUsers(['ada'], ['acme'], 0, 1));
  expect(await atLast('eve')).toBe(403);
  expect(await ask('ada')).toBe(200);
});

test('with an issuer that is new, and that the port does not ask for: the drain of its listeners is not waited for', async () => {
  await start(forUsers(['ada', 'eve'], ['acme'], 0));
  expect([await ask('ada'), await ask('eve')]).toEqual([200, 200]);
  await release(forUsers(['ada'], ['acme', 'partner'], 0));
  expect(await atLast('eve')).toBe(403);
  expect(await ask('ada')).toBe(200);
});
