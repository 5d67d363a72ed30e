/**
 * A gateway that is killed under traffic: its Envoy, its agent, both; it reads tokens by keys that are fetched, and takes clients by certificates. Meanwhile the issuer of
 * the keys answers, is away, is slow, or answers rubbish, and the control plane is killed while keys rotate. Nobody is let in who may not be, and who is in order is let
 * in again once the gateway is there.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import type * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import * as path from 'node:path';
import * as jose from 'jose';
import type { MeshIr } from '../../core/ir/ir';
import { anyMatch, plainForward, plainRespond, plainTarget } from '../../core/ir/plain';
import type { RuleId } from '../../core/mesh/ids';
import { signalGroup } from '../../platform/process';
import { runMesh, type RunningMesh } from '../kit/running-mesh';
import { localAuthority, type LocalAuthority, type Pair } from '../kit/serving-certificate';
import { edgePrincipal, meshWithGateway, objectsOf, patientMs, reviewsPrincipal, reviewsWeb } from '../kit/small-mesh';

jest.setTimeout(900_000);
const iss = 'https://accounts.acme.example';
const id = (text: string): RuleId => text as RuleId; // a fixture's own ids
const workloads = [
  { id: 'edge-1', workload: 'shop/edge', principal: edgePrincipal, ports: [], listeners: ['https'] },
  { id: 'reviews-1', workload: 'shop/reviews', principal: reviewsPrincipal, version: 'v1', ports: ['web'] },
];
/** The gateway takes partners' certificates alone, and sends on who is a user of the issuer; all others are told 418. */
function forUsers(url: string): MeshIr {
  const base = meshWithGateway();
  const to = { ...plainForward, to: [{ ...plainTarget, port: reviewsWeb }], timeoutMs: patientMs, retry: null };
  return {
    ...base,
    issuers: [{ ...{ id: id('platform/acme'), name: 'acme', url: iss, audiences: ['shop'] }, keys: { kind: 'fetched', url } }],
    gateways: base.gateways.map((one) => ({
      ...one,
      listeners: one.listeners.map((listener) => ({
        ...listener,
        speaks: {
          ...{ kind: 'https' as const, certificate: 'shop/edge-cert' },
          clients: { trust: 'shop/partners', required: true },
        },
      })),
    })),
    hostRoutes: base.hostRoutes.map((table) => ({
      ...table,
      rules: [
        { id: id('shop/edgeRoutes.users'), match: { ...anyMatch, user: { issuer: iss, claims: [] } }, action: to },
        { id: id('shop/edgeRoutes.otherwise'), match: null, action: { ...plainRespond, status: 418 } },
      ],
    })),
  };
}

