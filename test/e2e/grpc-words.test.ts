/** Every word about gRPC calls beside where they go, as the definition has it and as real Envoys do it: real clients and servers, tokens that are really signed. */
import * as grpc from '@grpc/grpc-js';
import * as jose from 'jose';
import type { DeclarationValue, WireRouteRule } from '../../core/declarations/declaration';
import { decide } from '../../core/semantics/decide';
import type { Decision } from '../../core/semantics/decision';
import type { Claims } from '../../core/semantics/user';
import { grpcStatusOf, grpcStatusText } from '../../core/mesh/grpc-status';
import { allow, named, service, workload } from '../kit/declarations';
import { sumOf } from '../kit/envoy-stats';
import { bothStream, bytes, grpcMethod, serveGrpc } from '../kit/grpc-server';
import { appOf, eventually, key, type LayeredMesh, port, startLayers } from '../kit/layered-mesh';
import { present } from '../kit/present';
import { expectShare, manyTimes } from '../kit/shares';

const acme = 'https://accounts.acme.example';
const user = (...claims: readonly { readonly name: string; readonly value: string }[]) => ({
  issuer: { ref: 'platform/acme' },
  claims: claims.map(({ name, value }) => ({ name, kind: 'is' as const, values: [value] })),
});
const v1 = { kind: 'version', version: 'v1' } as const;
const site = { kind: 'target', to: { ref: 'books/site', port: 'web' } } as const;
const v2 = { kind: 'version', version: 'v2' } as const;
/** What a try may be answered with, by the method that is tried again on it alone. */
const again = {
  Cancelled: ['cancelled', grpc.status.CANCELLED],
  Exceeded: ['deadline-exceeded', grpc.status.DEADLINE_EXCEEDED],
  Internal: ['internal', grpc.status.INTERNAL],
  Unavailable: ['unavailable', grpc.status.UNAVAILABLE],
  Exhausted: ['resource-exhausted', grpc.status.RESOURCE_EXHAUSTED],
} as const;
const words = ['Who', 'Which', 'Shared', 'Edited', 'EditedEach', 'Aborted', 'Shaky', 'Late', 'TooLate', 'Copied', 'Talk', 'Inner', 'Kept'];
const methods = [...words, ...Object.keys(again)];
const rule = (method: string, over: Partial<WireRouteRule>): WireRouteRule => ({
  when: { request: [`t.v1.Words/${method}`] },
  to: v1,
  ...over,
});
const declarations = (jwks: string): { [id: string]: DeclarationValue } => ({
  'platform/acme': { kind: 'issuer', name: 'acme', url: acme, audiences: ['shop'], keys: { file: 'acme.json', text: jwks } },
  'books/app': workload('books/bookinfo', 'app'),
  'books/other': workload('books/bookinfo', 'other'),
  'books/rpc': service('books/bookinfo', 'rpc', {
    ...{ versions: ['v1', 'v2'], ports: { web: { protocol: 'grpc', number: 7070 } } },
    settings: { timeout: '60s' },
  }),
  'books/rpcUse': allow('books/rpc', [named('books/app'), named('books/other')], {
    requests: methods.filter((name) => name !== 'Inner').map((name) => `t.v1.Words/${name}`),
  }),
  'books/rpcInner': allow('books/rpc', [named('books/app')], {
    requests: ['t.v1.Words/Inner'],
    user: user({ name: 'role', value: 'admin' }),
  }),
  'books/rpcRoutes': {
    kind: 'route',
    on: { ref: 'books/rpc', port: 'web' },
    rules: [
      { when: { request: ['t.v1.Words/Who'], user: user({ name: 'role', value: 'admin' }) }, to: v2 },
      { when: { request: ['t.v1.Words/Which'], headers: { 'x-v': { kind: 'exact', value: '2' } } }, to: v2 },
      { when: { request: ['t.v1.Words/Which'], from: [named('books/other')] }, to: v2 },
      rule('Which', {}),
      rule('Shared', { to: { kind: 'weights', weights: { v1: 70, v2: 30 } } }),
      rule('EditedEach', {
        to: {
          kind: 'split',
          shares: [
            { to: { ref: 'books/rpc', port: 'web', version: 'v1' }, percent: 50, responseHeaders: { set: { 'x-answer': 'first' } } },
            { to: { ref: 'books/rpc', port: 'web', version: 'v2' }, percent: 50, requestHeaders: { set: { 'x-set': 'second' } } },
          ],
        },
      }),
      ...Object.entries(again).map(([method, [word]]) => rule(method, { retry: { atMost: 1, perTry: '30s', on: [word], budget: '100%' } })),
      rule('Edited', {
        requestHeaders: { set: { 'x-set': '100%' }, add: { 'x-more': 'b' }, remove: ['x-secret'] },
        responseHeaders: { set: { 'x-answer': 'edited' } },
      }),
      rule('Aborted', { fault: { abort: { status: 'resource-exhausted', share: '100%' } } }),
      rule('Shaky', { fault: { abort: { status: 'unavailable', share: '50%' } } }),
      rule('TooLate', { timeout: '200ms', fault: { delay: { for: '5s', share: '100%' } } }),
      rule('Late', { fault: { delay: { for: '400ms', share: '100%' } } }),
      rule('Kept', { to: { kind: 'weights', weights: { v1: 50, v2: 50 } }, sticky: { kind: 'header', name: 'x-session' } }),
      rule('Copied', { mirror: [{ to: { version: 'v2' }, share: '100%' }] }),
      rule('Talk', { mirror: [{ to: { version: 'v2' }, share: '100%' }] }),
    ],
    otherwise: { to: v1 },
  },
  'books/site': service('books/bookinfo', 'site', { ports: { web: { protocol: 'http2', number: 9080 } } }),
  'books/siteUse': allow('books/site', [named('books/app')], { requests: ['GET /{path...}'] }),
  'books/siteRoutes': {
    kind: 'route',
    on: { ref: 'books/site', port: 'web' },
    rules: [
      { when: { request: ['* /closed'] }, to: { kind: 'respond', status: 503, body: 'closed, 100 %' } },
      { when: { request: ['* /open'] }, to: { kind: 'respond', status: 200, body: 'open' } },
      {
        when: { request: ['* /named'] },
        to: { kind: 'respond', status: 429, body: 'slower' },
        responseHeaders: { set: { 'grpc-status': '8', 'x-answer': 'edited' } },
      },
      { when: { request: ['* /moved'] }, to: { kind: 'redirect', host: 'other.example' } },
      {
        when: { request: ['* /aborted'] },
        to: site,
        fault: { abort: { status: 404, share: '100%' } },
        responseHeaders: { set: { 'x-answer': 'edited' } },
      },
    ],
    otherwise: { to: site },
  },
});

