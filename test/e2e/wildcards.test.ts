/**
 * Hosts outside the mesh by a wildcard: whoever writes the names of a domain says where they lead, so where they may lead, and who has to be there, is
 * what counts. A name server that says all there is to be said, servers with certificates and without, real Envoys, the gateway's among them.
 */
import * as fs from 'node:fs/promises';
import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import * as path from 'node:path';
import * as tls from 'node:tls';
import { planSteps } from '../../compiler/analyse/order';
import { emitEnvoy } from '../../compiler/emit/envoy/index';
import { lower } from '../../compiler/lower/index';
import type { DeclarationValue } from '../../core/declarations/declaration';
import type { MeshIr } from '../../core/ir/ir';
import { proxyNameOf } from '../../core/ir/proxy-name';
import { portKey, type Principal, workloadKey } from '../../core/mesh/ids';
import { decide } from '../../core/semantics/decide';
import { temporaryFolder } from '../../platform/files';
import type { Svid } from '../../runtime-proxy/ca/client';
import { constantArrival } from '../kit/constant-arrival';
import { egress, evaluatedWith, named, running, service } from '../kit/declarations';
import { type DnsServer, serveDns, type ZoneRecord } from '../kit/dns-server';
import { envoyWithNames } from '../kit/envoy-with-names';
import { eventually } from '../kit/layered-mesh';
import { openOutsideWorld, type OutsideWorld } from '../kit/outside-world';
import { present } from '../kit/present';
import { sendRaw } from '../kit/raw-http';
import { runMesh, type RunningMesh } from '../kit/running-mesh';
import { svidOf } from '../kit/xds-client';

jest.setTimeout(600_000);

type External = Extract<DeclarationValue, { readonly kind: 'external' }>;
type Access = Extract<DeclarationValue, { readonly kind: 'access'; readonly action: 'allow' | 'deny' }>;
const external = (name: string, hosts: readonly string[], number: number, more: Partial<External> = {}): DeclarationValue => ({
  ...{ kind: 'external', name, team: 'books', hosts, ports: { api: { protocol: 'https', number } }, trust: 'bookinfo/partner' },
  ...more,
});
const call = (to: string, more: Partial<Access> = {}): DeclarationValue =>
  ({
    ...{ kind: 'access', action: 'allow', port: { ref: to, port: 'api' }, from: [named('books/productpage')], requests: 'any' },
    ...more,
  }) as DeclarationValue; // decoding: of two kinds of rule, the one whose members are given

const ids = { page: 'page', details: 'details', egress: 'egress' };
/** The one address that names may lead to, and one beside it, where somebody listens at the same number. */
const [here, beside] = ['127.0.0.1', '127.0.0.2'];
const a = (...addresses: readonly string[]): readonly ZoneRecord[] =>
  addresses.map((address) => ({ type: address.includes(':') ? 'AAAA' : 'A', ttl: 60, address }));
/** IPv6 in eight groups, as the name server of the kit takes it. */
const within = {
  loopback: here,
  'loopback of IPv6': '0:0:0:0:0:0:0:1',
  'a private network': '10.0.0.7',
  'another private network': '172.16.0.1',
  'a third': '192.168.1.1',
  'the metadata service': '169.254.169.254',
  'a carrier': '100.100.100.200',
  'no machine': '0.0.0.0',
  'many machines': '224.0.0.1',
  'a private network of IPv6': 'fd00:ec2:0:0:0:0:0:254',
  'the link': 'fe80:0:0:0:0:0:0:1',
  'loopback in the spelling of IPv6': '0:0:0:0:0:ffff:7f00:1',
  'loopback through NAT64': '64:ff9b:0:0:0:0:7f00:1',
  'loopback by 6to4': '2002:7f00:1:0:0:0:0:1',
};
let world: OutsideWorld;
let names: DnsServer;
let mesh: RunningMesh;
let folder = '';
let number = 0;
/** Of a server that speaks gRPC. */
let rpcs = 0;
let declared: Readonly<Record<string, DeclarationValue | null>> = {};
let ir: MeshIr;
/** Connections to the address that no name may lead to. */
let strayed = 0;
/** What the server that fails once has been asked, by host. */
const failed = new Set<string>();

