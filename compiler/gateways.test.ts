/** Gateways from sources to objects: what policies say of listeners, and what policy tests make of it. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { sourceTree } from '../core/source';
import { answerQuestion } from './answer';
import { runPolicyTests } from './evaluate';
import { compile } from './pipeline';

const folder = path.join(__dirname, '..', 'policies');
const files = fs
  .readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  .map((name) => [name, fs.readFileSync(path.join(folder, name), 'utf8')] as const);

const services = `import { gateway, namespace, postgres, secret, service, tls } from 'meshwright/policy';
export const platform = namespace('platform', { team: 'platform' });
export const edge = gateway(platform, 'edge', {
  serviceAccount: 'edge',
  listeners: {
    web: {
      port: 443,
      hosts: { 'shop.acme.example': 'books' },
      certificate: secret('platform/edge-tls'),
      clients: { trust: secret('platform/partners-ca'), certificate: 'required' },
      minTls: '1.3',
    },
    plain: { protocol: 'http', port: 8080, hosts: { 'shop.acme.example': 'books' } },
    open: { protocol: 'http', port: 80, hosts: { 'shop.acme.example': 'books' }, redirect: 'https' },
    other: { port: 9443, hosts: { '*.alt.acme.example': 'books' }, certificate: secret('platform/edge-tls') },
    'other-open': { protocol: 'http', port: 9080, hosts: { '*.alt.acme.example': 'books', 'a.alt.acme.example': 'books' }, redirect: 'https' },
    pass: { protocol: 'tls', port: 8443, hosts: { '*.db.acme.example': 'platform' } },
    queue: { protocol: 'tcp', port: 5432, team: 'platform' },
  },
});
export const vault = service(platform, 'vault', { serviceAccount: 'vault', ports: { sni: tls(6443) } });
export const rows = service(platform, 'rows', { serviceAccount: 'rows', ports: { sql: postgres(5432) } });
`;
const ways = `import { internet, network } from 'meshwright/policy';
import { edge, rows, vault } from './services.policy';
const outside = internet.through(edge);
const office = network('office', ['192.0.2.77/24', '2001:db8::/48']).through(edge);
export const vaultOpen = vault.ports.sni.allow({ from: outside });
export const rowsOpen = rows.ports.sql.allow({ from: outside });
export const vaultPass = edge.listeners.pass.host('a.db.acme.example').route({ otherwise: { to: vault.ports.sni } });
export const queue = edge.listeners.queue.route({ rules: [{ when: { from: office }, to: vault.ports.sni }], otherwise: { to: rows.ports.sql, idle: '5m' } });
`;
const traffic = (text: string): string => `${text.replace('import { per, respond }', 'import { network, per, respond }')}
const office = network('office', ['192.0.2.77/24']).through(edge);
export const plainShop = edge.listeners.plain.host('shop.acme.example').route({
  rules: [{ when: { from: office, request: 'GET /productpage' }, to: productpage.ports.web }],
  otherwise: { to: respond(403) },
});
`;
const tests = `import { internet, network } from 'meshwright/policy';
import { ask, expect, reachableFrom, test } from 'meshwright/testing';
import { queue, vaultPass } from './ways.policy';
import { edge, rows, vault } from './services.policy';
const outside = internet.through(edge);
const office = network('office', ['192.0.2.0/24']).through(edge);
const [web, plain] = [edge.listeners.web.host('shop.acme.example'), edge.listeners.plain.host('shop.acme.example')];
test('who shows no certificate gets no connection', () => {
  expect(ask({ from: outside, to: web, request: 'GET /productpage' })).toBeDenied();
  expect(ask({ from: outside, to: web, request: 'GET /productpage', certificate: 'invalid' })).toBeDenied();
  expect(ask({ from: outside, to: web, request: 'GET /productpage', certificate: 'valid' })).toBeAllowed();
});
test('a network is let on', () => {
  expect(ask({ from: outside, to: plain, request: 'GET /productpage' })).toBeAnsweredWith(403);
  expect(ask({ from: office, to: plain, request: 'GET /productpage' })).toBeAllowed();
});
test('what is sent on to https', () => {
  const sent = ask({ from: outside, to: edge.listeners.open.host('shop.acme.example'), request: 'GET /productpage?u=1' });
  expect(sent).toBeAnsweredWith(301);
  expect(sent).toRedirectTo('https://shop.acme.example/productpage?u=1');
  expect(ask({ from: outside, to: edge.listeners.open.host('shop.acme.example'), request: 'GET /a/../b' })).toBeRefusedWith(400);
  expect(ask({ from: outside, to: edge.listeners.open.host('shop.acme.example'), headers: { host: 'evil.example' } })).toBeRefusedWith(404);
  const otherOpen = edge.listeners['other-open'];
  expect(ask({ from: outside, to: otherOpen.host('*.alt.acme.example') })).toRedirectTo('https://any.alt.acme.example:9443/');
  expect(ask({ from: outside, to: otherOpen.host('b.alt.acme.example') })).toRedirectTo('https://b.alt.acme.example:9443/');
  expect(ask({ from: outside, to: otherOpen.host('a.alt.acme.example') })).not.toRedirectTo('https://a.alt.acme.example/');
});
test('connections', () => {
  expect(ask({ from: outside, to: edge.listeners.pass.host('a.db.acme.example') })).toTakeRoute(vaultPass);
  expect(ask({ from: outside, to: edge.listeners.pass.host('b.db.acme.example') })).toBeDenied();
  expect(ask({ from: outside, to: edge.listeners.queue })).toGoTo(rows.ports.sql);
  expect(ask({ from: office, to: edge.listeners.queue })).toGoTo(vault.ports.sni);
  expect(ask({ from: outside, to: rows.ports.sql })).toBeAllowed();
});
`;

test('listeners of every kind, and a policy test of each', async () => {
  const tree = sourceTree([
    ...files.map(
      ([file, text]) =>
        [file, file === 'platform/services.policy.ts' ? services : file === 'books/traffic.policy.ts' ? traffic(text) : text] as const,
    ),
    ['platform/ways.policy.ts', ways],
    ['platform/ways.policy.test.ts', tests],
  ]);
  const compiled = await compile(tree, { asOf: '2026-11-22', typecheck: true });
  expect(compiled.diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  const { irs } = compiled;
  const { value, diagnostics } = await runPolicyTests(tree, {
    environments: [...irs.keys()],
    ask: (question) => answerQuestion(irs, question),
  });
  expect(diagnostics).toEqual([]);
  expect(value?.tests.map(({ name, ok, failures }) => [name, ok, failures])).toEqual([
    ['who shows no certificate gets no connection', true, []],
    ['a network is let on', true, []],
    ['what is sent on to https', true, []],
    ['connections', true, []],
  ]);
});

test('calls of gRPC come in at a host: to a port, to a version, and beside other requests', async () => {
  const rpc = `import { anyRequest, internet, grpc, service, split } from 'meshwright/policy';
import { edge, platform } from './services.policy';
export const greeter = service(platform, 'greeter', { serviceAccount: 'greeter', ports: { api: grpc(7070) }, versions: ['v1', 'v2'] });
export const greets = greeter.ports.api.allow({ from: internet.through(edge), methods: ['shop.v1.Greeter/Hello'] });
export const rpcHost = edge.listeners.rpc.host('rpc.acme.example').route({
  rules: [
    { when: { request: 'POST /shop.v1.Greeter/Hello', headers: { 'x-new': '1' } }, to: greeter.ports.api.version('v2') },
    { when: { headers: { 'x-some': '1' } }, to: split([greeter.ports.api.version('v1'), 90], [greeter.ports.api.version('v2'), 10]) },
  ],
  otherwise: { to: greeter.ports.api, timeout: '20s' },
});
`;
  const asked = `import { internet } from 'meshwright/policy';
import { ask, expect, test } from 'meshwright/testing';
import { greeter, greets, rpcHost } from './rpc.policy';
import { edge } from './services.policy';
const to = edge.listeners.rpc.host('rpc.acme.example');
test('by method', () => {
  const hello = ask({ from: internet.through(edge), to, request: 'POST /shop.v1.Greeter/Hello' });
  expect(hello).toBeAllowedBy(greets);
  expect(hello).toGoTo(greeter.ports.api);
  expect(hello).toTimeOutAfter('20s');
  expect(ask({ from: internet.through(edge), to, request: 'POST /shop.v1.Greeter/Bye' })).toBeDenied();
  expect(ask({ from: internet.through(edge), to, request: 'POST /shop.v1.Greeter/Hello', headers: { 'x-new': '1' } })).toTakeRoute(rpcHost, 0);
  expect(ask({ from: internet.through(edge), to, request: 'POST /shop.v1.Greeter/Hello', headers: { 'x-new': '1' } })).toGoTo('v2');
});
`;
  const tree = sourceTree([
    ...files.map(
      ([file, text]) =>
        [
          file,
          file === 'platform/services.policy.ts'
            ? services.replace(
                '    plain:',
                "    rpc: { port: 444, hosts: { 'rpc.acme.example': 'platform' }, certificate: secret('platform/edge-tls') },\n    plain:",
              )
            : text,
        ] as const,
    ),
    ['platform/ways.policy.ts', ways],
    ['platform/rpc.policy.ts', rpc],
    ['platform/rpc.policy.test.ts', asked],
  ]);
  const { diagnostics, irs } = await compile(tree, { asOf: '2026-11-22', typecheck: true });
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  const ran = await runPolicyTests(tree, { environments: [...irs.keys()], ask: (question) => answerQuestion(irs, question) });
  expect(ran.diagnostics).toEqual([]);
  expect(ran.value?.tests.map(({ name, failures }) => [name, failures])).toEqual([['by method', []]]);
});