let layers: LayeredMesh;
let sign: (claims: object) => Promise<string>;
const clients = new Map<string, grpc.Client>();
const servers: { close(): void }[] = [];
/** What servers heard, by version: the method, its metadata, the bytes. */
const heard: { readonly version: string; readonly method: string; readonly metadata: grpc.MetadataValue[]; readonly text: string }[] = [];

/** Calls whose first try was answered with the status that they ask for. */
const failed = new Set<grpc.MetadataValue>();

async function serve(version: string): Promise<void> {
  const at = appOf(layers.mesh, 'rpc', 'web', version);
  const unary =
    (name: string): grpc.handleUnaryCall<Buffer, Buffer> =>
    (call, answer) => {
      heard.push({
        version,
        method: name,
        metadata: ['x-set', 'x-more', 'x-secret'].flatMap((header) => call.metadata.get(header)),
        text: call.request.toString(),
      });
      const [status] = call.metadata.get('x-status');
      const [nth] = call.metadata.get('x-nth');
      if (status !== undefined && nth !== undefined && !failed.has(nth)) {
        failed.add(nth);
        return answer({ code: Number(status) });
      }
      const first = new grpc.Metadata();
      first.set('x-answer', 'plain');
      call.sendMetadata(first);
      answer(null, Buffer.from(version));
    };
  const talk: grpc.handleBidiStreamingCall<Buffer, Buffer> = (call) => {
    call.on('data', (chunk: Buffer) => {
      heard.push({ version, method: 'Talk', metadata: [], text: chunk.toString() });
      call.write(Buffer.from(`${version} ${chunk.toString()}`));
    });
    call.on('end', () => call.end());
    call.on('error', () => undefined);
  };
  const method = (name: string) =>
    [grpcMethod(`t.v1.Words/${name}`, name === 'Talk' ? bothStream : {}), name === 'Talk' ? talk : unary(name)] as const;
  servers.push(await serveGrpc(at, Object.fromEntries(methods.map((name) => [name, method(name)]))));
}