beforeAll(async () => {
  world = await openOutsideWorld();
  names = await serveDns();
  folder = await temporaryFolder('wildcards');
  await fs.mkdir(path.join(folder, 'bookinfo/partner'), { recursive: true });
  await fs.writeFile(path.join(folder, 'bookinfo/partner/ca.crt'), world.authority.trust);
  const said = ['docs', 'files', 'a.b', 'mixed', 'strayed', 'special', 'x.deep', 'leads', 'fails'].map((name) => `${name}.wild.example`);
  const { key, chain } = await world.authority.serving([
    ...said,
    'docs.far.example',
    'mixed.far.example',
    'special.far.example',
    'docs.many.example',
    'a.rpc.example',
  ]);
  const server = https.createServer({ key, cert: chain }, (asked, response) => {
    const host = asked.headers.host ?? '';
    world.seen.push({ sni: String(Reflect.get(asked.socket, 'servername')), host, url: asked.url ?? '', headers: asked.headers });
    response.statusCode = host.startsWith('fails.') && !failed.has(host) ? 503 : 200;
    failed.add(host);
    response.end('from outside');
  });
  number = await world.listens(server, here);
  const calls = http2.createSecureServer({ key, cert: chain }, (asked, response) => {
    const { host = asked.authority } = asked.headers;
    world.seen.push({ sni: '', host, url: asked.url, headers: asked.headers });
    response.writeHead(200, { 'content-type': 'application/grpc', 'grpc-status': '0' });
    response.end();
  });
  rpcs = await world.listens(calls, here);
  names.zone.set('a.rpc.example', a(here));
  const there = https.createServer({ key, cert: chain }, (_asked, response) => response.end('from within'));
  there.on('connection', () => void (strayed += 1));
  await world.listens(there, beside, number);
  for (const name of said) names.zone.set(name, a(here));
  for (const name of ['docs.far.example', 'special.far.example', 'docs.many.example', 'forged.wild.example', 'forged.far.example'])
    names.zone.set(name, a(here));
  names.zone.set('strayed.wild.example', a(beside));
  // the first address decides nothing: what fails there is tried at the next
  for (const domain of ['wild', 'far']) names.zone.set(`mixed.${domain}.example`, a(beside, '10.0.0.7', here));
  for (const [index, address] of Object.values(within).entries()) names.zone.set(`n${index}.open.example`, a(address));
  declared = {
    ...running,
    ...egress,
    'books/details': service('books/bookinfo', 'details'),
    'books/wild': external('wild', ['*.wild.example'], number, { at: [`${here}/32`] }),
    'books/pageReads': call('books/wild', { requests: ['GET /v1/{rest...}'] }),
    'books/pageWritesDocs': call('books/wild', { requests: ['POST /v1/{rest...}'], hosts: ['docs.wild.example'] }),
    'books/wildRoutes': {
      kind: 'route',
      on: { ref: 'books/wild', port: 'api' },
      rules: [
        {
          when: { request: ['GET /v1/copied'] },
          to: { kind: 'target', to: { ref: 'books/wild', port: 'api' } },
          mirror: [{ to: { ref: 'books/wild', port: 'api' }, share: '100%' }],
        },
      ],
      otherwise: { to: { kind: 'target', to: { ref: 'books/wild', port: 'api' } }, retry: { atMost: 2, perTry: '5s', on: ['5xx'] } },
    } as DeclarationValue,
    // named closer, by others: page may not call them
    'books/special': external('special', ['special.wild.example', 'special.far.example'], number),
    'books/deep': external('deep', ['*.deep.wild.example'], number, { at: [`${here}/32`] }),
    'books/detailsCallsSpecial': call('books/special', { from: [named('books/details')] } as Partial<Access>),
    'books/open': external('open', ['*.open.example'], number),
    'books/pageCallsOpen': call('books/open'),
    'books/many': external('many', ['*.many.example'], number, { at: [`${here}/32`] }),
    'books/pageCallsMany': call('books/many'),
    'books/rpc': external('rpc', ['*.rpc.example'], rpcs, {
      ports: { api: { protocol: 'grpcs', number: rpcs } },
      at: [`${here}/32`],
    }),
    'books/pageCalls': call('books/rpc', { requests: ['t.v1.Echo/Say'] }),
    'books/far': external('far', ['*.far.example'], number, { at: ['10.9.0.0/16'], through: { ref: 'platform/egress' } }),
    'books/pageReadsFar': call('books/far', { requests: ['GET /v1/{rest...}'] }),
  };
  ir = meshOf(declared);
  const emitted = present(emitEnvoy(ir).value);
  mesh = await runMesh(
    [
      { id: ids.page, workload: 'bookinfo/productpage', principal: principal('bookinfo/productpage'), ports: ['web'] },
      { id: ids.details, workload: 'bookinfo/details', principal: principal('bookinfo/details'), ports: ['web'] },
      { id: ids.egress, workload: 'platform/egress', principal: principal('platform/egress'), ports: ['egress'], listeners: [] },
    ],
    { agent: { certificatesDir: folder, envoy: await envoyWithNames(folder, names.address) } },
  );
  const { status, json } = await mesh.release([...emitted.services, ...emitted.proxies]);
  expect([status, json]).toMatchObject([202, {}]);
  await Promise.all(Object.values(ids).map((id) => mesh.startAgent(id)));
  await mesh.until(
    'all are active',
    ({ proxies }) => proxies.length >= 3 && proxies.every(({ parts }) => Object.values(parts).every(({ phase }) => phase === 'active')),
  );
});
afterAll(async () => {
  await mesh?.stop();
  await names?.close();
  world?.close();
  if (folder !== '') await fs.rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  world.forget();
  strayed = 0;
});

