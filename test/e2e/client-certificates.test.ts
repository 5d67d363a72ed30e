/** Clients that show a certificate at a gateway: whom the listener takes, what applications hear of it, and that it is no identity of the mesh. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import * as tls from 'node:tls';
import { once } from 'node:events';
import { X509Certificate } from 'node:crypto';
import { emitEnvoy } from '../../compiler/emit/envoy';
import { decide } from '../../core/semantics/decide';
import { principalOf, workloadKey } from '../../core/mesh/ids';
import { temporaryFolder } from '../../platform/files';
import type { Address } from '../../runtime-proxy/inventory';
import { testAuthority, type TestAuthority } from '../kit/certificates';
import { edge, gatewayDeclarations } from '../kit/gateway-declarations';
import { eventually, type LayeredMesh, lowered, startLayers } from '../kit/layered-mesh';
import { present } from '../kit/present';
import { type SeenRequest, testApps } from '../kit/raw-http';
import { environment, runMesh } from '../kit/running-mesh';

type Shown = Awaited<ReturnType<TestAuthority['svid']>>;
const page = principalOf('acme.example', 'bookinfo', 'sa-productpage');
const apps = testApps();
let layers: LayeredMesh;
let partner: Shown;
let ofTheMesh: Shown;
let stranger: Shown;

beforeAll(async () => {
  const partners = await testAuthority('partners.example');
  layers = await startLayers(
    gatewayDeclarations,
    (mesh) => apps.listen([...mesh.apps].filter(([, { port }]) => /(?:productpage|details)\.web$/.test(port)).map(([number]) => number)),
    () => true,
    new Map([['platform/partners-ca', partners.trust]]),
  );
  // a partner writes into its own certificates what it likes: also the name of a workload of the mesh
  partner = await partners.svid(page, workloadKey('bookinfo', 'productpage'));
  ofTheMesh = await layers.authority.svid(page, workloadKey('bookinfo', 'productpage'));
  stranger = await (await testAuthority('partners.example')).svid(page, workloadKey('bookinfo', 'productpage'));
}, 120_000);
afterAll(async () => {
  await Promise.all([layers?.stop(), apps.close()]);
}, 30_000);

/** The status of an answer; null: no connection, or none that carries a request. */
function ask(
  at: Address,
  sni: string,
  shown: Shown | null,
  lines: readonly string[] = [],
  more: tls.ConnectionOptions = {},
): Promise<number | null> {
  return new Promise((resolve) => {
    let heard = '';
    const socket = tls.connect({
      host: at.host,
      port: at.port,
      servername: sni,
      rejectUnauthorized: false,
      ...more,
      ...(shown ? { key: shown.key, cert: shown.chain } : {}),
    });
    const end = (): void => {
      socket.destroy();
      resolve(heard === '' ? null : Number(heard.slice(9, 12)));
    };
    socket.setTimeout(60_000, end);
    socket.on('secureConnect', () =>
      socket.write(['GET /who HTTP/1.1', `host: ${sni}`, ...lines, 'connection: close', '', ''].join('\r\n')),
    );
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString()));
    socket.on('error', end);
    socket.on('close', end);
  });
}
const at = (listener: string): Address => present(layers.mesh.instanceOf(edge).listeners?.[listener]);
async function both(
  listener: string,
  shown: Shown | null,
  certificate?: 'valid' | 'invalid',
  lines: readonly string[] = [],
): Promise<SeenRequest | null> {
  const before = apps.seen.length;
  const status = await ask(at(listener), 'partners.example', shown, lines);
  const decision = decide(layers.ir, {
    from: { kind: 'outside', gateway: edge, listener, host: 'partners.example', ...(certificate ? { certificate } : {}) },
    to: null,
    ...{ method: 'GET', path: '/who', headers: {} },
  });
  expect([status, decision.outcome]).toEqual(decision.outcome === 'allow' ? [200, 'allow'] : [null, 'deny']);
  return apps.seen[before] ?? null;
}
const [certificateHeader, subjectHeader] = ['x-meshwright-client-certificate', 'x-meshwright-client-subject'];
const fingerprint = ({ chain }: Shown): string => new X509Certificate(chain).fingerprint256.replaceAll(':', '').toLowerCase();
const forged = [`${certificateHeader}: ${'a'.repeat(64)}`, `${subjectHeader}: CN=boss`, `x-forwarded-client-cert: Hash=a;URI=${page}`];

