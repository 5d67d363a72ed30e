/** Authoring types are written by hand and the run time is apart from them: here the two are held together, name by name and key by key. */
import * as path from 'node:path';
import * as ts from 'typescript';
import { waivable } from '../../compiler/analyse/waivers';
import * as run from '../../sdk/policy/index';
import * as testing from '../../sdk/testing/index';
import { root } from './policy-compiler';

const folder = path.join(root, 'sdk', 'types');
const program = ts.createProgram(
  [path.join(folder, 'policy', 'index.d.ts'), path.join(folder, 'testing.d.ts'), path.join(folder, 'lib.d.ts')],
  { noLib: true, strict: true, types: [] },
);
const checker = program.getTypeChecker();
const exportsOf = (file: string): ReadonlyMap<string, ts.Symbol> => {
  const source = program.getSourceFile(path.join(folder, file));
  const symbol = source && checker.getSymbolAtLocation(source);
  return new Map(
    (symbol ? checker.getExportsOfModule(symbol) : []).map((one) => [
      one.name,
      one.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(one) : one,
    ]),
  );
};
const declared = exportsOf('policy/index.d.ts');
const values = (names: ReadonlyMap<string, ts.Symbol>): string[] =>
  [...names]
    .filter(([, symbol]) => symbol.flags & ts.SymbolFlags.Value)
    .map(([name]) => name)
    .sort();

/** Keys that an author can write: symbols cannot be written, nor what takes no value. Of a union, those of all members together. */
function keysOf(name: string): string[] {
  const symbol = declared.get(name);
  if (!symbol) throw new Error(`there is no type ${name}`);
  const type = checker.getDeclaredTypeOfSymbol(symbol);
  const members = type.isUnion() ? type.types : [type];
  return [
    ...new Set(
      members
        .flatMap((one) => checker.getPropertiesOfType(one))
        .filter((one) => (checker.getTypeOfSymbol(one).flags & (ts.TypeFlags.Never | ts.TypeFlags.Undefined)) === 0)
        .map((one) => one.name)
        .filter((key) => !key.startsWith('__')),
    ),
  ].sort();
}
function wordsOf(name: string): string[] {
  const symbol = declared.get(name);
  const type = symbol && checker.getDeclaredTypeOfSymbol(symbol);
  return type?.isUnion() ? type.types.flatMap((one) => (one.isStringLiteral() ? [one.value] : [])).sort() : [];
}

const mesh = run.defineMesh({
  trustDomain: 'acme.example',
  environments: ['dev', 'prod'],
  teams: { books: { namespaces: ['bookinfo'] } },
  tags: { tier: ['gold'] },
  runs: { envoy: '1.40.0' },
});
const space = run.namespace('bookinfo', { team: 'books' });
const reviews = run.service(space, 'reviews', {
  serviceAccount: 'r',
  versions: ['v1'],
  ports: { web: run.http(80), api: run.grpc(81), sni: run.tls(82), raw: run.tcp(83) },
});
const cron = run.workload(space, 'cron', { serviceAccount: 'c' });
const crossing = run.eastWestGateway(space, 'crossing', { serviceAccount: 'c', port: 15443 });
const edge = run.gateway(space, 'edge', {
  serviceAccount: 'e',
  listeners: { web: { port: 443, hosts: { 'a.example': 'books' }, certificate: run.secret('x/y') } },
});
const stripe = run.external('stripe', { team: 'books', hosts: ['api.stripe.com'], ports: { api: run.https(443), pass: run.tls(8443) } });
const google = run.issuer('google', { url: 'https://accounts.google.com', audiences: ['a'], keys: run.jwks.file('g.json') });
const port = (name: string): object => reviews.ports[name] ?? {};
const act = (of: object, name: string): ((...given: unknown[]) => unknown) => {
  const method: unknown = Reflect.get(of, name);
  if (typeof method !== 'function') throw new Error(`there is no ${name}`);
  return (...given) => method(...given) as unknown;
};
const shared = run.share({ reviews, cron, space, stripe });

test('the same names are exported', () => {
  expect(Object.keys(run).sort()).toEqual(values(declared));
  expect(Object.keys(testing).sort()).toEqual(values(exportsOf('testing.d.ts')));
});

test('expectations have at run time what their types show', () => {
  const inTesting = exportsOf('testing.d.ts');
  const keys = (name: string): string[] => {
    const symbol = inTesting.get(name);
    return symbol ? checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol)).map((one) => one.name) : [];
  };
  const matchers = [...keys('AnswerMatchers'), ...keys('ValueMatchers')].sort();
  expect(matchers.length).toBeGreaterThan(10);
  const made = testing.expect([]);
  expect(Object.keys(made).sort()).toEqual([...matchers, 'not'].sort());
  expect(Object.keys(Reflect.get(made, 'not') as object).sort()).toEqual(matchers);
});