/** No policy says of a gateway that it is led to loopback: its machine is the one of all here. */
function meshOf(all: typeof declared): MeshIr {
  const { value, diagnostics } = lower(evaluatedWith(all), 'prod');
  if (!value) throw new Error(JSON.stringify(diagnostics));
  return ledTo(value, 'outside/far', here);
}
/** Sends it out in the order that it needs, and waits until it is in force. */
async function changed(before: MeshIr, after: MeshIr): Promise<void> {
  const { services, proxies } = present(emitEnvoy(after).value);
  const { status, signed } = await mesh.release([...services, ...proxies], { steps: present(planSteps(before, after, proxyNameOf).value) });
  expect(status).toBe(202);
  await mesh.until('converged', (now) => now.state === 'converged' && now.generation === signed.release.generation, 120_000);
}
/** A mesh in which the names of one wildcard lead to that address alone. */
const ledTo = (mesh: MeshIr, key: string, address: string): MeshIr => ({
  ...mesh,
  services: mesh.services.map((one) =>
    one.key === key && one.outside ? { ...one, outside: { ...one.outside, at: [`${address}/32`] } } : one,
  ),
});
const principal = (key: string): Principal => present(ir.workloads.find((workload) => workload.key === key)).principal;
const letIn = { outcome: 'allow', status: null };
const keptOut = { outcome: 'deny', status: 403 };

/** A request of an application to its proxy, with the answer and what the definition says of it. */
async function asks(id: 'page' | 'details', to: string, host: string, url = '/v1/x', method = 'GET') {
  const answer = await mesh.call(id, host, url, { method });
  const defined = decide(ir, {
    from: { kind: 'workload', workload: workloadKey('bookinfo', id === 'page' ? 'productpage' : 'details') },
    to: portKey(workloadKey('outside', to), 'api'),
    ...{ method, path: url, headers: { host } },
  });
  return { status: answer.status, body: answer.body, defined: { outcome: defined.outcome, status: defined.status } };
}
/** A number that a proxy counts. */
async function counted(id: string, what: RegExp): Promise<number> {
  const text = await new Promise<string>((resolve, reject) => {
    const asked = http.get({ socketPath: present(mesh.agents.get(id)).adminSocket, path: '/stats' }, (response) => {
      let all = '';
      response.on('data', (chunk: Buffer) => (all += chunk.toString('utf8')));
      response.on('end', () => resolve(all));
    });
    asked.on('error', reject);
  });
  return Number(present(text.split('\n').find((line) => what.test(line))).replace(/^.*: /, ''));
}