beforeAll(async () => {
  const { publicKey, privateKey } = await jose.generateKeyPair('ES256', { extractable: true });
  const jwk = { ...(await jose.exportJWK(publicKey)), kid: 'a', alg: 'ES256' };
  sign = (claims) => new jose.SignJWT({ ...claims }).setProtectedHeader({ alg: 'ES256', kid: 'a' }).sign(privateKey);
  layers = await startLayers(declarations(JSON.stringify({ keys: [jwk] })), async () => undefined);
  await Promise.all([serve('v1'), serve('v2')]);
  for (const from of ['app', 'other']) {
    const at = present(layers.mesh.instanceOf(key(from)).outbound);
    const authority = { 'grpc.default_authority': 'rpc.bookinfo:7070' };
    clients.set(from, new grpc.Client(`${at.host}:${at.port}`, grpc.credentials.createInsecure(), authority));
  }
}, 120_000);
afterAll(async () => {
  for (const client of clients.values()) client.close();
  for (const server of servers) server.close();
  await layers?.stop();
}, 30_000);

interface Answer {
  readonly said: string | null;
  readonly code: grpc.status;
  readonly first: readonly grpc.MetadataValue[];
  readonly decision: Decision;
}
/** One call, and what the definition says of it. */
async function call(method: string, metadata: { readonly [name: string]: string } = {}, claims?: Claims, from = 'app'): Promise<Answer> {
  const sent = new grpc.Metadata();
  for (const [name, value] of Object.entries(metadata)) sent.set(name, value);
  if (claims !== undefined) sent.set('authorization', `Bearer ${claims === 'invalid' ? 'a.b.c' : await sign(claims)}`);
  const decision = decide(layers.ir, {
    from: { kind: 'workload', workload: key(from) },
    to: port('rpc'),
    method: 'POST',
    path: `/t.v1.Words/${method}`,
    headers: { 'content-type': 'application/grpc', ...metadata },
    ...(claims === undefined ? {} : { claims }),
  });
  return new Promise((resolve) => {
    let said: string | null = null;
    let first: readonly grpc.MetadataValue[] = [];
    const made = present(clients.get(from)).makeUnaryRequest(
      `/t.v1.Words/${method}`,
      bytes.serialize,
      bytes.deserialize,
      Buffer.from('a'),
      sent,
      { deadline: Date.now() + 120_000 },
      (_error, value) => (said = value?.toString() ?? null),
    );
    made.on('metadata', (got: grpc.Metadata) => (first = got.get('x-answer')));
    made.on('status', ({ code }) => resolve({ said, code, first, decision }));
  });
}
const soon = (): number => Math.floor(Date.now() / 1000) + 3_600;
const as = (role: string): Claims => ({ iss: acme, aud: 'shop', exp: soon(), role });

