/**
 * Mistakes, each refused by tsc; it reads as a file of team books. A directive alone would also hide a wrong error, so ../../mistakes.test.ts takes
 * the directives out and compares what tsc says with the words after `says:`.
 */
import { anyone, canary, eastWestGateway, errorRate, external, gateway, githubActions, group, grpc, header, http, internet, issuer, jwks, kubernetesAccount, mostly, namespace, not, per, postgres, redirect, respondGrpc, secret, service, split, tagged, tcp, tls, waive, workload, never } from 'meshwright/policy';
import { grpcs } from 'meshwright/policy';
import { ask } from 'meshwright/testing';
import { cart, mailer } from '#orders';
import { edge, google } from '#platform';
import { mesh } from '../policies/mesh.policy';
import { productpage, reviews } from '../policies/books/services.policy';
import { events } from '../policies/platform/services.policy';
const { web } = reviews.ports;
const db = service(namespace('db', { team: 'books' }), 'pg', { serviceAccount: 'pg', ports: { sql: postgres(5432) } });
const rpc = service(namespace('rpc', { team: 'books' }), 'rpc', { serviceAccount: 'rpc', versions: ['v1'], ports: { api: grpc(7070) } });
const vault = external('vault', { team: 'books', hosts: ['vault.example'], ports: { api: grpcs(443) } });
const s3 = external('s3', { team: 'books', hosts: ['s3.amazonaws.com'], ports: { s3: tls(443) } });

// ── names ──
// @ts-expect-error 01 a symbol that the other team did not share | says: Module '"#books"' has no exported member 'ratings'
import { ratings } from '#books';
// @ts-expect-error 02 a team that does not exist | says: Cannot find module '#basket'
import { basket } from '#basket';
// @ts-expect-error 03 unknown team | says: Did you mean '"books"'?
export const a3 = namespace('books2', { team: 'boks' });
// @ts-expect-error 04 unknown port | says: Property 'wbe' does not exist on type 'PortsOf<
export const a4 = reviews.ports.wbe.allow({ from: productpage, requests: ['GET /reviews/{id}'] });
// @ts-expect-error 05 unknown version | says: '"v4"' is not assignable to type 'HttpDestination<"v1" | "v2" | "v3">'
export const a5 = web.route({ otherwise: { to: 'v4' } });
// @ts-expect-error 06 weights on a version that does not exist | says: 'v4' does not exist in type 'Action | Canary<"v1" | "v2" | "v3"> | HttpTarget | HttpVersion | Weights<
export const a6 = web.route({ otherwise: { to: { v1: 90, v4: 10 } } });
// @ts-expect-error 07 weights on a service without versions | says: 'v1' does not exist in type 'HttpDestination<never>'
export const a7 = productpage.ports.web.route({ otherwise: { to: { v1: 90, v2: 10 } } });
// @ts-expect-error 08 canary to a version that does not exist | says: '"v9"' is not assignable to type '"v1" | "v2" | "v3"'
export const a8 = web.route({ otherwise: { to: canary({ from: 'v1', to: 'v9', steps: ['5%'], every: '10m', gates: [errorRate(web).below('1%', { window: '5m', minRequests: 9, noData: 'hold' })] }) } });
// @ts-expect-error 09 canary without a gate | says: Source has 0 element(s) but target requires 1
export const a9 = web.route({ otherwise: { to: canary({ from: 'v1', to: 'v2', steps: ['5%'], every: '10m', gates: [] }) } });
// @ts-expect-error 10 a gate that does not say what silence means | says: Property 'noData' is missing
export const a10 = errorRate(web).below('1%', { window: '5m', minRequests: 9 });

// ── another team's property ──
// @ts-expect-error 11 routing another team's port | says: Property 'route' does not exist on type 'Target<"grpc"
export const b1 = cart.ports.api.route({ otherwise: { to: cart.ports.api } });
// @ts-expect-error 12 opening another team's port to oneself | says: Property 'allow' does not exist on type 'Target<"grpc"
export const b2 = cart.ports.api.allow({ from: productpage, methods: ['shop.v1.Cart/Get'] });
// @ts-expect-error 13 deploying another team's workload | says: Property 'deploys' does not exist on type 'SharedWorkload'
export const b3 = mailer.deploys({ by: [] });

