/**
 * Users are turned on for a service, and off again, with real Envoys under constant traffic: nobody who is let in before and after, with a token or
 * without, is refused meanwhile; on kept connections and on new ones, inside and from outside.
 */
import * as fs from 'node:fs/promises';
import * as http from 'node:http';
import * as https from 'node:https';
import * as jose from 'jose';
import type { HostRoutes, Issuer, MeshIr, RequestClass, RouteRule, RouteTable, UserMatch } from '../../core/ir/ir';
import { anyMatch, plainRespond } from '../../core/ir/plain';
import { canonicalJson } from '../../core/lib/json';
import type { RuleId } from '../../core/mesh/ids';
import { constantArrival } from '../kit/constant-arrival';
import { runMesh, type RunningMesh } from '../kit/running-mesh';
import { edgePrincipal, meshWithGateway, objectsOf, pagePrincipal, reviewsPrincipal } from '../kit/small-mesh';

jest.setTimeout(240_000);
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
/** A request is lost, not late: on a busy machine two seconds are not much. */
const base: MeshIr = JSON.parse(JSON.stringify(meshWithGateway()).replaceAll('"timeoutMs":2000', '"timeoutMs":15000'));
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
  await mesh.until('converged', (now) => now.state === 'converged' && now.generation === generation, 90_000);
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

/** What traffic meets while things change. */
async function meanwhile(change: (running: ReturnType<typeof traffic>) => Promise<void>): Promise<readonly string[]> {
  const running = traffic(await fs.readFile(mesh.ca.trustFile));
  try {
    await running.sent(80);
    await change(running);
    await running.sent(80);
  } catch (error) {
    await running.stop();
    throw error;
  }
  return running.stop();
}
/** In turn: from the page's application and from outside, on a connection that is kept and on one of its own, of a user and of nobody. */
function traffic(trust: Buffer): { sent(count: number): Promise<void>; stop(): Promise<readonly string[]> } {
  const bad: string[] = [];
  const [inside, outside] = [new http.Agent({ keepAlive: true, maxSockets: 4 }), new https.Agent({ keepAlive: true, maxSockets: 4 })];
  const instance = (id: string) => mesh.inventory.instances.find((known) => known.id === id);
  const [page, edge] = [instance('page-1')?.outbound, instance('edge-1')?.listeners?.['https']];
  if (!page || !edge) throw new Error('no way in');
  const ask = (index: number): Promise<void> =>
    new Promise((resolve) => {
      const [fromPage, kept, user] = [index % 2 === 0, index % 4 < 2, index % 8 < 4];
      const path = `/${user ? 'users' : 'open'}/${index}`;
      const fail = (why: string): void => {
        bad.push(`${fromPage ? 'inside' : 'outside'}, ${kept ? 'kept' : 'fresh'}, ${path}: ${why}`);
        resolve();
      };
      const take = (response: http.IncomingMessage): void => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.on('error', (error) => fail(error.message));
        response.on('end', () => (response.statusCode === 200 ? resolve() : fail(`${response.statusCode} ${body.trim()}`)));
      };
      const authorization = user ? { authorization: `Bearer ${token}` } : {};
      const call = fromPage
        ? http.get(
            { ...page, path, headers: { host: 'reviews.shop', ...authorization }, agent: kept ? inside : false, timeout: 20_000 },
            take,
          )
        : https.get(
            {
              ...{ ...edge, path, servername: 'shop.example', ca: trust, timeout: 20_000 },
              headers: { host: 'shop.example', ...authorization },
              agent: kept ? outside : false,
            },
            take,
          );
      call.on('timeout', () => call.destroy(new Error('no answer')));
      call.on('error', (error) => fail(error.message));
    });
  let count = 0;
  const arrivals = constantArrival(160, (index) => ((count = index), ask(index)));
  return {
    async sent(more) {
      const until = count + more;
      while (count < until) await new Promise((resolve) => setTimeout(resolve, 10));
    },
    async stop() {
      await arrivals.stop();
      inside.destroy();
      outside.destroy();
      return bad;
    },
  };
}

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
    agent: { listenerDrainSeconds: 2 },
  });
  await Promise.all(workloads.map(({ id }) => mesh.startAgent(id)));
  await mesh.until('all connected', (status) => status.proxies.filter((proxy) => proxy.connected).length === 3);
  await release(base);
});
afterAll(() => mesh?.stop());
const keys = (...of: readonly (jose.JWK | undefined)[]): readonly jose.JWK[] => of.flatMap((key) => key ?? []);

test('users are turned on with their issuer, and off again with it: no request fails', async () => {
  const bad = await meanwhile(async (running) => {
    await release(forUsers(withIssuer(base, ...keys(one))));
    await running.sent(80);
    await release(base);
  });
  expect(bad).toEqual([]);
});

test('where the mesh has the issuer already, a service for its users is a change of routes alone: no request fails', async () => {
  const known = withIssuer(base, ...keys(one));
  await release(known);
  const before = await listeners();
  const bad = await meanwhile(async (running) => {
    await release(forUsers(known));
    expect(await listeners()).toEqual(before);
    await running.sent(80);
    await release(known);
    expect(await listeners()).toEqual(before);
  });
  expect(bad).toEqual([]);
});

test('a key comes and another goes: whose key stays is let in all the time', async () => {
  await release(forUsers(withIssuer(base, ...keys(one))));
  const bad = await meanwhile(async (running) => {
    await release(forUsers(withIssuer(base, ...keys(one, two))));
    await running.sent(80);
    await release(forUsers(withIssuer(base, ...keys(one))));
  });
  expect(bad).toEqual([]);
});
