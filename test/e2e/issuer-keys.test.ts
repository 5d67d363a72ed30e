/** Keys that are fetched while the mesh runs: a real HTTPS server of an issuer, a real control plane, real agents and Envoys, tokens that are really signed. */
import * as fs from 'node:fs/promises';
import * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import * as path from 'node:path';
import * as jose from 'jose';
import type { MeshIr } from '../../core/ir/ir';
import { temporaryFolder } from '../../platform/files';
import { eventually } from '../kit/layered-mesh';
import { type RunningMesh, request, runMesh } from '../kit/running-mesh';
import { localAuthority } from '../kit/serving-certificate';
import { objectsOf, pagePrincipal, reviewsPrincipal, smallMesh } from '../kit/small-mesh';

jest.setTimeout(400_000);
const iss = 'https://accounts.acme.example';
const workloads = [
  { id: 'page-1', workload: 'shop/page', principal: pagePrincipal, ports: [] },
  { id: 'reviews-1', workload: 'shop/reviews', principal: reviewsPrincipal, version: 'v1', ports: ['web'] },
];
/** Everything of `reviews` is for users of the issuer, but `/ping`. */
const forUsers = (url: string): MeshIr => {
  const base = smallMesh();
  return {
    ...base,
    issuers: [
      {
        ...{ id: 'platform/acme' as (typeof base.access)[number]['id'], name: 'acme', url: iss, audiences: ['shop'] },
        keys: { kind: 'fetched', url },
      },
    ],
    access: base.access.map((rule) => (rule.id === 'shop/pageReads' ? { ...rule, user: { issuer: iss, claims: [] } } : rule)),
  };
};