test('where one is required, who shows one of the listener’s authorities is served, and nobody else', async () => {
  expect(await both('partners', partner, 'valid')).not.toBeNull();
  expect(await both('partners', null)).toBeNull();
  expect(await both('partners', stranger, 'invalid')).toBeNull();
});
test('a certificate of the mesh opens nothing outside', async () => {
  expect(await both('partners', ofTheMesh, 'invalid')).toBeNull();
  expect(await both('guests', ofTheMesh, 'invalid')).toBeNull();
});
test('where it is optional, who shows none is served, and who shows a wrong one is not', async () => {
  expect(await both('guests', null)).not.toBeNull();
  expect(await both('guests', partner, 'valid')).not.toBeNull();
  expect(await both('guests', stranger, 'invalid')).toBeNull();
});
test('the application hears whose certificate it was, and what a client says of itself is taken off', async () => {
  const seen = present((await both('guests', partner, 'valid', forged)) ?? undefined);
  expect(seen.headers[certificateHeader]).toBe(fingerprint(partner));
  expect(seen.headers[subjectHeader]).not.toBe('CN=boss');
  const nobody = present((await both('guests', null, undefined, forged)) ?? undefined);
  expect([nobody.headers[certificateHeader], nobody.headers[subjectHeader]]).toEqual([undefined, undefined]);
});
test('where no certificate is asked for, the headers are taken off too', async () => {
  expect(await ask(at('web'), 'shop.example', partner, forged)).toBe(200);
  const { headers } = present(apps.seen.at(-1));
  expect([headers[certificateHeader], headers[subjectHeader]]).toEqual([undefined, undefined]);
});
test('a name of the mesh in a partner’s certificate is no identity: the destination sees the gateway', async () => {
  const { headers } = present((await both('partners', partner, 'valid', forged)) ?? undefined);
  expect(String(headers['x-forwarded-client-cert'])).toMatch(
    /^By=[^,;]*;Hash=[0-9a-f]{64};URI=spiffe:\/\/acme\.example\/ns\/platform\/sa\/edge$/,
  );
  // and the log says nothing of a caller
  const lines = await eventually(
    () => layers.client.accessLog().filter((line) => line['listener'] === 'gateway/partners' && line['status'] === 200),
    (found) => found.length > 0,
  );
  expect(lines.map((line) => [line['caller'], line['client']])).toContainEqual(['', fingerprint(partner)]);
});
test('a listener that speaks nothing older than TLS 1.3 makes no connection by 1.2, and others do', async () => {
  const by = (listener: string, shown: Shown | null, version: tls.SecureVersion): Promise<number | null> =>
    ask(at(listener), 'partners.example', shown, [], { minVersion: version, maxVersion: version });
  expect(await by('partners', partner, 'TLSv1.2')).toBeNull();
  expect(await by('partners', partner, 'TLSv1.3')).toBe(200);
  expect(await by('guests', null, 'TLSv1.2')).toBe(200);
});
test('what is older than TLS 1.2, or encrypts without authentication, gets no connection', async () => {
  // who takes everything: it is not the client that refuses
  const lax = tls.createServer({ key: partner.key, cert: partner.chain, minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' }, (socket) =>
    socket
      .on('error', () => undefined)
      .resume()
      .end('HTTP/1.1 299 lax\r\n\r\n'),
  );
  await once(lax.listen(0, '127.0.0.1'), 'listening');
  const there = present(lax.address() ?? undefined);
  const other: Address = { host: '127.0.0.1', port: typeof there === 'string' ? 0 : there.port };
  const by = (to: Address, more: tls.ConnectionOptions): Promise<number | null> => ask(to, 'partners.example', null, [], more);
  const weak: readonly tls.ConnectionOptions[] = [
    { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' },
    { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0' },
    { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0' },
  ];
  for (const more of weak) expect([more, await by(other, more), await by(at('guests'), more)]).toEqual([more, 299, null]);
  expect(await by(at('guests'), { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })).toBe(200);
  lax.close();
});
test('a session cannot be resumed to be spared the certificate', async () => {
  const session = await new Promise<Buffer | null>((resolve) => {
    const { host, port } = at('partners');
    const socket = tls.connect({
      host,
      port,
      servername: 'partners.example',
      rejectUnauthorized: false,
      key: partner.key,
      cert: partner.chain,
    });
    let offered: Buffer | null = null;
    socket.on('session', (given) => (offered = given));
    socket.on('secureConnect', () => socket.write('GET /who HTTP/1.1\r\nhost: partners.example\r\nconnection: close\r\n\r\n'));
    socket.resume();
    socket.on('close', () => resolve(offered));
    socket.on('error', () => resolve(offered));
  });
  expect(session).toBeNull();
});

test('a secret that is not there closes its own listener, from the start of the proxy, and no other; it opens when the secret comes', async () => {
  const ir = lowered(gatewayDeclarations);
  const emitted = present(emitEnvoy(ir).value);
  const certificatesDir = await temporaryFolder('gateway-certificates');
  const put = async (name: string, files: { readonly [file: string]: string }): Promise<void> => {
    await fs.mkdir(path.join(certificatesDir, name), { recursive: true });
    for (const [file, text] of Object.entries(files)) await fs.writeFile(path.join(certificatesDir, name, file), text);
  };
  const partners = await testAuthority('partners.example');
  const own = await testAuthority('servers.example');
  const pair = async (host: string): Promise<{ readonly [file: string]: string }> => {
    const { key, chain } = await own.serving([host]);
    return { 'tls.key': key, 'tls.crt': chain };
  };
  await put('platform/edge-tls', await pair('shop.example'));
  const listeners = present(ir.gateways.find(({ key }) => key === edge)).listeners.map(({ name }) => name);
  const names = [
    { id: 'edge', workload: edge, principal: principalOf(ir.trustDomain, 'platform', 'edge'), ports: [], listeners },
    {
      id: 'page',
      workload: 'bookinfo/productpage',
      principal: principalOf(ir.trustDomain, 'bookinfo', 'sa-productpage'),
      ports: ['web'],
    },
  ];
  const mesh = await runMesh(names, { trustDomain: ir.trustDomain, agent: { certificatesDir } });
  try {
    expect(environment).toBe(ir.environment);
    await mesh.release([...emitted.services, ...emitted.proxies]);
    await Promise.all(names.map(({ id }) => mesh.startAgent(id)));
    const where = (listener: string): Address =>
      present(present(mesh.inventory.instances.find(({ id }) => id === 'edge')).listeners?.[listener]);
    const shown = await partners.svid(page, workloadKey('bookinfo', 'productpage'));
    const until = (listener: string, sni: string, certificate: Shown | null): Promise<number | null> =>
      eventually(
        () => ask(where(listener), sni, certificate),
        (status) => status === 200,
        60_000,
      );
    expect(await until('web', 'shop.example', null)).toBe(200);
    expect(await ask(where('partners'), 'partners.example', shown)).toBeNull();
    // its certificate alone does not open it: whose clients count is not known yet
    await put('platform/partners-tls', await pair('partners.example'));
    expect(await ask(where('partners'), 'partners.example', shown)).toBeNull();
    await put('platform/partners-ca', { 'ca.crt': partners.trust });
    expect(await until('partners', 'partners.example', shown)).toBe(200);
    expect(await ask(where('partners'), 'partners.example', null)).toBeNull();
    expect(await ask(where('web'), 'shop.example', null)).toBe(200);
  } finally {
    await mesh.stop();
    await fs.rm(certificatesDir, { recursive: true, force: true });
  }
}, 600_000);