// ── units ──
// @ts-expect-error 14 bad duration | says: '"2 secs"' is not assignable to type 'OrPerEnv<`${number}h` | `${number}m` | `${number}ms` | `${number}s`>'
export const c1 = web.route({ otherwise: { to: 'v1', timeout: '2 secs' } });
// @ts-expect-error 15 bad duration in one environment | says: '"10 secs"' is not assignable to type '`${number}h`
export const c2 = web.route({ otherwise: { to: 'v1', timeout: per({ prod: '2s', staging: '2s', dev: '10 secs' }) } });
// @ts-expect-error 16 bad rate | says: `${number}/s`
export const c3 = web.limit({ rate: '100 per second', per: 'caller', whenDown: 'deny' });
// @ts-expect-error 17 not a date | says: `${number}-${number}-${number}`
export const c4 = waive('MW4027', { at: [reviews], because: 'x', ticket: 'B-1', until: 'end of January' });
// @ts-expect-error 18 not a version | says: '"1.4"' is not assignable to type '`${number}.${number}.${number}`'
export const c5 = reviews.deploys({ by: [group('sre')], version: { min: '1.4', downgrade: 'deny' } });

// ── environments ──
// @ts-expect-error 19 an environment is missing | says: Property 'staging' is missing
export const d1 = web.route({ otherwise: { to: 'v1', timeout: per({ prod: '2s', dev: '10s' }) } });
// @ts-expect-error 20 an environment that does not exist | says: Did you mean to write 'prod'?
export const d2 = web.route({ otherwise: { to: 'v1', timeout: mostly('10s', { prd: '2s' }) } });
// @ts-expect-error 21 a rule for an environment that does not exist | says: '"production"' is not assignable to type '"dev" | "prod" | "staging"'
export const d3 = web.allow({ from: productpage, requests: ['GET /health'], only: ['production'] });

// ── protocols ──
// @ts-expect-error 22 HTTP match on a Kafka port | says: 'headers' does not exist in type 'TcpConditions'
export const e1 = events.ports.broker.route({ rules: [{ when: { headers: { topic: 'orders' } }, to: events.ports.broker }], otherwise: { to: events.ports.broker } });
// @ts-expect-error 23 HTTP requests in an allow on a Kafka port | says: 'requests' does not exist in type 'AccessCommon'
export const e2 = events.ports.broker.allow({ from: productpage, requests: ['GET /topics'] });
// @ts-expect-error 24 a user on a TCP port | says: 'user' does not exist in type 'AccessCommon'
export const e3 = db.ports.sql.allow({ from: productpage, user: google.user() });
// @ts-expect-error 25 requests on TLS that is passed through | says: 'requests' does not exist in type 'OutsideTlsAccess'
export const e4 = s3.ports.s3.allow({ from: productpage, requests: ['GET /bucket'] });
// @ts-expect-error 143 access by an address inside the mesh | says: 'networks' does not exist in type 'AccessCommon'
export const c43 = db.ports.sql.allow({ from: productpage, networks: ['10.0.0.0/8'] });
// @ts-expect-error 26 a request timeout on TCP | says: 'timeout' does not exist in type 'TcpElse<never>'
export const e5 = events.ports.broker.route({ otherwise: { to: events.ports.broker, timeout: '2s' } });
// @ts-expect-error 27 HTTP sent to a Kafka port | says: '"kafka"' is not assignable to type '"http" | "http2" | "websocket"'
export const e6 = web.route({ otherwise: { to: events.ports.broker } });

