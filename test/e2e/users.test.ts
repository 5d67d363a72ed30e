/** End users, as the definition has them and as real Envoys do it, with tokens that are really signed. */
import * as crypto from 'node:crypto';
import * as http from 'node:http';
import * as jose from 'jose';
import { emitEnvoy } from '../../compiler/emit/envoy';
import type { MeshIr } from '../../core/ir/ir';
import type { JsonObject } from '../../core/lib/json';
import { decide } from '../../core/semantics/decide';
import type { MeshRequest } from '../../core/semantics/decision';
import { freePorts } from '../../platform/ports';
import { staticBootstrap } from '../../runtime-proxy/validate/static-bootstrap';
import { askEnvoy, difference } from '../kit/ask-envoy';
import { key, web } from '../kit/bookinfo-ir';
import { testAuthority } from '../kit/certificates';
import { type RunningEnvoy, startEnvoy } from '../kit/envoy';
import { type RawAnswer, testApps } from '../kit/raw-http';
import { acme, partner, users } from '../kit/users-ir';
import { layOut, wholeMesh, type WholeMesh } from '../kit/whole-mesh';

type Signer = Awaited<ReturnType<typeof signer>>;
async function signer(alg: string, kid: string) {
  const { publicKey, privateKey } = await jose.generateKeyPair(alg, { extractable: true });
  return { alg, kid, publicKey, privateKey, jwk: { ...(await jose.exportJWK(publicKey)), kid, alg } };
}

jest.setTimeout(300_000);
const apps = testApps();
const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA'];
let ir: MeshIr;
let mesh: WholeMesh;
let client: RunningEnvoy;
let server: RunningEnvoy;
let keys: readonly Signer[];
let partnerKey: Signer;

beforeAll(async () => {
  keys = await Promise.all(algorithms.map((alg) => signer(alg, `k-${alg}`)));
  partnerKey = await signer('ES256', 'p');
  ir = users({ acme: keys.map(({ jwk }) => jwk), partner: [partnerKey.jwk] });
  const emitted = emitEnvoy(ir);
  if (!emitted.value) throw new Error(emitted.diagnostics.map((d) => d.message).join('\n'));
  const authority = await testAuthority(ir.trustDomain);
  mesh = await wholeMesh(ir, emitted.value, await layOut(ir), authority);
  await apps.listen(mesh.apps.keys());
  const [clientAdmin = 0, serverAdmin = 0] = await freePorts(2);
  const bootstrap = (side: WholeMesh['client'], adminPort: number) =>
    staticBootstrap({ proxies: [side.proxy], adminPort, secrets: side.secrets, assignments: side.assignments });
  [client, server] = await Promise.all([
    startEnvoy(bootstrap(mesh.client, clientAdmin), clientAdmin),
    startEnvoy(bootstrap(mesh.server, serverAdmin), serverAdmin),
  ]);
});
afterAll(() => Promise.all([client?.stop(), server?.stop(), apps.close()]));

const present = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error('not there');
  return value;
};
const now = (): number => Math.floor(Date.now() / 1000);
const good = (claims: JsonObject = {}): JsonObject => ({ iss: acme, aud: 'shop', exp: now() + 3_600, ...claims });
const sign = (claims: JsonObject, by: Signer = present(keys[0])): Promise<string> =>
  new jose.SignJWT({ ...claims }).setProtectedHeader({ alg: by.alg, kid: by.kid }).sign(by.privateKey);

type Asked = Pick<MeshRequest, 'from' | 'to' | 'method' | 'path'>;
const within = (line: string, to: string): Asked => {
  const [method = '', path = ''] = line.split(' ');
  return { from: { kind: 'workload', workload: key('productpage') }, to: web(to), method, path };
};
const outside = (path: string): Asked => ({
  from: { kind: 'outside', gateway: present(ir.gateways[0]).key, listener: 'web', host: 'shop.example' },
  to: null,
  method: 'GET',
  path,
});
/** Envoy's answer to the token, held against the definition's answer to its claims. */
async function both(asked: Asked, token: string | null, claims: MeshRequest['claims']): Promise<RawAnswer> {
  const headers: { readonly [name: string]: string } = token === null ? {} : { authorization: `Bearer ${token}` };
  const request: MeshRequest = { ...asked, headers, ...(claims === undefined ? {} : { claims }) };
  const answer = await askEnvoy(ir, mesh, request);
  expect([asked.path, difference(ir, mesh, request, answer)]).toEqual([asked.path, null]);
  return answer;
}
const asUser = async (asked: Asked, claims: JsonObject, by?: Signer): Promise<RawAnswer> => both(asked, await sign(claims, by), claims);
const versionOf = (answer: RawAnswer): string | null | undefined => mesh.apps.get(Number(answer.headers['x-app']))?.version;