test('a route is chosen by claims', async () => {
  for (const [claims, version] of [
    [undefined, 'v1'],
    [as('reader'), 'v1'],
    [as('admin'), 'v2'],
  ] as const) {
    const { said, decision } = await call('Who', {}, claims);
    expect([said, decision.destinations.map((one) => one.version)]).toEqual([version, [version]]);
  }
});
test('a route is chosen by method, by metadata and by caller', async () => {
  for (const [metadata, from, version] of [
    [{}, 'app', 'v1'],
    [{ 'x-v': '2' }, 'app', 'v2'],
    [{ 'x-v': '3' }, 'app', 'v1'],
    [{}, 'other', 'v2'],
  ] as const) {
    const { said, decision } = await call('Which', metadata, undefined, from);
    expect([said, decision.destinations.map((one) => one.version)]).toEqual([version, [version]]);
  }
  expect((await call('Who', { 'x-v': '2' }, undefined, 'other')).said).toBe('v1');
});
test('calls are shared by weight', async () => {
  const { decision } = await call('Shared');
  expect(decision.destinations.map(({ version, share }) => [version, share])).toEqual([
    ['v1', 70],
    ['v2', 30],
  ]);
  const answers = await manyTimes(400, () => call('Shared'));
  expectShare(answers.filter(({ said }) => said === 'v2').length, 400, 30);
});
test('a call is tried again on the status that is named, and on no other', async () => {
  for (const [method, [word]] of Object.entries(again))
    for (const [other, status] of Object.values(again)) {
      const { said, code } = await call(method, { 'x-status': String(status), 'x-nth': `${word} ${other}` });
      expect([word, other, said, code]).toEqual([word, other, word === other ? 'v1' : null, word === other ? grpc.status.OK : status]);
    }
});
test('access is by claims, and a token that is not valid is UNAUTHENTICATED', async () => {
  for (const [claims, code, outcome] of [
    [undefined, grpc.status.PERMISSION_DENIED, 'deny'],
    [as('reader'), grpc.status.PERMISSION_DENIED, 'deny'],
    [as('admin'), grpc.status.OK, 'allow'],
    ['invalid', grpc.status.UNAUTHENTICATED, 'deny'],
  ] as const) {
    const answer = await call('Inner', {}, claims);
    expect([answer.code, answer.decision.outcome]).toEqual([code, outcome]);
  }
  expect((await call('Inner', {}, { iss: acme, aud: 'bank', exp: soon(), role: 'admin' })).code).toBe(grpc.status.UNAUTHENTICATED);
});
test('a session keeps its version, by the value that its metadata carries', async () => {
  const seen = new Set<string | null>();
  for (let session = 0; session < 12; session += 1) {
    const { said, decision } = await call('Kept', { 'x-session': `s-${session}` });
    expect([decision.destinations.map(({ version, share }) => [version, share]), decision.sticky]).toEqual([
      [[said, 100]],
      { by: 'header', name: 'x-session', value: `s-${session}` },
    ]);
    expect((await call('Kept', { 'x-session': `s-${session}` })).said).toBe(said);
    seen.add(said);
  }
  expect([...seen].sort()).toEqual(['v1', 'v2']);
  expect((await call('Kept')).decision.destinations.map(({ share }) => share)).toEqual([50, 50]);
});
test('metadata is edited on the way there and back', async () => {
  const { code, first, decision } = await call('Edited', { 'x-more': 'a', 'x-secret': 's', 'x-set': 'no' });
  expect([code, first]).toEqual([grpc.status.OK, ['edited']]);
  expect(heard.find((one) => one.method === 'Edited')?.metadata).toEqual(['100%', 'a, b']);
  expect(decision.destinations[0]?.request.headers).toMatchObject({ 'x-set': '100%', 'x-more': 'a,b' });
  expect(decision.destinations[0]?.request.headers).not.toHaveProperty('x-secret');
});
test('metadata is edited of one destination', async () => {
  const answers = await Promise.all(Array.from({ length: 40 }, () => call('EditedEach')));
  expect([...new Set(answers.map(({ said, first }) => `${said} ${first.join()}`))].sort()).toEqual(['v1 first', 'v2 plain']);
  const read = heard.filter((one) => one.method === 'EditedEach').map(({ version, metadata }) => `${version} ${metadata.join()}`);
  expect([...new Set(read)].sort()).toEqual(['v1 ', 'v2 second']);
});
test('an abort is a gRPC status, in place of the destination', async () => {
  const { code, decision } = await call('Aborted');
  expect([code, decision.stage, decision.answer?.headers['grpc-status']]).toEqual([grpc.status.RESOURCE_EXHAUSTED, 'fault', '8']);
  expect(heard.filter((one) => one.method === 'Aborted')).toEqual([]);
});
test('a share of calls is aborted', async () => {
  const answers = await manyTimes(200, () => call('Shaky'));
  const codes = answers.map(({ code }) => code);
  expect([...new Set(codes)].sort()).toEqual([grpc.status.OK, grpc.status.UNAVAILABLE]);
  expectShare(codes.filter((code) => code === grpc.status.OK).length, 200, 50);
});
test('a delay is part of the time that a call lives', async () => {
  const delayed = async (): Promise<number> => sumOf(await layers.client.admin('/stats'), /delays_injected/);
  const before = await delayed();
  const { code, decision } = await call('Late');
  expect([code, decision.fault?.delay?.ms]).toEqual([grpc.status.OK, 400]);
  expect(await delayed()).toBe(before + 1);
  expect((await call('TooLate')).code).toBe(grpc.status.DEADLINE_EXCEEDED);
  expect(heard.filter((one) => one.method === 'TooLate')).toEqual([]);
});
test('a call is copied, and so is a stream', async () => {
  const { said, decision } = await call('Copied');
  expect([said, decision.mirrors.map(({ version, share }) => [version, share])]).toEqual(['v1', [['v2', 100]]]);
  const versions = (method: string): readonly string[] =>
    heard
      .filter((one) => one.method === method)
      .map((one) => `${one.version} ${one.text}`)
      .sort();
  expect(
    await eventually(
      () => versions('Copied'),
      (got) => got.length >= 2,
    ),
  ).toEqual(['v1 a', 'v2 a']);
  const got: string[] = [];
  await new Promise<void>((resolve, reject) => {
    const stream = present(clients.get('app')).makeBidiStreamRequest('/t.v1.Words/Talk', bytes.serialize, bytes.deserialize);
    stream.on('data', (chunk: Buffer) => {
      got.push(chunk.toString());
      if (got.length < 3) stream.write(Buffer.from(String(got.length)));
      else stream.end();
    });
    stream.on('error', reject);
    stream.on('end', () => resolve());
    stream.write(Buffer.from('0'));
  });
  expect(got).toEqual(['v1 0', 'v1 1', 'v1 2']);
  const all = ['v1 0', 'v1 1', 'v1 2', 'v2 0', 'v2 1', 'v2 2'];
  expect(
    await eventually(
      () => versions('Talk'),
      (seen) => seen.length >= 6,
    ),
  ).toEqual(all);
});
test.each([
  ['an answer of its owner', 'closed', grpc.status.UNAVAILABLE, 'closed, 100 %'],
  ['one that says all is well', 'open', grpc.status.UNKNOWN, 'open'],
  ['one that names a status', 'named', grpc.status.RESOURCE_EXHAUSTED, 'slower'],
  ['a redirect', 'moved', grpc.status.UNKNOWN, ''],
  ['an abort', 'aborted', grpc.status.UNIMPLEMENTED, null],
  ['a denial', 'elsewhere', grpc.status.PERMISSION_DENIED, null],
  ['a path that is not canonical', 'a//b', grpc.status.INTERNAL, null],
] as const)('%s is a status to who calls a port of HTTP by gRPC', async (_title, path, code, text) => {
  const { answer, status, says } = decide(layers.ir, {
    from: { kind: 'workload', workload: key('app') },
    to: port('site'),
    method: 'POST',
    path: `/${path}`,
    headers: { 'content-type': 'application/grpc' },
  });
  const at = present(layers.mesh.instanceOf(key('app')).outbound);
  const caller = new grpc.Client(`${at.host}:${at.port}`, grpc.credentials.createInsecure(), {
    'grpc.default_authority': 'site.bookinfo:9080',
  });
  const heard = await new Promise<grpc.StatusObject>((resolve) =>
    caller
      .makeUnaryRequest(
        `/${path}`,
        bytes.serialize,
        bytes.deserialize,
        Buffer.from(''),
        { deadline: Date.now() + 120_000 },
        () => undefined,
      )
      .on('status', resolve),
  );
  caller.close();
  expect([heard.code, text === null ? null : heard.details]).toEqual([code, text]);
  const decided = answer ? Number(answer.headers['grpc-status']) : grpcStatusOf(status ?? 0);
  expect([decided, answer?.headers['grpc-message'] ?? '']).toEqual([code, encodeURI(text ?? '').replaceAll('%20', ' ')]);
  const own = Object.entries(answer?.headers ?? {}).filter(([name]) => !name.startsWith('grpc-'));
  expect(heard.metadata.getMap()).toMatchObject(Object.fromEntries(own));
  if (answer) expect([answer.status, says]).toEqual([200, expect.stringContaining(`gRPC hears as its status ${grpcStatusText(code)}`)]);
});
test('who does not speak gRPC is told in a text', () => {
  const { ir } = layers;
  const asked = {
    from: { kind: 'workload', workload: key('app') },
    to: port('rpc'),
    method: 'POST',
    path: '/t.v1.Words/Aborted',
    headers: {},
  } as const;
  expect(decide(ir, asked).answer).toEqual({ status: 200, headers: {}, body: null });
});