// ── nothing may not mean everything ──
// @ts-expect-error 28 empty match | says: '{}' is not assignable to type 'AtLeastOneCondition<
export const f1 = web.route({ rules: [{ when: {}, to: 'v1' }], otherwise: { to: 'v1' } });
// @ts-expect-error 29 empty selector | says: '{}' is not assignable to parameter of type 'AtLeastOne<Tags>'
export const f2 = mesh.standard({ for: tagged({}), defaults: { timeout: '1s' } });
// @ts-expect-error 30 empty pod selector | says: Source has 0 element(s) but target requires 1
export const f3 = workload(namespace('x', { team: 'books' }), 'w', { serviceAccount: 'w', labels: [] });
// @ts-expect-error 31 no requests said | says: Property 'requests' is missing
export const f4 = web.allow({ from: productpage });
// @ts-expect-error 32 an empty list of requests | says: Source has 0 element(s) but target requires 1
export const f5 = web.allow({ from: productpage, requests: [] });
// @ts-expect-error 33 no fallthrough said | says: Property 'otherwise' is missing
export const f6 = web.route({ rules: [{ when: { headers: { a: 'b' } }, to: 'v1' }] });
// @ts-expect-error 34 a guarantee about nobody | says: Source has 0 element(s) but target requires 1
export const f7 = never({ from: [], to: reviews });
// @ts-expect-error 35 a waiver for nothing in particular | says: Source has 0 element(s) but target requires 1
export const f8 = waive('MW4027', { at: [], because: 'x', ticket: 'B-1', until: '2027-01-31' });

// ── who ──
// @ts-expect-error 36 allow from anyone | says: '"anyone"' is not assignable to type '"identified"'
export const g1 = web.allow({ from: anyone, requests: ['GET /health'] });
// @ts-expect-error 37 the internet without a gateway | says: 'Outside' is not assignable to type 'OneOrMore<Caller>'
export const g2 = productpage.ports.web.allow({ from: internet, requests: ['GET /productpage'] });
// @ts-expect-error 38 no identity | says: Property 'serviceAccount' is missing
export const g3 = workload(namespace('x', { team: 'books' }), 'cron', {});
// @ts-expect-error 39 a version is not a caller | says: 'Version' is not assignable to type 'OneOrMore<Caller>'
export const g4 = productpage.ports.web.allow({ from: reviews.version('v2'), requests: ['GET /productpage'] });
// @ts-expect-error 40 a whole service where a port is meant | says: Property 'allow' does not exist on type 'Service<"reviews"
export const g5 = reviews.allow({ from: productpage, requests: ['GET /reviews/{id}'] });
// @ts-expect-error 41 a denial that does not say why | says: Property 'because' is missing
export const g6 = web.deny({ from: anyone });

// ── requests and users ──
// @ts-expect-error 42 not in the contract | says: Did you mean '"GET /reviews/{id}"'?
export const h1 = web.allow({ from: productpage, requests: ['GET /review/{id}'] });
// @ts-expect-error 43 no such method | says: '"FETCH /y"' is not assignable to type 'RequestLine'
export const h2 = http(80, { requests: ['FETCH /y'] });
// @ts-expect-error 44 issuer without url | says: Property 'url' is missing
export const h3 = issuer('okta', { audiences: ['shop'], keys: jwks.file('okta.json') });
// @ts-expect-error 45 claims without an issuer | says: 'claims' does not exist in type 'User'
export const h4 = web.allow({ from: productpage, requests: ['GET /reviews/{id}'], user: { claims: { group: 'admin' } } });
// @ts-expect-error 46 a retry without a bound | says: missing the following properties from type 'Retry': atMost, perTry
export const h5 = web.route({ otherwise: { to: 'v1', retry: { on: ['5xx'] } } });
// @ts-expect-error 47 a host that the gateway does not have | says: '"shop.acme.exmaple"' is not assignable to parameter of type '"shop.acme.example" | `${string}.books.acme.example`'
export const h6 = edge.listeners.web.host('shop.acme.exmaple').route({ otherwise: { to: productpage.ports.web } });
// @ts-expect-error 48 a host given to a team that is none | says: '"boks"' is not assignable
export const h7 = gateway(namespace('x', { team: 'books' }), 'g', { serviceAccount: 'g', listeners: { web: { port: 443, hosts: { 'a.example': 'boks' }, certificate: secret('x/y') } } });
// @ts-expect-error 49 a code that may not be waived | says: '"MW3001"' is not assignable to parameter of type 'Waivable'
export const h8 = waive('MW3001', { at: [reviews], because: 'x', ticket: 'B-1', until: '2027-01-31' });
// @ts-expect-error 50 a question with a method that is none | says: '"GTE /reviews/7"' is not assignable to type
export const h9 = ask({ from: productpage, to: web, request: 'GTE /reviews/7' });
// @ts-expect-error 51 unknown tag value | says: Did you mean '"gold"'?
export const i1 = mesh.standard({ for: tagged({ tier: 'golden' }), defaults: { timeout: '1s' } });
// @ts-expect-error 52 unknown tag | says: 'teir' does not exist in type 'AtLeastOne<Tags>'
export const i2 = mesh.standard({ for: tagged({ teir: 'gold' }), defaults: { timeout: '1s' } });
// @ts-expect-error 53 a user made by hand | says: is missing in type '{}' but required in type 'User'
export const i3 = web.allow({ from: productpage, requests: ['GET /reviews/{id}'], user: {} });