test.each<[string, object]>([
  ['Mesh', mesh],
  ['Namespace', space],
  ['Service', reviews],
  ['Workload', cron],
  ['Gateway', edge],
  ['EastWestGateway', crossing],
  ['External', stripe],
  ['Listener', edge.listeners['web'] ?? {}],
  ['HttpPort', port('web')],
  ['GrpcPort', port('api')],
  ['TlsPort', port('sni')],
  ['TcpPort', port('raw')],
  ['SharedService', Reflect.get(shared, 'reviews') as object],
  ['SharedWorkload', Reflect.get(shared, 'cron') as object],
  ['SharedNamespace', Reflect.get(shared, 'space') as object],
  ['SharedExternal', Reflect.get(shared, 'stripe') as object],
  ['Anyone', run.anyone],
  ['Outside', run.internet],
  ['Issuer', google],
  ['ClaimNamed', run.claim('groups')],
  ['Jwks', run.jwks.file('a.json')],
  ['ErrorRate', run.errorRate(port('web'))],
  ['Latency', run.latency(port('web'), 'p50')],
  ['Guarantee', run.never({ from: reviews, to: cron })],
  ['Standard', mesh.standard({ for: mesh, defaults: { timeout: '1s' } })],
  ['AccessRule', act(port('web'), 'deny')({ from: cron, because: 'x' }) as object],
  ['PortSpec', run.http(80)],
])('%s has at run time what its type shows', (name, handle) => {
  expect(Object.keys(handle).sort()).toEqual(keysOf(name));
});