describe('under a wildcard', () => {
  test('any name is called, that of several labels too; the proxy asks for it, and its server proves it', async () => {
    for (const name of ['docs', 'files', 'a.b', 'DOCS'])
      expect(await asks('page', 'wild', `${name}.wild.example:${number}`)).toEqual({ status: 200, body: 'from outside', defined: letIn });
    expect(world.seen.map(({ sni }) => sni.toLowerCase())).toEqual(['docs', 'files', 'a.b', 'docs'].map((name) => `${name}.wild.example`));
  });
  test('a server that proves another name gets no request', async () => {
    expect(await asks('page', 'wild', `forged.wild.example:${number}`)).toMatchObject({ status: 503, defined: letIn });
    expect(await asks('page', 'far', `forged.far.example:${number}`)).toMatchObject({ status: 503, defined: letIn });
    expect(world.seen).toEqual([]);
  });
  test('access is by request, and by name', async () => {
    expect(await asks('page', 'wild', `files.wild.example:${number}`, '/v2/x')).toMatchObject({ status: 403, defined: keptOut });
    expect(await asks('page', 'wild', `files.wild.example:${number}`, '/v1/x', 'POST')).toMatchObject({ status: 403, defined: keptOut });
    expect(await asks('page', 'wild', `docs.wild.example:${number}`, '/v1/x', 'POST')).toMatchObject({ status: 200, defined: letIn });
    expect(await asks('details', 'wild', `docs.wild.example:${number}`)).toMatchObject({ status: 403, defined: keptOut });
    expect(world.seen).toHaveLength(1);
  });
  test.each([
    ['the domain itself', () => `wild.example:${number}`],
    ['a name that only ends alike', () => `notwild.example:${number}`],
    ['no name', () => `.wild.example:${number}`],
    ['another number', () => `docs.wild.example:${number + 1}`],
    ['no number, where it is not 443', () => 'docs.wild.example'],
    ['a name of the root', () => `docs.wild.example.:${number}`],
    ['an address', () => `${here}:${number}`],
    ['a number for an address', () => `0x7f.1:${number}`],
  ])('%s is not under it', async (_what, host) => {
    expect(await asks('page', 'wild', host())).toMatchObject({ status: 403, defined: keptOut });
    expect([world.seen, strayed]).toEqual([[], 0]);
  });
  const long = 'a'.repeat(63);
  /** Names under `*.<domain>` of so many characters in all. */
  const filled = (characters: number, domain: string): string =>
    [long, long, long, 'a'.repeat(characters - domain.length - 1 - 3 * 64)].join('.');
  const askable = ['plain', long, '-a', 'a-', '_a', 'a_b', '-', '_', '*', 'a*b', 'xn--4ca', '1', '0x7f.1', '127.0.0.1'];
  const unaskable = [
    'a..b',
    '.a',
    '..',
    `${long}a`,
    `x.${long}a`,
    '127.0.0.1:80',
    'x:',
    'you@docs',
    'you:me@docs',
    '[::1]',
    '[docs',
    'docs]',
    'a%41',
    '%41',
  ];
  const marks = [..."!$&'()+,;=~"].map((mark) => `a${mark}b`);
  const none = [...' "/?#\\<>^`{|}\t\u00e4'].map((mark) => `a${mark}b`);
  test.each([
    ['wild', 'wild.example'],
    ['far', 'far.example'],
  ] as const)('an odd Host is answered as the definition says, and looked up where that lets it in: %s', async (to, domain) => {
    const outcomes: string[] = [];
    const odd = [...askable, filled(255, domain), ...unaskable, filled(256, domain), ...marks, ...none];
    const judged = ['you@docs', 'a..b', 'a b', 'plainly'];
    for (const [index, label] of [...odd, ...judged].entries()) {
      const url = index < odd.length ? '/v1/x' : '/v2/x';
      const name = `${label}.${domain}`;
      const headers = { host: `${name}:${number}` };
      const defined = decide(ir, {
        from: { kind: 'workload', workload: workloadKey('bookinfo', 'productpage') },
        to: portKey(workloadKey('outside', to), 'api'),
        ...{ method: 'GET', path: url, headers },
      });
      names.asked.clear();
      const { status } = await sendRaw(present(mesh.inventory.instances.find(({ id }) => id === ids.page)?.outbound), {
        ...{ method: 'GET', path: url, host: headers.host, headers: [] },
      });
      // nobody has any of these names, so what is let in and looked up has no addresses
      const looked = names.asked.has(`A ${name}`);
      expect([name, url, status, looked]).toEqual([name, url, defined.status ?? 503, defined.outcome === 'allow']);
      outcomes.push(`${defined.outcome} ${defined.status}`);
    }
    expect([world.seen, strayed]).toEqual([[], 0]);
    const times = (count: number, outcome: string): readonly string[] => Array.from({ length: count }, () => outcome);
    expect(outcomes).toEqual([
      ...times(askable.length + 1, 'allow null'),
      ...times(unaskable.length + 1 + marks.length, 'deny 503'),
      ...times(none.length, 'deny 400'),
      // access comes first, but for what no proxy tells another
      ...[to === 'far' ? 'deny 503' : 'deny 403', 'deny 403', 'deny 400', 'deny 403'],
    ]);
  });
  test('gRPC by method, of any name', async () => {
    const headers = { 'content-type': 'application/grpc', te: 'trailers' };
    const says = (host: string, method: string) =>
      mesh.call('page', `${host}:${rpcs}`, `/t.v1.Echo/${method}`, { method: 'POST', headers });
    expect((await says('a.rpc.example', 'Say')).status).toBe(200);
    expect(world.seen).toMatchObject([{ url: '/t.v1.Echo/Say', host: `a.rpc.example:${rpcs}` }]);
    await says('a.rpc.example', 'Other');
    await says('nobody.rpc.example', 'Say');
    expect(world.seen).toHaveLength(1);
  });
  test('what others name closer is theirs', async () => {
    for (const name of ['special.wild.example', 'x.deep.wild.example', 'SPECIAL.wild.example']) {
      expect(await asks('page', 'wild', `${name}:${number}`)).toMatchObject({
        status: 403,
        body: 'meshwright: bookinfo/productpage may not call this host\n',
        defined: keptOut,
      });
    }
    expect(await asks('page', 'far', `special.far.example:${number}`)).toMatchObject({ status: 403, defined: keptOut });
    expect(await asks('details', 'special', `special.wild.example:${number}`)).toMatchObject({ status: 200, defined: letIn });
  });
  test('a request that fails is tried again, and copies go to the same name', async () => {
    expect(await asks('page', 'wild', `fails.wild.example:${number}`)).toMatchObject({ status: 200, defined: letIn });
    expect(world.seen).toHaveLength(2);
    world.forget();
    expect(await asks('page', 'wild', `docs.wild.example:${number}`, '/v1/copied')).toMatchObject({ status: 200, defined: letIn });
    await eventually(
      () => world.seen.length,
      (seen) => seen === 2,
    );
    expect(world.seen.map(({ sni, host }) => [sni, host])).toEqual(
      Array.from({ length: 2 }, () => ['docs.wild.example', `docs.wild.example:${number}`]),
    );
    const usual = ['host', 'connection', 'x-forwarded-proto', 'x-request-id', 'transfer-encoding', 'content-length'];
    expect(world.seen.flatMap(({ headers }) => Object.keys(headers).filter((name) => !usual.includes(name)))).toEqual([]);
  });
});