// ── found since ──
// @ts-expect-error 54 a key that does not exist, beside one that does | says: 'form' does not exist in type 'HttpAccess<
export const j1 = web.allow({ form: edge, from: productpage, requests: ['GET /health'] });
// @ts-expect-error 55 a condition that is there and undefined | says: with 'exactOptionalPropertyTypes: true'
export const j2 = web.allow({ from: productpage, requests: ['GET /health'], user: undefined });
// @ts-expect-error 56 the clock | says: Cannot find name 'Date'
export const j3 = waive('MW4027', { at: [reviews], because: `since ${Date.now()}`, ticket: 'B-1', until: '2027-01-31' });
// @ts-expect-error 57 the network | says: Cannot find name 'fetch'
export const j4 = fetch('https://acme.example/rules.json');
// @ts-expect-error 58 the environment of the machine | says: Cannot find name 'process'
export const j5 = namespace(process.env.NAME, { team: 'books' });
// @ts-expect-error 59 a denial by path | says: 'requests' does not exist in type 'Denial'
export const j6 = web.deny({ from: productpage, because: 'x', requests: ['GET /health'] });
// @ts-expect-error 60 a namespace of another team as a home | says: Type 'SharedWorkload' is missing the following properties from type 'Namespace'
export const j7 = workload(mailer, 'w', { serviceAccount: 'w' });
// @ts-expect-error 61 a need for a whole service | says: is not assignable to parameter of type 'OneOrMore<Target
export const j8 = productpage.calls(reviews);
// @ts-expect-error 62 too many retries | says: Type '9' is not assignable to type '1 | 2 | 3 | 4 | 5'
export const j9 = web.route({ otherwise: { to: 'v1', retry: { atMost: 9, perTry: '1s', on: ['5xx'] } } });
// @ts-expect-error 63 a wave that is no percentage | says: '"half"' is not assignable to type '`${number}%`'
export const k1 = mesh.rollout({ for: mesh, waves: ['half', '100%'], hold: '1s' });
// @ts-expect-error 64 a patch for every Envoy there will ever be | says: '{}' is not assignable to type 'AtLeastOne<VersionRange>'
export const k2 = web.patch({ direction: 'inbound', envoy: {}, because: 'x', merge: { a: 1 } });

