/**
 * Users are turned on for a service, and off again, with real Envoys under constant traffic: nobody who is let in before and after, with a token or
 * without, is refused meanwhile; on kept connections and on new ones, inside and from outside.
 */
import * as fs from 'node:fs/promises';
import * as jose from 'jose';
import type { HostRoutes, Issuer, MeshIr, RequestClass, RouteRule, RouteTable, UserMatch } from '../../core/ir/ir';
import { anyMatch, plainRespond } from '../../core/ir/plain';
import { canonicalJson } from '../../core/lib/json';
import type { RuleId } from '../../core/mesh/ids';
import { runMesh, type RunningMesh } from '../kit/running-mesh';
import { edgePrincipal, meshWithGateway, objectsOf, pagePrincipal, reviewsPrincipal } from '../kit/small-mesh';
import { meanwhile, traffic, type Traffic } from '../kit/traffic';

jest.setTimeout(600_000);
const workloads = [
  { id: 'page-1', workload: 'shop/page', principal: pagePrincipal, ports: [] },
  { id: 'reviews-1', workload: 'shop/reviews', principal: reviewsPrincipal, version: 'v1', ports: ['web'] },
  { id: 'edge-1', workload: 'shop/edge', principal: edgePrincipal, ports: [], listeners: ['https'] },
];
const ruleId = (text: string): RuleId => text as RuleId; // a fixture's own ids
const iss = 'https://accounts.acme.example';
const users: UserMatch = { issuer: iss, claims: [] };
const open: RequestClass = {
  method: 'GET',
  path: [
    { kind: 'literal', text: 'open' },
    { kind: 'rest', name: 'rest' },
  ],
  text: 'GET /open/{rest...}',
};
const base: MeshIr = meshWithGateway();
const withIssuer = (ir: MeshIr, ...keys: readonly jose.JWK[]): MeshIr => {
  const issuer: Issuer = {
    ...{ id: ruleId('platform/acme'), name: 'acme', url: iss, audiences: ['shop'] },
    keys: { kind: 'pinned', jwks: canonicalJson({ keys: keys.map((key) => ({ ...key })) } as Parameters<typeof canonicalJson>[0]) },
  };
  return { ...ir, issuers: [issuer] };
};
/** What is not under `/open` is for users alone: at the destination, and by the routes of both first hops. */
function forUsers(ir: MeshIr): MeshIr {
  const routed = <T extends Pick<RouteTable | HostRoutes, 'rules'>>(table: T): T => {
    const [otherwise] = table.rules;
    if (!otherwise) throw new Error('no route');
    const rule = (name: string, more: Partial<RouteRule>): RouteRule => ({ ...otherwise, id: ruleId(`shop/${name}`), ...more });
    const rules = [
      rule('users', { match: { ...anyMatch, user: users } }),
      rule('open', { match: { ...anyMatch, requests: [open] } }),
      rule('nobody', { match: null, action: { ...plainRespond, status: 418 } }),
    ];
    return { ...table, rules };
  };
  return {
    ...ir,
    access: ir.access
      .flatMap((rule) =>
        rule.requests === 'any'
          ? [
              { ...rule, user: users },
              { ...rule, id: ruleId(`${rule.id}Open`), requests: [open] },
            ]
          : [rule],
      )
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
    routes: ir.routes.map(routed),
    hostRoutes: ir.hostRoutes.map(routed),
  };
}

let mesh: RunningMesh;
let token: string;
let [one, two]: readonly jose.JWK[] = [];
let generation = 0;
const release = async (ir: MeshIr): Promise<void> => {
  const { status, json } = await mesh.release(objectsOf(ir));
  expect([status, json]).toMatchObject([202, {}]);
  generation += 1;
  await mesh.until('converged', (now) => now.state === 'converged' && now.generation === generation, 120_000);
};
const listeners = async (): Promise<unknown> =>
  Promise.all(
    workloads.map(async ({ id }) => {
      const { json } = await mesh.admin('GET', `/v1/proxies/${id}/config`);
      return (json as { readonly listeners: readonly { readonly name: string; readonly version: string }[] }).listeners.map(
        ({ name, version }) => `${name} ${version}`,
      ); // the admin API's own answer
    }),
  );

/** Of a user and of nobody, in turn. */
const running = async (): Promise<Traffic> =>
  traffic(mesh, {
    ...{ perSecond: 160, trust: await fs.readFile(mesh.ca.trustFile), isGood: (status) => status === 200 },
    ask: (index) =>
      index % 8 < 4 ? { path: `/users/${index}`, headers: { authorization: `Bearer ${token}` } } : { path: `/open/${index}` },
  });

beforeAll(async () => {
  const pairs = await Promise.all(
    ['one', 'two'].map(async (kid) => ({ kid, ...(await jose.generateKeyPair('ES256', { extractable: true })) })),
  );
  [one, two] = await Promise.all(pairs.map(async ({ kid, publicKey }) => ({ ...(await jose.exportJWK(publicKey)), kid, alg: 'ES256' })));
  const [first] = pairs;
  if (!first) throw new Error('no key');
  token = await new jose.SignJWT({})
    .setProtectedHeader({ alg: 'ES256', kid: 'one' })
    .setIssuer(iss)
    .setAudience('shop')
    .setExpirationTime('1h')
    .sign(first.privateKey);
  mesh = await runMesh(workloads, {
    certificates: { 'shop/edge-cert': { hosts: ['shop.example'], principals: [edgePrincipal] } },
    agent: { listenerDrainSeconds: 4 },
  });
  await Promise.all(workloads.map(({ id }) => mesh.startAgent(id)));
  await mesh.until('all connected', (status) => status.proxies.filter((proxy) => proxy.connected).length === 3);
  await release(base);
});
afterAll(() => mesh?.stop());
const keys = (...of: readonly (jose.JWK | undefined)[]): readonly jose.JWK[] => of.flatMap((key) => key ?? []);

test('users are turned on with their issuer, and off again with it: no request fails', async () => {
  const bad = await meanwhile(await running(), async ({ sent }) => {
    await release(forUsers(withIssuer(base, ...keys(one))));
    await sent(80);
    await release(base);
  });
  expect(bad).toEqual([]);
});

test('where the mesh has the issuer already, a service for its users is a change of routes alone: no request fails', async () => {
  const known = withIssuer(base, ...keys(one));
  await release(known);
  const before = await listeners();
  const bad = await meanwhile(await running(), async ({ sent }) => {
    await release(forUsers(known));
    expect(await listeners()).toEqual(before);
    await sent(80);
    await release(known);
    expect(await listeners()).toEqual(before);
  });
  expect(bad).toEqual([]);
});

test('a key comes and another goes: whose key stays is let in all the time', async () => {
  await release(forUsers(withIssuer(base, ...keys(one))));
  const bad = await meanwhile(await running(), async ({ sent }) => {
    await release(forUsers(withIssuer(base, ...keys(one, two))));
    await sent(80);
    await release(forUsers(withIssuer(base, ...keys(one))));
  });
  expect(bad).toEqual([]);
});