interface Signer {
  readonly jwk: jose.JWK;
  token(): Promise<string>;
}
async function signer(kid: string): Promise<Signer> {
  const { publicKey, privateKey } = await jose.generateKeyPair('ES256', { extractable: true });
  const jwk = { ...(await jose.exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' };
  const claims = new jose.SignJWT({}).setProtectedHeader({ alg: 'ES256', kid }).setIssuer(iss).setAudience('shop').setExpirationTime('1h');
  return { jwk, token: () => claims.sign(privateKey) };
}

const root = path.join(__dirname, '../..');
const children = new Map<string, ChildProcess>();
const run = (name: string, args: readonly string[]): void => {
  const child = spawn(process.execPath, [...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, MESHWRIGHT_LOG: 'fatal' },
  });
  children.set(name, child);
};
const kill = (name: string): Promise<void> =>
  new Promise((resolve) => {
    const child = children.get(name);
    if (!child || child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });

let mesh: RunningMesh;
let issuer: https.Server;
let ours: LocalAuthority;
let partner: Pair;
let stranger: Pair;
let answer: (response: http.ServerResponse) => void;
let good: Signer;
let next: Signer;
let bad: Signer;
const publishes = (...keys: readonly Signer[]): void => {
  const body = JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });
  answer = (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(body);
};
const startControlPlane = (): void => {
  const main = path.join(root, 'dist/runtime-proxy/control-plane/main');
  const code = `require(${JSON.stringify(main)}).serveControlPlane(JSON.parse(process.argv[1]))`;
  run('control-plane', ['-e', code, JSON.stringify(mesh.controlPlaneConfig)]);
};
const configOf = (name: string): string => path.join(mesh.folder, `${name}.json`);
const startAgent = (name: string): void => run(name, [path.join(root, 'bin/meshwright.js'), 'agent', '--config', configOf(name)]);
const envoyOf = (name: string): number | null => {
  try {
    return JSON.parse(fs.readFileSync(path.join(mesh.folder, `run-${name}`, 'envoy.pid'), 'utf8')).pid;
  } catch {
    return null; // none was noted yet
  }
};

/** One connection, one request: the status, or 0 for none. */
function ask(shown: Pair, token: string | null): Promise<number> {
  const { host, port } = mesh.inventory.instances.find((one) => one.id === 'edge-1')?.listeners?.['https'] ?? { host: '', port: 0 };
  const headers = { host: 'shop.example', ...(token === null ? {} : { authorization: `Bearer ${token}` }) };
  return new Promise((resolve) => {
    const call = https.get(
      {
        ...{ host, port, headers, path: '/7', agent: false, timeout: patientMs },
        servername: 'shop.example',
        rejectUnauthorized: false,
        ...shown,
      },
      (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode ?? 0));
        response.once('error', () => resolve(0));
      },
    );
    call.once('timeout', () => call.destroy());
    call.once('error', () => resolve(0));
  });
}
async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  for (const end = performance.now() + 90_000; !(await holds());) {
    if (performance.now() > end) throw new Error(`not so after a minute and a half: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

let token: string;
/** Who may never come in, over and over, and what they were told. */
const intruders = { going: true, answers: new Map<string, Set<number>>() };
async function intrude(who: string, shown: Pair, theirs: () => string | null): Promise<void> {
  const told = new Set<number>();
  intruders.answers.set(who, told);
  while (intruders.going) {
    told.add(await ask(shown, theirs()));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
let intruding: Promise<unknown>;

beforeAll(async () => {
  [good, next, bad] = await Promise.all([signer('one'), signer('two'), signer('one')]);
  ours = await localAuthority();
  const theirs = await localAuthority('CN=partners');
  [partner, stranger] = [await theirs.client('partner'), await (await localAuthority('CN=partners')).client('partner')];
  publishes(good);
  issuer = https.createServer(await ours.serving(), (_request, response) => answer(response));
  await new Promise<void>((resolve, reject) => issuer.once('error', reject).listen(0, 'localhost', resolve));
  const url = `https://localhost:${(issuer.address() as AddressInfo).port}/jwks`; // a TCP server that listens has one
  mesh = await runMesh(workloads, { external: true });
  const trustFile = path.join(mesh.folder, 'issuer-ca.pem');
  fs.writeFileSync(trustFile, ours.ca);
  Object.assign(mesh.controlPlaneConfig, { issuerKeys: { trustFile, networks: ['127.0.0.0/8', '::1/128'], everySeconds: 1 } });
  const secrets = path.join(mesh.folder, 'certificates');
  const put = (name: string, file: string, text: string): void => {
    fs.mkdirSync(path.join(secrets, name), { recursive: true });
    fs.writeFileSync(path.join(secrets, name, file), text);
  };
  const served = await ours.serving();
  put('shop/edge-cert', 'tls.crt', served.cert);
  put('shop/edge-cert', 'tls.key', served.key);
  put('shop/partners', 'ca.crt', theirs.ca);
  startControlPlane();
  await mesh.until('up', () => true);
  expect((await mesh.release(objectsOf(forUsers(url)))).status).toBe(202);
  for (const one of workloads) {
    fs.writeFileSync(
      configOf(one.id),
      JSON.stringify({ ...(await mesh.agentConfig(one.id)), certificatesDir: secrets, listenerDrainSeconds: 1 }),
    );
    startAgent(one.id);
  }
  token = await good.token();
  await until('who is in order comes in', async () => (await ask(partner, token)) === 200);
  const forged = await bad.token();
  intruding = Promise.all([
    intrude('a certificate of nobody', stranger, () => token),
    intrude('a token that somebody else signed', partner, () => forged),
    intrude('no token', partner, () => null),
  ]);
});
afterAll(async () => {
  intruders.going = false;
  await intruding;
  await Promise.all([...children.keys()].map(kill));
  for (const { id: name } of workloads) {
    const pid = envoyOf(name);
    if (pid !== null) signalGroup(pid, 'SIGKILL');
  }
  await mesh?.stop();
  issuer?.closeAllConnections();
  issuer?.close();
});