test.each(algorithms.map((alg, index) => [alg, index] as const))('a token signed with %s is taken at every hop', async (_, index) => {
  const claims = good({ groups: ['a', 'editors'] });
  expect((await asUser(within('POST /details/7', 'details'), claims, keys[index])).status).toBe(200);
});

test('a route inside is chosen by claims, and the token is sent on', async () => {
  const page = within('GET /reviews/7', 'reviews');
  expect(versionOf(await both(page, null, undefined))).toBe('v1');
  expect(versionOf(await asUser(page, good()))).toBe('v1');
  expect(versionOf(await asUser(page, good({ role: 'admin' })))).toBe('v3');
  expect(versionOf(await asUser(page, good({ groups: ['beta'] })))).toBe('v2');
  expect(versionOf(await asUser(page, good({ role: ['admin'], groups: 'beta' })))).toBe('v1');
  expect(versionOf(await asUser(page, good({ role: 'Admin' })))).toBe('v1');
  expect(versionOf(await asUser(page, good({ iss: partner, role: 'admin' }), partnerKey))).toBe('v1');
});

test('a route at the gateway is chosen by claims', async () => {
  expect((await both(outside('/productpage'), null, undefined)).status).toBe(200);
  expect((await asUser(outside('/productpage'), good({ tier: 'silver' }))).status).toBe(299);
  expect((await asUser(outside('/productpage'), good({ tier: 'iron' }))).status).toBe(200);
  expect((await asUser(outside('/productpage'), good({ iss: partner }), partnerKey)).status).toBe(298);
});

test('who is let in depends on the claims', async () => {
  const edit = within('POST /details/7', 'details');
  expect((await both(edit, null, undefined)).status).toBe(403);
  expect((await asUser(edit, good())).status).toBe(403);
  expect((await asUser(edit, good({ groups: 'editors' }))).status).toBe(403);
  expect((await asUser(edit, good({ groups: ['editor', 'x'] }))).status).toBe(403);
  expect((await asUser(edit, good({ iss: partner, groups: ['editors'] }), partnerKey)).status).toBe(403);
  expect((await asUser(edit, good({ aud: ['other', 'shop-admin'], groups: ['x', 'editors'] }))).status).toBe(200);
  expect((await asUser(within('GET /partners', 'details'), good({ iss: partner }), partnerKey)).status).toBe(200);
  expect((await asUser(within('GET /partners', 'details'), good())).status).toBe(403);
});

test('all claims must hold, and the name of a claim is one name', async () => {
  const many = within('GET /many', 'details');
  const role = 'https://acme.example/role.name';
  expect((await asUser(many, good({ groups: ['editors'], [role]: 'admin' }))).status).toBe(200);
  expect((await asUser(many, good({ groups: ['editors'] }))).status).toBe(403);
  expect((await asUser(many, good({ groups: ['editors'], 'https://acme': { 'example/role': { name: 'admin' } } }))).status).toBe(403);
});

test('a rule without a user lets in whoever has no token, or a valid one', async () => {
  const read = within('GET /details/7', 'details');
  expect((await both(read, null, undefined)).status).toBe(200);
  expect((await asUser(read, good())).status).toBe(200);
});