/** The keys that a verb takes, by what it says to one that it does not take. */
function keysTaken(call: (bogus: object) => unknown): string[] {
  try {
    call({ qqqqqqqqqqqqqqqqqqqqqqqqqqqqqq: 1 });
  } catch (error) {
    const help: unknown = error instanceof Error && 'help' in error ? error.help : '';
    return [...String(help).matchAll(/`([^`]+)`/g)].map((one) => one[1] ?? '').sort();
  }
  return [];
}
const when = { headers: { a: 'b' } };
test.each<[string, (bogus: object) => unknown]>([
  ['MeshSpec', (x) => run.defineMesh(x)],
  ['NamespaceSpec', (x) => run.namespace('n', x)],
  ['WorkloadSpec', (x) => run.workload(space, 'w', x)],
  ['ServiceSpec', (x) => run.service(space, 's', x)],
  ['GatewaySpec', (x) => run.gateway(space, 'g', x)],
  ['HttpsListenerSpec', (x) => run.gateway(space, 'g', { serviceAccount: 'g', listeners: { web: x } })],
  ['HttpListenerSpec', (x) => run.gateway(space, 'g', { serviceAccount: 'g', listeners: { web: { protocol: 'http', ...x } } })],
  [
    'ClientCertificates',
    (x) =>
      run.gateway(space, 'g', {
        serviceAccount: 'g',
        listeners: { web: { port: 443, hosts: { 'a.example': 'books' }, certificate: run.secret('x/y'), clients: x } },
      }),
  ],
  ['TlsListenerSpec', (x) => run.gateway(space, 'g', { serviceAccount: 'g', listeners: { web: { protocol: 'tls', ...x } } })],
  ['TcpListenerSpec', (x) => run.gateway(space, 'g', { serviceAccount: 'g', listeners: { web: { protocol: 'tcp', ...x } } })],
  ['ExternalSpec', (x) => run.external('e', x)],
  ['HttpPortSpec', (x) => run.http(80, x)],
  ['GrpcPortSpec', (x) => run.grpc(80, x)],
  ['HttpAccess', (x) => act(port('web'), 'allow')(x)],
  ['GrpcAccess', (x) => act(port('api'), 'allow')(x)],
  ['AccessCommon', (x) => act(port('sni'), 'allow')(x)],
  ['AccessCommon', (x) => act(port('raw'), 'allow')(x)],
  ['OutsideTlsAccess', (x) => act(stripe.ports['pass'] ?? {}, 'allow')(x)],
  ['Denial', (x) => act(port('web'), 'deny')(x)],
  ['HttpLimit', (x) => act(port('web'), 'limit')(x)],
  ['LimitRule', (x) => act(port('api'), 'limit')(x)],
  ['HttpRoutes', (x) => act(port('web'), 'route')(x)],
  ['HttpElse', (x) => act(port('web'), 'route')({ otherwise: x })],
  ['HttpRule', (x) => act(port('web'), 'route')({ rules: [x], otherwise: { to: 'v1' } })],
  ['HttpConditions', (x) => act(port('web'), 'route')({ rules: [{ when: x, to: 'v1' }], otherwise: { to: 'v1' } })],
  ['Retry', (x) => act(port('web'), 'route')({ otherwise: { to: 'v1', retry: x } })],
  ['HeaderEdit', (x) => act(port('web'), 'route')({ rules: [{ when, to: 'v1', requestHeaders: x }], otherwise: { to: 'v1' } })],
  ['GrpcRoutes', (x) => act(port('api'), 'route')(x)],
  ['GrpcElse', (x) => act(port('api'), 'route')({ otherwise: x })],
  ['GrpcRule', (x) => act(port('api'), 'route')({ rules: [x], otherwise: { to: 'v1' } })],
  ['GrpcConditions', (x) => act(port('api'), 'route')({ rules: [{ when: x, to: 'v1' }], otherwise: { to: 'v1' } })],
  ['TlsElseOf', (x) => act(port('sni'), 'route')({ otherwise: x })],
  ['TlsRule', (x) => act(port('sni'), 'route')({ rules: [x], otherwise: { to: 'v1' } })],
  ['TlsConditions', (x) => act(port('sni'), 'route')({ rules: [{ when: x, to: 'v1' }], otherwise: { to: 'v1' } })],
  ['TcpRule', (x) => act(port('raw'), 'route')({ rules: [x], otherwise: { to: 'v1' } })],
  ['TcpConditions', (x) => act(port('raw'), 'route')({ rules: [{ when: x, to: 'v1' }], otherwise: { to: 'v1' } })],
  ['EastWestGatewaySpec', (x) => run.eastWestGateway(space, 'c', x)],
  ['ExportSpec', (x) => act(port('web'), 'export')(x)],
  ['EnvoyPatch', (x) => act(port('web'), 'patch')(x)],
  ['RedirectSpec', (x) => run.redirect(x)],
  ['Settings', (x) => run.namespace('n', { team: 'books', settings: x })],
  ['Connections', (x) => run.namespace('n', { team: 'books', settings: { connections: x } })],
  ['Ejection', (x) => run.namespace('n', { team: 'books', settings: { eject: x } })],
  ['CallerSettings', (x) => act(cron, 'calls')(port('web'), x)],
  ['StandardSpec', (x) => mesh.standard(x)],
  ['Bounds', (x) => mesh.standard({ for: mesh, bounds: x })],
  ['RolloutSpec', (x) => act(mesh, 'rollout')(x)],
  ['CanarySpec', (x) => run.canary(x)],
  ['GateRule', (x) => act(run.errorRate(port('web')), 'below')('1%', x)],
  ['NeverClaim', (x) => run.never(x)],
  ['AlwaysClaim', (x) => run.always(x)],
  ['OnlyThroughClaim', (x) => run.onlyThrough(x)],
  ['WaiverSpec', (x) => run.waive('MW4027', x)],
  ['IssuerSpec', (x) => run.issuer('i', x)],
  ['GithubJob', (x) => run.githubActions(x)],
  ['DeploySpec', (x) => act(reviews, 'deploys')(x)],
  ['ImageRule', (x) => act(reviews, 'deploys')({ by: [run.group('g')], images: x })],
  ['VersionRule', (x) => act(reviews, 'deploys')({ by: [run.group('g')], version: x })],
  ['ProductRules', (x) => act(mesh, 'versions')(x)],
])('%s: the same keys are taken', (name, call) => {
  const taken = keysTaken(call);
  expect(taken).not.toEqual([]);
  expect(taken).toEqual(keysOf(name === 'TlsElseOf' ? 'TcpElse' : name));
});

test.each<[string, (bogus: string) => unknown]>([
  ['RetryOn', (x) => act(port('web'), 'route')({ otherwise: { to: 'v1', retry: { atMost: 1, perTry: '1s', on: [x] } } })],
  ['Mode', (x) => act(port('web'), 'allow')({ from: cron, requests: run.anyRequest, mode: x })],
  ['Product', (x) => act(mesh, 'versions')({ ranges: { envoy: { min: '1.0.0' } }, skew: [{ of: x, behind: 'envoy', minor: 1 }] })],
  ['Waivable', (x) => run.waive(x, {})],
])('%s: the same words are taken', (name, call) => {
  const words = keysTaken(() => call('qqqqqqqqqqqqqqqqqqqqqqqqq'));
  expect(words.length > 0 ? words : refusedWords(call)).toEqual(wordsOf(name));
});
/** For help that lists words without back quotes. */
function refusedWords(call: (bogus: string) => unknown): string[] {
  try {
    call('qqqqqqqqqqqqqqqqqqqqqqqqq');
  } catch (error) {
    const help: unknown = error instanceof Error && 'help' in error ? error.help : '';
    return [...String(help).matchAll(/MW\d{4}/g)].map((one) => one[0]).sort();
  }
  return [];
}

test('the codes that may be waived are the same for authors and for analysis', () =>
  expect(wordsOf('Waivable')).toEqual([...waivable].sort()));