/** Once it is let in it stays so. */
async function staysIn(): Promise<void> {
  await until('who is in order comes in again', async () => (await ask(partner, token)) === 200);
  for (let count = 0; count < 40; count += 1) expect([count, await ask(partner, token)]).toEqual([count, 200]);
}
/** An agent takes a join token once: the next one needs another. */
async function startAgain(): Promise<void> {
  const { joinTokenFile = '' } = JSON.parse(fs.readFileSync(configOf('edge-1'), 'utf8'));
  fs.writeFileSync(joinTokenFile, await mesh.mint({ instance: 'edge-1', workload: 'shop/edge', principal: edgePrincipal }), {
    mode: 0o600,
  });
  startAgent('edge-1');
}
/** An Envoy serves on without its agent, until the next one ends it and starts another: that is the restart. */
async function toAnotherEnvoy(run: (before: number) => Promise<void> | void): Promise<void> {
  const before = envoyOf('edge-1');
  if (before === null) throw new Error('no Envoy runs');
  await run(before);
  await until('another Envoy', () => ![before, null].includes(envoyOf('edge-1')));
}
const killEnvoy = (): Promise<void> => toAnotherEnvoy((pid) => void signalGroup(pid, 'SIGKILL'));
const killAgent = (): Promise<void> =>
  toAnotherEnvoy(async () => {
    await kill('edge-1');
    await startAgain();
  });
const killBoth = (): Promise<void> =>
  toAnotherEnvoy(async (pid) => {
    await kill('edge-1');
    signalGroup(pid, 'SIGKILL');
    await startAgain();
  });
const issuers: { readonly [how: string]: (response: http.ServerResponse) => void } = {
  'is away': (response) => void response.destroy(),
  'never answers': () => undefined,
  'answers rubbish': (response) => void response.writeHead(200).end('{"keys":[{"kty":"oct","k":"AAAA","alg":"HS256","kid":"one"}]}'),
};

test.each(Object.entries(issuers))(
  'while the issuer %s, a gateway that is killed comes back with the keys that there were',
  async (_how, says) => {
    answer = says;
    await killEnvoy();
    await staysIn();
    await killAgent();
    await staysIn();
    await killBoth();
    await staysIn();
  },
);

test('gateway and control plane killed together, and the issuer away', async () => {
  answer = (response) => void response.destroy();
  await kill('control-plane');
  const killed = killBoth();
  startControlPlane();
  await killed;
  await staysIn();
});

test('a control plane that is killed while keys rotate brings back no key that was taken away', async () => {
  const revoked = token;
  token = await next.token();
  publishes(next);
  await until('the new key counts', async () => (await ask(partner, token)) === 200);
  await kill('control-plane');
  answer = (response) => void response.destroy();
  startControlPlane();
  await killBoth();
  await staysIn();
  expect(await ask(partner, revoked)).toBe(401);
});

test('nobody came in meanwhile who may not', () => {
  const answers = Object.fromEntries([...intruders.answers].map(([who, told]) => [who, [...told].filter((status) => status === 200)]));
  expect(answers).toEqual({ 'a certificate of nobody': [], 'a token that somebody else signed': [], 'no token': [] });
  expect(intruders.answers.get('no token')).toContain(418);
});