// ── who deploys what ──
// @ts-expect-error 65 deployed by nobody | says: Source has 0 element(s) but target requires 1
export const m1 = reviews.deploys({ by: [] });
// @ts-expect-error 66 a deployer that is a text | says: 'string' is not assignable to type 'Deployer'
export const m2 = reviews.deploys({ by: ['sre'] });
// @ts-expect-error 67 half a name of a registry | says: '"ghcr.io/acme"' is not assignable to type '`${string}/`'
export const m3 = reviews.deploys({ by: [group('sre')], images: { from: ['ghcr.io/acme'], digest: 'required' } });
// @ts-expect-error 68 a repository without its owner | says: '"books"' is not assignable to type '`${string}/${string}`'
export const m4 = reviews.deploys({ by: [githubActions({ repository: 'books', branch: 'main' })] });
// @ts-expect-error 69 images without a word about digests | says: Property 'digest' is missing
export const m5 = reviews.deploys({ by: [group('sre')], images: { from: ['ghcr.io/acme/'] } });
// @ts-expect-error 70 a version without a word about going back | says: Property 'downgrade' is missing
export const m6 = reviews.deploys({ by: [group('sre')], version: { min: '1.4.0' } });
// @ts-expect-error 71 an account without its namespace | says: '"deployer"' is not assignable to parameter of type '`${string}/${string}`'
export const m7 = reviews.deploys({ by: [kubernetesAccount('deployer')] });
// @ts-expect-error 72 a product that nobody knows | says: 'nginx' does not exist in type
export const m8 = mesh.versions({ ranges: { nginx: { min: '1.0.0' } } });
// @ts-expect-error 73 a range that says nothing | says: '{}' is not assignable to type 'ProductRange'
export const m9 = mesh.versions({ ranges: { envoy: {} } });
// @ts-expect-error 74 deploying another team's gateway | says: Property 'deploys' does not exist on type 'SharedGateway<
export const n1 = edge.deploys({ by: [group('sre')] });

// ── time, retries and endpoints ──
// @ts-expect-error 85 who is denied asked again | says: Type '403' is not assignable to type 'RetryOn'
export const r1 = web.route({ otherwise: { to: 'v1', retry: { atMost: 1, perTry: '1s', on: [403] } } });
// @ts-expect-error 86 a second request beside the first, and nobody knows when | says: Property 'perTry' is missing
export const r2 = web.route({ otherwise: { to: 'v1', retry: { atMost: 1, on: ['5xx'], hedge: true } } });
// @ts-expect-error 87 a slow start where a key chooses | says: Types of property 'slowStart' are incompatible
export const r3 = namespace('x', { team: 'books', settings: { balance: { by: header('x-user'), slowStart: '30s' } } });
// @ts-expect-error 88 an ejection that nothing causes | says: is not assignable to type 'EjectionCauses &
export const r4 = namespace('x', { team: 'books', settings: { eject: { for: '30s', atMost: '50%' } } });
// @ts-expect-error 89 a key that is a text | says: Type 'string' is not assignable to type 'HashKey'
export const r5 = namespace('x', { team: 'books', settings: { balance: { by: 'x-user' } } });
// @ts-expect-error 90 a caller that chooses how it is balanced | says: 'balance' does not exist in type 'CallerSettings'
export const r6 = productpage.calls(web, { balance: 'random' });
// @ts-expect-error 91 a way to check health that there is not | says: 'ping' does not exist in type
export const r7 = namespace('x', { team: 'books', settings: { health: { ping: '/x', every: '5s', timeout: '1s' } } });
// @ts-expect-error 92 a nearness without its name | says: Type '"rack"' is not assignable to type '"network" | "region" | "sub-zone" | "zone"
export const r8 = namespace('x', { team: 'books', settings: { locality: { prefer: 'rack' } } });
// @ts-expect-error 94 health checked in two ways | says: Types of property 'tcp' are incompatible
export const q1 = namespace('x', { team: 'books', settings: { health: { path: '/x', tcp: 'connect', every: '5s', timeout: '1s' } } });
// @ts-expect-error 93 a back-off without an end | says: Property 'max' is missing
export const r9 = web.route({ otherwise: { to: 'v1', retry: { atMost: 1, perTry: '1s', on: ['5xx'], backOff: { base: '25ms' } } } });