const badTokens: readonly (readonly [string, () => Promise<string>])[] = [
  ['a wrong signature', async () => sign(good({ role: 'admin' }), { ...(await signer('RS256', 'k-RS256')) })],
  ['a signature of another issuer', () => sign(good(), { ...partnerKey, kid: 'k-ES256' })],
  ['an issuer that nobody named', () => sign(good({ iss: 'https://evil.example' }))],
  ['no issuer', async () => sign({ aud: 'shop', exp: now() + 3_600 })],
  ['another audience', () => sign(good({ aud: 'bank' }))],
  ['no audience', async () => sign({ iss: acme, exp: now() + 3_600 })],
  ['a time that is over', () => sign(good({ exp: now() - 600 }))],
  ['no end', async () => sign({ iss: acme, aud: 'shop' })],
  ['a time that has not come', () => sign(good({ nbf: now() + 600 }))],
  ['a key that nobody named', () => sign(good(), { ...present(keys[0]), kid: 'other' })],
  [
    'alg none',
    async () => {
      return `${part({ alg: 'none' })}.${part(good({ role: 'admin' }))}.`;
    },
  ],
  [
    'HS256 with the public key as the secret',
    async () => {
      const { publicKey, kid } = present(keys[0]);
      const secret = Buffer.from(await jose.exportSPKI(publicKey));
      return new jose.SignJWT({ ...good({ role: 'admin' }) }).setProtectedHeader({ alg: 'HS256', kid }).sign(secret);
    },
  ],
  ['RS512 with the right key', () => signWith('RS512')],
  ['no token at all after the word', async () => 'nonsense'],
];
async function signWith(alg: string): Promise<string> {
  const { privateKey, kid } = present(keys[0]);
  const again = await jose.importPKCS8(await jose.exportPKCS8(privateKey), alg);
  return new jose.SignJWT({ ...good() }).setProtectedHeader({ alg, kid }).sign(again);
}
test.each(badTokens)('%s is answered 401 wherever rules speak of users', async (_, make) => {
  const token = await make();
  expect((await both(outside('/productpage'), token, 'invalid')).status).toBe(401);
  expect((await both(within('GET /reviews/7', 'reviews'), token, 'invalid')).status).toBe(401);
  expect((await both(within('GET /details/7', 'details'), token, 'invalid')).status).toBe(401);
  // nobody speaks of users there, or a rule in shadow alone does
  expect((await both(within('GET /ratings/7', 'ratings'), token, 'invalid')).status).toBe(200);
});

const part = (value: object | string): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
/** A token of exactly these bytes, by the EdDSA key. */
async function signText(payload: string, header: object = {}): Promise<string> {
  const by = present(keys[3]);
  const input = `${part({ alg: by.alg, kid: by.kid, ...header })}.${part(payload)}`;
  const signature = crypto.sign(null, Buffer.from(input), await jose.exportPKCS8(by.privateKey));
  return `${input}.${signature.toString('base64url')}`;
}
const editor = (more: JsonObject = {}): string => JSON.stringify(good({ groups: ['editors'], ...more }));
/** So many texts between the first brace and the rest. */
const first = (member: string): string => editor().replace('{', `{${member},`);