describe('whoever writes the names', () => {
  test('leads nobody to another address than those that may be', async () => {
    expect(await asks('page', 'wild', `strayed.wild.example:${number}`)).toMatchObject({ status: 503, defined: letIn });
    expect([world.seen, strayed]).toEqual([[], 0]);
    expect(await counted(ids.page, /^dns_cache\.outside\/wild.*dns_address_filter_out/)).toBeGreaterThan(0);
  });
  test.each([
    ['wild', ids.page],
    ['far', ids.egress],
  ] as const)('nor by several addresses for one name: %s', async (to, dialling) => {
    const before = await counted(dialling, new RegExp(`^dns_cache\\.outside/${to}.*dns_address_filter_out`));
    expect(await asks('page', to, `mixed.${to}.example:${number}`)).toEqual({ status: 200, body: 'from outside', defined: letIn });
    expect(strayed).toBe(0);
    expect(await counted(dialling, new RegExp(`^dns_cache\\.outside/${to}.*dns_address_filter_out`))).toBeGreaterThanOrEqual(before + 2);
  });
  test.each(Object.keys(within).map((what, index) => [what, index] as const))(
    'leads nobody within, where nobody says where hosts are: %s',
    async (_what, index) => {
      const refused = /^dns_cache\.outside\/open.*dns_address_filter_out/;
      const before = await counted(ids.page, refused);
      expect(await asks('page', 'open', `n${index}.open.example:${number}`)).toMatchObject({ status: 503, defined: letIn });
      expect([world.seen, strayed, world.refusals()]).toEqual([[], 0, 0]);
      // names that lead nowhere are asked for again after a while, those of the cases before too
      expect(await counted(ids.page, refused)).toBeGreaterThan(before);
    },
  );
  test("a name that is nobody's answers 503", async () => {
    expect(await asks('page', 'wild', `nobody.wild.example:${number}`)).toMatchObject({ status: 503, defined: letIn });
  });
});