// ── what a route does to a request ──
// @ts-expect-error 100 a fault that does not say how often | says: Property 'share' is missing
export const t1 = web.route({ otherwise: { to: 'v1', fault: { abort: { status: 503 } } } });
// @ts-expect-error 101 a copy to a version that does not exist | says: '"v9"' is not assignable to parameter of type '"v1" | "v2" | "v3"'
export const t2 = web.route({ otherwise: { to: 'v1', mirror: { to: web.version('v9'), share: '5%' } } });
// @ts-expect-error 102 a copy to a port that speaks gRPC | says: Type '"grpc"' is not assignable to type '"http" | "http2" | "websocket"'
export const t3 = web.route({ otherwise: { to: 'v1', mirror: { to: cart.ports.api, share: '5%' } } });
// @ts-expect-error 140 a fault of a gRPC route that answers as HTTP does | says: Type 'number' is not assignable to type
export const t40 = rpc.ports.api.route({ otherwise: { to: 'v1', fault: { abort: { status: 503, share: '5%' } } } });
// @ts-expect-error 141 a gRPC call with another path | says: 'rewrite' does not exist in type 'GrpcElse<
export const t41 = rpc.ports.api.route({ otherwise: { to: 'v1', rewrite: { path: '/x' } } });
// @ts-expect-error 142 a fault of an HTTP route that answers as gRPC does | says: Type 'string' is not assignable to type 'AbortStatus'
export const t42 = web.route({ otherwise: { to: 'v1', fault: { abort: { status: 'unavailable', share: '5%' } } } });
// @ts-expect-error 103 a redirect that no client follows | says: Type '304' is not assignable to type '301 | 302 | 303 | 307 | 308
export const t4 = web.route({ otherwise: { to: redirect({ path: '/x', status: 304 }) } });
// @ts-expect-error 104 a user kept by an address | says: 'address' does not exist in type 'Sticky'
export const t5 = web.route({ otherwise: { to: { v1: 50, v2: 50 }, sticky: { address: 'x' } } });
// @ts-expect-error 105 an allow by what is not said | says: Type 'Negated' is not assignable to type 'string | TextMatch'
export const t6 = web.allow({ from: productpage, requests: ['GET /reviews/{id}'], headers: { 'x-debug': not('1') } });
// @ts-expect-error 106 origins without methods | says: Property 'methods' is missing
export const t7 = web.route({ cors: { origins: 'any' }, otherwise: { to: 'v1' } });
// @ts-expect-error 107 paths for nobody | says: '"nobody"' is not assignable to parameter of type
export const t8 = web.delegate('/x', 'nobody');
// @ts-expect-error 130 a user kept by two things | says: Type 'string' is not assignable to type 'undefined'
export const t30 = web.route({ otherwise: { to: { v1: 50, v2: 50 }, sticky: { header: 'x-user', cookie: 'sid' } } });
// @ts-expect-error 131 an abort whose answer has no body | says: Type '204' is not assignable to type 'AbortStatus'
export const t31 = web.route({ otherwise: { to: 'v1', fault: { abort: { status: 204, share: '5%' } } } });
// @ts-expect-error 132 an abort that is not the end of it | says: Type '103' is not assignable to type 'AbortStatus'
export const t32 = web.route({ otherwise: { to: 'v1', fault: { abort: { status: 103, share: '5%' } } } });
// @ts-expect-error 133 a fault that does nothing | says: '{}' is not assignable to type 'FaultSpec'
export const t33 = web.route({ otherwise: { to: 'v1', fault: {} } });
// @ts-expect-error 134 a rewrite of nothing | says: '{}' is not assignable to type 'RewriteSpec'
export const t34 = web.route({ otherwise: { to: 'v1', rewrite: {} } });
// @ts-expect-error 135 an edit of no header | says: '{}' is not assignable to type 'HeaderEdit'
export const t35 = web.route({ otherwise: { to: 'v1', requestHeaders: {} } });
// @ts-expect-error 136 an edit of nothing at one destination | says: '{}' is not assignable to type 'DestinationEdits'
export const t36 = web.route({ otherwise: { to: split([web, 90, {}], [web.version('v2'), 10]) } });
// @ts-expect-error 137 a copy to a version of its own that does not exist | says: Type '"v9"' is not assignable to type
export const t37 = web.route({ otherwise: { to: 'v1', mirror: { to: 'v9', share: '5%' } } });