test.each<[string, () => string, object?]>([
  ['an end that is a text', () => editor({ exp: String(now() + 100) })],
  ['an end beyond 64 bits', () => first('"x":1').replace(/"exp":[0-9]+/, '"exp":18446744073709551616')],
  ['two ends, the first over', () => first(`"exp":${now() - 1_000}`)],
  ['two lists of one name', () => first('"groups":["x"]')],
  ['a `sub` that is a number', () => editor({ sub: 7 })],
  ['an audience that is a number', () => editor({ aud: 7 })],
  ['a number among its audiences', () => editor({ aud: ['shop', 7] })],
  ['an audience in other letters', () => editor({ aud: 'Shop' })],
  ['an issuer in a list', () => editor({ iss: [acme] })],
  ['an issuer with a slash more', () => editor({ iss: `${acme}/` })],
  ['a deep nest', () => first(`"x":${'['.repeat(4_000)}${']'.repeat(4_000)}`)],
  ['half a character', () => first('"x":"\\ud800"')],
  ['a list for claims', () => '[]'],
  ['a mark of byte order', () => `\ufeff${editor()}`],
  ['something behind the claims', () => `${editor()}x`],
  ['a `kid` that is a number', editor, { kid: 7 }],
  ['a `kid` that is a path', editor, { kid: '../k-EdDSA' }],
  ['a key of its own', editor, { kid: 'own', jwk: { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' } }],
  ['another `alg` than its key', editor, { alg: 'RS256' }],
  ['an `alg` in other letters', editor, { alg: 'eddsa' }],
])('%s is not valid anywhere', async (_, make, header = {}) => {
  const token = await signText(make(), header);
  expect((await both(within('POST /details/7', 'details'), token, 'invalid')).status).toBe(401);
  expect((await both(outside('/productpage'), token, 'invalid')).status).toBe(401);
});

test.each<[string, (alg: string) => string, number]>([
  ['in two ways of writing its names', () => first('"x":1').replace('"groups":["editors"]', '"gro\\u0075ps":["edit\\u006frs"]'), 200],
  ['with more in the list', () => editor({ groups: [1, null, { editors: 'editors' }, 'editors'] }), 200],
  ['with a list in the list', () => editor({ groups: [['editors']] }), 403],
  ['with a zero byte', () => editor({ groups: ['editors\0'] }), 403],
  ['for an audience with a scheme', () => editor({ aud: 'https://shop' }), 200],
  ['for an audience with a slash', () => editor({ aud: 'shop/' }), 200],
  ['for a moment more', () => editor({ exp: now() - 5 }), 200],
])('a token %s says what it says', async (_, make, status) => {
  const text = make('EdDSA');
  const claims: JsonObject = JSON.parse(text);
  expect((await both(within('POST /details/7', 'details'), await signText(text), claims)).status).toBe(status);
});

test('a token is what it says, not its text', async () => {
  const claims = good({ groups: ['editors'] });
  const [es, ed] = [await sign(claims, keys[2]), await sign(claims, keys[3])];
  const [head = '', body = '', text = ''] = es.split('.');
  const signature = Buffer.from(text, 'base64url');
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const other = (order - BigInt(`0x${signature.subarray(32).toString('hex')}`)).toString(16).padStart(64, '0');
  const withSignature = (bytes: Buffer): string => `${head}.${body}.${bytes.toString('base64url')}`;
  const spare = (token: string): string => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    return `${token.slice(0, -1)}${alphabet[alphabet.indexOf(token.slice(-1)) ^ 1]}`;
  };
  const same = [
    spare(es),
    spare(ed),
    `${ed}.`,
    withSignature(Buffer.concat([signature, Buffer.of(7)])),
    withSignature(Buffer.concat([signature.subarray(0, 32), Buffer.from(other, 'hex')])),
  ];
  for (const token of same) expect((await both(within('POST /details/7', 'details'), token, claims)).status).toBe(200);
  const invalid = [
    withSignature(Buffer.concat([signature, Buffer.of(7, 7)])),
    withSignature(Buffer.alloc(64)),
    `${ed}A`,
    `${ed}.x`,
    `${head}.${body}`,
    `${head}.${body}.`,
  ];
  for (const token of invalid) expect((await both(within('POST /details/7', 'details'), token, 'invalid')).status).toBe(401);
});

test('two tokens are none that is valid, and a token is read from one place', async () => {
  const [one, two] = [await sign(good({ groups: ['editors'], role: 'admin' })), await sign(good())];
  const ask = (headers: http.OutgoingHttpHeaders, path = '/details/7', to = 'details', method = 'POST'): Promise<number> =>
    send({ method, path, headers: { ...headers, host: `${to}.bookinfo:9080` } }).then(({ status }) => status);
  expect(await ask({ authorization: `Bearer ${one}` })).toBe(200);
  expect(await ask({ authorization: `Bearer ${one},Bearer ${two}` })).toBe(401);
  expect(await ask({ authorization: `Bearer ${one}, Bearer ${two}` })).toBe(401);
  expect(await ask({ authorization: `Bearer ${one}, Basic eDp5` })).toBe(401);
  const twice = ['host', 'details.bookinfo:9080', 'authorization', `Bearer ${one}`, 'authorization', `Bearer ${two}`];
  expect((await send({ method: 'POST', path: '/details/7', headers: twice })).status).toBe(401);
  expect(await ask({ authorization: `Basic eDp5, Bearer ${one}` })).toBe(403);
  expect(await ask({ authorization: `bearer ${one}` })).toBe(403);
  expect(await ask({ 'x-authorization': `Bearer ${one}` })).toBe(403);
  expect(await ask({}, `/details/7?access_token=${one}`)).toBe(403);
});

test('a connection is nobody: each request says for itself who it is of', async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const token = await sign(good({ groups: ['editors'] }));
  const ask = (headers: http.OutgoingHttpHeaders) =>
    send({ method: 'POST', path: '/details/7', agent, headers: { ...headers, host: 'details.bookinfo:9080' } });
  const answers = [
    await ask({}),
    await ask({ authorization: `Bearer ${token}` }),
    await ask({}),
    await ask({ authorization: 'Bearer a.b.c' }),
  ];
  agent.destroy();
  expect(answers.map(({ status }) => status)).toEqual([403, 200, 403, 401]);
  expect(answers.map(({ reused }) => reused)).toEqual([false, true, true, true]);
});

function send(options: http.RequestOptions): Promise<{ readonly status: number; readonly reused: boolean }> {
  const address = present(mesh.instanceOf(key('productpage')).outbound);
  return new Promise((resolve, reject) => {
    const request = http.request({ ...options, host: address.host, port: address.port }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, reused: request.reusedSocket }));
    });
    request.on('error', reject);
    request.end();
  });
}

test('what the path says is looked at before the token, and a token before the rules', () => {
  const asked = { ...within('GET /details/../7', 'details'), headers: {}, claims: 'invalid' } as const;
  expect(decide(ir, asked)).toMatchObject({ stage: 'canonical', status: 400 });
  expect(decide(ir, { ...asked, path: '/nothing' })).toMatchObject({ stage: 'authentication', status: 401 });
});