test('through a gateway it alone looks names up, and judges', async () => {
  expect(await asks('page', 'far', `docs.far.example:${number}`)).toEqual({ status: 200, body: 'from outside', defined: letIn });
  expect(await asks('page', 'far', `docs.far.example:${number}`, '/v2/x')).toMatchObject({ status: 403, defined: keptOut });
  expect(world.seen).toMatchObject([{ sni: 'docs.far.example', host: `docs.far.example:${number}` }]);
  expect(Object.keys(world.seen[0]?.headers ?? {}).filter((name) => /^x-(forwarded-client|envoy)/.test(name))).toEqual([]);
  expect(await counted(ids.egress, /^dns_cache\.outside\/far.*num_hosts/)).toBeGreaterThan(0);
});

test('who goes to the gateway by himself gets there what nobody names closer', async () => {
  const page = await svidOf(mesh, { instance: ids.page, workload: 'bookinfo/productpage', principal: principal('bookinfo/productpage') });
  expect(await knock(page, 'docs.far.example')).toBe('200');
  expect(await knock(page, 'special.far.example')).toBe('421');
  expect(await knock(page, 'docs.wild.example')).toBe('421');
  expect(world.seen.map(({ sni }) => sni)).toEqual(['docs.far.example']);
});
/** A request to the gateway's door for `far`, by a client of its own making. */
function knock(as: Svid, name: string): Promise<string> {
  const { host, port } = present(mesh.inventory.instances.find(({ id }) => id === ids.egress)?.inbound['egress']);
  return new Promise((resolve) => {
    const session = http2.connect(`https://${name}:${number}`, {
      createConnection: () =>
        tls.connect({
          ...{ host, port, servername: 'api.far.outside', ALPNProtocols: ['h2'], rejectUnauthorized: false },
          ...{ key: as.key, cert: as.chain },
        }),
    });
    session.on('error', (error) => resolve(`refused: ${error.message}`));
    const asked = session.request({ ':path': '/v1/x', ':authority': `${name}:${number}` });
    asked.on('error', (error) => resolve(`refused: ${error.message}`));
    asked.on('response', (headers) => {
      resolve(String(headers[':status']));
      session.destroy();
    });
    asked.end();
  });
}

test('names without end fill the place that there is for those of one wildcard, and no other', async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 50 });
  const answers = await Promise.all(
    Array.from({ length: 1100 }, (_, index) => mesh.call(ids.page, `x${index}.many.example:${number}`, '/v1/x', { agent })),
  );
  agent.destroy();
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
  expect(await counted(ids.page, /^dns_cache\.outside\/many.*num_hosts/)).toBeLessThan(1100);
  expect(await counted(ids.page, /^dns_cache\.outside\/many.*host_overflow/)).toBeGreaterThan(0);
  expect(await asks('page', 'many', `docs.many.example:${number}`)).toMatchObject({ status: 503, defined: letIn });
  expect(names.asked.get('A docs.many.example')).toBeUndefined();
  expect(await asks('page', 'wild', `docs.wild.example:${number}`)).toMatchObject({ status: 200, defined: letIn });
});

test('no request fails while a name is taken out of a wildcard behind the gateway, and comes back', async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  const bad: string[] = [];
  let sent = 0;
  const arrivals = constantArrival(
    100,
    async (index) => {
      sent = index;
      const answer = await mesh.call(ids.page, `docs.far.example:${number}`, `/v1/${index}`, { agent }).catch(String);
      if (typeof answer === 'string' || answer.status !== 200) bad.push(`${index}: ${typeof answer === 'string' ? answer : answer.status}`);
    },
    { mostUnderWay: 32 },
  );
  const goOn = async (): Promise<void> => {
    for (const end = sent + 40; sent < end;) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  try {
    const named = meshOf({
      ...declared,
      'books/near': external('near', ['docs.far.example'], number, { through: { ref: 'platform/egress' } }),
      'books/pageReadsNear': call('books/near', { requests: ['GET /v1/{rest...}'] }),
    });
    await goOn();
    await changed(ir, named);
    await goOn();
    await changed(named, ir);
    await goOn();
  } finally {
    await arrivals.stop();
    agent.destroy();
  }
  expect(bad).toEqual([]);
});

test('networks that are taken away hold for nobody any more, those that are added for all', async () => {
  expect(await asks('page', 'wild', `docs.wild.example:${number}`)).toMatchObject({ status: 200 });
  await changed(ir, ledTo(ir, 'outside/wild', beside));
  expect(await asks('page', 'wild', `docs.wild.example:${number}`)).toMatchObject({ status: 503, defined: letIn });
  expect(world.seen).toHaveLength(1);
  expect(await asks('page', 'wild', `strayed.wild.example:${number}`)).toMatchObject({ status: 200, body: 'from within' });
});