// ── gateways ──
// @ts-expect-error 200 a listener without a certificate that does not say so | says: is not assignable to type 'ListenerSpec'
export const gw1 = gateway(namespace('x', { team: 'books' }), 'g', { serviceAccount: 'g', listeners: { web: { port: 443, hosts: { 'a.example': 'books' } } } });
const redirecting = gateway(namespace('x', { team: 'books' }), 'g', { serviceAccount: 'g', listeners: { open: { protocol: 'http', port: 80, hosts: { 'a.example': 'books' }, redirect: 'https' } } });
// @ts-expect-error 201 routes at a listener that answers everything itself | says: Property 'route' does not exist
export const gw2 = redirecting.listeners.open.host('a.example').route({ otherwise: { to: productpage.ports.web } });
// @ts-expect-error 202 plain HTTP with a certificate | says: Type 'Secret' is not assignable to type 'undefined'
export const gw3 = gateway(namespace('x', { team: 'books' }), 'g', { serviceAccount: 'g', listeners: { open: { protocol: 'http', port: 80, hosts: { 'a.example': 'books' }, certificate: secret('x/y') } } });
const whole = gateway(namespace('x', { team: 'books' }), 'g', { serviceAccount: 'g', listeners: { pass: { protocol: 'tls', port: 443, hosts: { 'a.example': 'books' } }, queue: { protocol: 'tcp', port: 5432, team: 'books' } } });
// @ts-expect-error 203 a request of a connection that goes on whole | says: 'request' does not exist in type 'TcpConditions'
export const gw4 = whole.listeners.queue.route({ rules: [{ when: { request: 'GET /' }, to: events.ports.broker }], otherwise: { to: events.ports.broker } });
// @ts-expect-error 204 a host of a listener that knows none | says: Property 'host' does not exist on type 'ConnectionHost<"tcp">'
export const gw5 = whole.listeners.queue.host('a.example');
// @ts-expect-error 205 a certificate where TLS is not ended | says: Type 'Secret' is not assignable to type 'undefined'
export const gw6 = gateway(namespace('x', { team: 'books' }), 'g', { serviceAccount: 'g', listeners: { pass: { protocol: 'tls', port: 443, hosts: { 'a.example': 'books' }, certificate: secret('x/y') } } });
// @ts-expect-error 206 client certificates that are neither required nor optional | says: '"maybe"' is not assignable to type '"optional" | "required"'
export const gw7 = gateway(namespace('x', { team: 'books' }), 'g', { serviceAccount: 'g', listeners: { web: { port: 443, hosts: { 'a.example': 'books' }, certificate: secret('x/y'), clients: { trust: secret('x/z'), certificate: 'maybe' } } } });

// @ts-expect-error 238 a TLS that nobody speaks any more | says: Type '"1.1"' is not assignable to type '"1.2" | "1.3"
export const gw8 = gateway(namespace('x', { team: 'books' }), 'g', { serviceAccount: 'g', listeners: { web: { port: 443, hosts: { 'a.example': 'books' }, certificate: secret('x/y'), minTls: '1.1' } } });

// @ts-expect-error 207 shares of versions at a host, which has none | says: 'v1' does not exist in type 'HostDestination'
export const gw9 = edge.listeners.web.host('shop.acme.example').route({ otherwise: { to: { v1: 90, v2: 10 } } });
// @ts-expect-error 208 TLS that is passed through, at a host whose requests are read | says: is not assignable to type 'HostDestination'
export const gw10 = edge.listeners.web.host('shop.acme.example').route({ otherwise: { to: whole.listeners.pass.host('a.example') } });
// @ts-expect-error 209 an answer in the words of gRPC at a host, where browsers come too | says: Type 'GrpcAnswer' is not assignable to type 'HostDestination'
export const gw11 = edge.listeners.web.host('shop.acme.example').route({ otherwise: { to: respondGrpc('unavailable', 'in maintenance') } });
// @ts-expect-error 210 an answer in the words of gRPC on a port of HTTP | says: Type 'GrpcAnswer' is not assignable to type 'HttpDestination
export const gw12 = web.route({ otherwise: { to: respondGrpc('unavailable', 'in maintenance') } });
// @ts-expect-error 211 an answer in the words of gRPC to a connection that goes on whole | says: Type 'GrpcAnswer' is not assignable to type
export const gw13 = whole.listeners.queue.route({ otherwise: { to: respondGrpc('unavailable') } });