interface Signer {
  readonly kid: string;
  readonly jwk: jose.JWK;
  token(): Promise<string>;
}
async function signer(kid: string): Promise<Signer> {
  const { publicKey, privateKey } = await jose.generateKeyPair('ES256', { extractable: true });
  const token = (): Promise<string> =>
    new jose.SignJWT({})
      .setProtectedHeader({ alg: 'ES256', kid })
      .setIssuer(iss)
      .setAudience('shop')
      .setExpirationTime('1h')
      .sign(privateKey);
  return { kid, jwk: { ...(await jose.exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' }, token };
}

let folder: string;
let mesh: RunningMesh;
let issuer: https.Server;
let url: string;
let asked = 0;
let answer: (response: http.ServerResponse) => void;
let [first, second]: readonly Signer[] = [];
const publishes = (...keys: readonly (Signer | undefined)[]): void => {
  const body = JSON.stringify({ keys: keys.map((key) => key?.jwk) });
  answer = (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(body);
};
const trusted = (name: string): string => path.join(folder, name);

const kept = new http.Agent({ keepAlive: true, maxSockets: 1 });
let sockets = 0;
/** As the page's application asks, on one connection for all of the test. */
async function ask(token: string | null, where = '/7'): Promise<number> {
  const outbound = mesh.inventory.instances.find(({ id }) => id === 'page-1')?.outbound;
  if (!outbound) throw new Error('no way in');
  const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
  return (await request({ ...outbound, path: where, agent: kept, headers: { host: 'reviews.shop', ...authorization } })).status;
}
/** Envoy asks its agent for keys now and then: what is new there is seen within half a minute. */
async function until(token: string | null, status: number): Promise<void> {
  expect(
    await eventually(
      () => ask(token),
      (got) => got === status,
      90_000,
    ),
  ).toBe(status);
}
const askedAgain = async (): Promise<void> => {
  const wanted = asked + 2;
  expect(
    await eventually(
      () => asked,
      (times) => times >= wanted,
    ),
  ).toBeGreaterThanOrEqual(wanted);
};
const listeners = async (): Promise<unknown> => {
  const { json } = await mesh.admin('GET', '/v1/proxies/reviews-1/config');
  return (json as { readonly listeners: readonly { readonly name: string; readonly version: string }[] }).listeners.map(
    ({ name, version }) => [name, version],
  ); // the admin API's own answer
};

beforeAll(async () => {
  folder = await temporaryFolder('issuer');
  [first, second] = await Promise.all([signer('one'), signer('two')]);
  const authority = await localAuthority();
  await fs.writeFile(trusted('ca.pem'), authority.ca);
  publishes(first);
  issuer = https.createServer(await authority.serving(), (_request, response) => {
    asked += 1;
    answer(response);
  });
  await new Promise<void>((resolve, reject) => issuer.once('error', reject).listen(0, 'localhost', resolve));
  url = `https://localhost:${(issuer.address() as AddressInfo).port}/jwks?v=1`; // a TCP server that listens has one
  mesh = await runMesh(workloads, {
    controlPlane: { issuerKeys: { trustFile: trusted('ca.pem'), networks: ['127.0.0.0/8', '::1/128'], everySeconds: 1 } },
    agent: { listenerDrainSeconds: 1 },
  });
  const connect = kept.createConnection.bind(kept);
  kept.createConnection = (...given: Parameters<typeof connect>) => ((sockets += 1), connect(...given));
  await Promise.all(workloads.map(({ id }) => mesh.startAgent(id)));
  expect((await mesh.release(objectsOf(forUsers(url)))).status).toBe(202);
  await mesh.until('converged', (now) => now.state === 'converged' && now.generation === 1);
});
afterAll(async () => {
  kept.destroy();
  await mesh?.stop();
  issuer?.closeAllConnections();
  issuer?.close();
  if (folder) await fs.rm(folder, { recursive: true, force: true });
});

const token = (of: Signer | undefined): Promise<string> => of?.token() ?? Promise.reject(new Error('no signer'));

test('a listener comes up with the keys: the first token is taken', async () => {
  expect(await ask(await token(first))).toBe(200);
  expect(await ask(null)).toBe(403);
  expect(await ask(null, '/ping')).toBe(200);
  expect(await ask(await token(second))).toBe(401);
});

test('keys rotate: a new one is taken, an old one is refused, and no listener changes', async () => {
  const [before, connections] = [await listeners(), sockets];
  publishes(first, second);
  await until(await token(second), 200);
  expect(await ask(await token(first))).toBe(200);
  publishes(second);
  await until(await token(first), 401);
  expect(await ask(await token(second))).toBe(200);
  expect([await listeners(), sockets]).toEqual([before, connections]);
});

test('whatever the issuer answers instead, the last good keys stay', async () => {
  const bad: readonly ((response: http.ServerResponse) => void)[] = [
    (response) => void response.writeHead(500).end('{"keys":[]}'),
    (response) => void response.writeHead(302, { location: url }).end(),
    (response) => void response.writeHead(200).end('<html>log in</html>'),
    (response) => void response.writeHead(200).end('{"keys":[]}'),
    (response) => void response.writeHead(200).end(JSON.stringify({ keys: [{ ...first?.jwk, d: 'AAAA' }] })),
    (response) => void response.writeHead(200).end(JSON.stringify({ keys: [{ kty: 'oct', k: 'AAAA', alg: 'HS256', kid: 'two' }] })),
    (response) => void response.writeHead(200).end(`{"keys":[${JSON.stringify(first?.jwk)}],"more":"${'x'.repeat(70_000)}"}`),
    (response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
    (response) => void response.destroy(),
  ];
  for (const one of bad) {
    answer = one;
    await askedAgain();
    const { status, json } = await mesh.admin('GET', '/v1/status');
    expect([status, typeof json]).toEqual([200, 'object']);
  }
  expect([await ask(await token(second)), await ask(await token(first))]).toEqual([200, 401]);
});

test('a control plane that starts while the issuer is away has the keys that it had', async () => {
  answer = (response) => void response.destroy();
  await mesh.restartControlPlane();
  await mesh.until('back', (now) => now.proxies.filter(({ connected }) => connected).length === 2);
  expect([await ask(await token(second)), await ask(await token(first))]).toEqual([200, 401]);
  // a proxy that starts now has them too
  await mesh.agents.get('reviews-1')?.close();
  await mesh.startAgent('reviews-1');
  await until(await token(second), 200);
  expect(await ask(await token(first))).toBe(401);
});

test('where there never were keys nobody’s token is valid, the rest of the port is served, and keys count once they come', async () => {
  answer = (response) => void response.writeHead(404).end();
  expect((await mesh.release(objectsOf(forUsers(`${url}&other`)))).status).toBe(202);
  await mesh.until('converged', (now) => now.state === 'converged' && now.generation === 2);
  // what was open before has drained by then (ADR 0181): nobody is let in on it
  expect([await ask(await token(second)), await ask(null, '/ping')]).toEqual([401, 200]);
  publishes(second);
  await until(await token(second), 200);
});