// ── several networks ──
// @ts-expect-error 180 a pattern of what a gateway between networks passes on | says: 'hosts' does not exist in type 'EastWestGatewaySpec'
export const w1 = eastWestGateway(namespace('x', { team: 'books' }), 'crossing', { serviceAccount: 'crossing', port: 15443, hosts: ['*.books'] });
// @ts-expect-error 181 an export through a gateway to the outside | says: is not assignable to type 'OneOrMore<AnyEastWestGateway>'
export const w2 = web.export({ through: edge });
// @ts-expect-error 182 an export of another team's port | says: Property 'export' does not exist on type 'Target<"grpc"
export const w3 = cart.ports.api.export({ through: eastWestGateway(namespace('y', { team: 'books' }), 'c', { serviceAccount: 'c', port: 15443 }) });
// @ts-expect-error 183 an export that does not say through what | says: Property 'through' is missing
export const w4 = web.export({});
// @ts-expect-error 184 a gateway between networks as a caller | says: is not assignable to type 'OneOrMore<Caller>'
export const w5 = web.allow({ from: eastWestGateway(namespace('z', { team: 'books' }), 'c', { serviceAccount: 'c', port: 15443 }), requests: ['GET /reviews/{id}'] });
// @ts-expect-error 163 requests of HTTP on gRPC outside | says: 'requests' does not exist in type 'GrpcAccess<
export const x63 = vault.ports.api.allow({ from: productpage, requests: ['GET /secrets'] });
// @ts-expect-error 164 a way out that is no gateway | says: is not assignable to type 'AnyGateway'
export const x64 = external('far', { team: 'books', hosts: ['far.example'], ports: { api: grpcs(443) }, through: productpage });
// @ts-expect-error 138 a PROXY header of a version that there is not | says: Type '"v3"' is not assignable to type '"v1" | "v2"
export const t38 = service(namespace('db2', { team: 'books' }), 'x', { serviceAccount: 'x', ports: { raw: tcp(1, { proxyProtocol: 'v3' }) } });
// @ts-expect-error 139 a PROXY header for what reads requests | says: 'proxyProtocol' does not exist in type 'HttpPortSpec<
export const t39 = service(namespace('db3', { team: 'books' }), 'x', { serviceAccount: 'x', ports: { web: http(80, { proxyProtocol: 'v2' }) } });
// @ts-expect-error 230 a gRPC client that keeps a cookie | says: 'cookie' does not exist in type 'GrpcSticky'
export const t230 = service(namespace('rpc2', { team: 'books' }), 'x', { serviceAccount: 'x', versions: ['v1', 'v2'], ports: { api: grpc(1) } }).ports.api.route({ otherwise: { to: { v1: 50, v2: 50 }, sticky: { cookie: 'sid' } } });
// @ts-expect-error 231 a PING that is waited for without end | says: Property 'timeout' is missing
export const t231 = namespace('ping', { team: 'books', settings: { connections: { ping: { every: '10s' } } } });
// @ts-expect-error 232 a PROXY header that clients may leave out | says: Type '"optional"' is not assignable to type '"required"'
export const t232 = gateway(namespace('edge2', { team: 'books' }), 'x', { serviceAccount: 'x', listeners: { web: { protocol: 'http', port: 80, hosts: { 'a.example': 'books' }, proxyProtocol: 'optional' } } });
// @ts-expect-error 233 ranges through a gateway | says: 'through' does not exist in type 'RangesOutside<
export const t233 = external('fleet', { team: 'books', addresses: ['192.0.2.0/24'], ports: { db: postgres(5432) }, through: edge });
// @ts-expect-error 234 hosts and ranges of one external | says: Types of property 'addresses' are incompatible
export const t234 = external('fleet2', { team: 'books', hosts: ['db.example'], addresses: ['192.0.2.0/24'], ports: { db: postgres(5432) } });
// @ts-expect-error 235 an address without the length of a prefix | says: Type '"192.0.2.7"' is not assignable to type
export const t235 = external('fleet3', { team: 'books', addresses: ['192.0.2.7'], ports: { db: postgres(5432) } });
