/** How each member, kind and literal of the IR is generated, or why it is not. README.md is written from it, and a test sees that what is claimed comes up. */
import type {
  AccessRule,
  ConnectionRule,
  Cors,
  FieldMatch,
  HeaderEdits,
  MeshIr,
  PathTemplate,
  RequestClass,
  Retry,
  RouteRule,
  UserMatch,
} from '../../core/ir/ir';
import type { CoverageOf, NotGenerated } from './coverage-of';

/** Nothing to say beside its name. */
const yes = 'yes';
const not = (notGenerated: string): NotGenerated => ({ notGenerated });
const noAnswer = not('it decides nothing of a request; the analysers and the semantic diff have their own tests');

const requestClass: CoverageOf<RequestClass> = {
  method: 'GET, POST, DELETE, HEAD or any',
  path: {
    literal: { text: 'letters of both cases, marks, encoded bytes, the empty one at the end' },
    one: { name: yes },
    rest: { name: yes },
  },
  text: yes,
};
const fieldMatch: CoverageOf<FieldMatch> = {
  name: yes,
  match: { exact: { value: yes }, prefix: { value: yes }, regex: { value: yes }, present: yes },
};
const headerValue = { name: yes, value: yes } as const;
const edits: CoverageOf<HeaderEdits> = { remove: yes, set: headerValue, add: headerValue };
const cors: CoverageOf<Cors> = {
  origins: { exact: { value: yes }, regex: { value: yes }, prefix: not('refused'), present: not('refused') },
  methods: yes,
  headers: yes,
  exposed: yes,
  credentials: yes,
  maxAgeMs: yes,
};
const path: CoverageOf<PathTemplate> = { literal: { text: yes }, one: { name: yes }, rest: { name: yes } };
const ofTime = not('it depends on time or load; test/e2e/resilience has it');
const ofPlace = not('all instances here are in one place; test/e2e has places');
const retry: CoverageOf<Retry> = {
  atMost: yes,
  perTryMs: yes,
  on: yes,
  budgetPercent: ofTime,
  backOff: ofTime,
  hedge: ofTime,
  methods: ofTime,
};
const callers: CoverageOf<AccessRule['callers']> = {
  principals: { principals: { principal: 'services, workloads, the gateway, a namespace', named: yes } },
  anyone: { except: yes },
};
/** A user of an issuer, with what its token says. */
const user: CoverageOf<UserMatch> = {
  issuer: yes,
  claims: { name: 'with dots too', kind: { is: yes, includes: yes, oneOf: yes }, values: yes },
};
const bySource = 'of both families, in each other; clients have addresses of their own, or a PROXY header says them';
const rule: CoverageOf<RouteRule> = {
  id: yes,
  match: {
    requests: requestClass,
    headers: fieldMatch,
    withoutHeaders: fieldMatch,
    query: fieldMatch,
    cookies: fieldMatch,
    hosts: yes,
    callers: yes,
    sources: bySource,
    user,
  },
  action: {
    forward: {
      to: {
        port: 'its own and another',
        version: yes,
        weight: yes,
        rewrite: { path, host: yes },
        requestHeaders: edits,
        responseHeaders: edits,
      },
      timeoutMs: 'its value is in golden files; no application here is slow',
      idleMs: ofTime,
      retry,
      sticky: { header: { name: yes }, cookie: { name: yes }, issued: { name: yes, forMs: yes } },
      rewrite: { path, host: yes },
      requestHeaders: edits,
      responseHeaders: edits,
      mirrors: { port: yes, version: not('copies go to whole ports'), percent: yes },
      fault: { delay: { ms: yes, percent: yes }, abort: { kind: { http: yes, grpc: yes }, status: yes, percent: yes } },
    },
    respond: { status: yes, body: yes, responseHeaders: edits },
    respondGrpc: { status: yes, message: yes },
    redirect: {
      scheme: { https: yes, http: yes },
      host: yes,
      port: yes,
      path,
      status: { 301: yes, 302: yes, 303: yes, 307: yes, 308: yes },
      responseHeaders: edits,
    },
  },
};
/** Of a port and of a gateway's host. */
const connectionRule: CoverageOf<ConnectionRule> = {
  id: yes,
  match: { sources: bySource, from: yes, sni: 'exact, and under a wildcard' },
  to: { port: 'its own and another', version: yes, weight: yes },
  idleMs: 'its value is in golden files; no connection here is idle',
};

export const coverage: CoverageOf<MeshIr> = {
  networks: not('all instances here are in one network; test/e2e/networks holds Envoys against the definition'),
  issuers: {
    id: yes,
    name: yes,
    url: yes,
    audiences: yes,
    keys: {
      pinned: { jwks: 'one of Ed25519; other algorithms: test/e2e/users.test.ts' },
      fetched: not('they are had from a server over time: test/e2e/issuer-keys.test.ts'),
    },
  },
  version: { 'meshwright.ir/1': yes },
  environment: yes,
  trustDomain: yes,
  runs: { envoy: yes },
  teams: { name: yes, namespaces: yes },
  namespaces: {
    id: yes,
    name: yes,
    team: yes,
    adoption: {
      observe: not('emission refuses it'),
      shadow: not('emission refuses it'),
      enforce: yes,
    },
  },
  workloads: {
    id: yes,
    key: yes,
    kind: {
      service: yes,
      workload: yes,
      gateway: yes,
      'east-west': not('it passes on between networks, and all instances here are in one'),
    },
    team: yes,
    serviceAccount: yes,
    principal: yes,
    labels: not('they select pods'),
    tags: yes,
  },
  services: {
    id: yes,
    key: yes,
    team: yes,
    versions: yes,
    versionLabel: yes,
    outside: {
      hosts: 'names that lead to the servers of the run, an address, wildcards in each other and beside what is named closer',
      at: 'of wildcards that a caller dials itself; through a gateway: test/e2e/wildcards',
      addresses: not('nothing is captured here, so no connection is for an address; test/e2e/egress-ranges has it'),
      trust: yes,
      through: 'the gateway that has listeners too',
    },
    ports: {
      key: yes,
      name: yes,
      protocol: yes,
      layer: { http: yes, grpc: yes, tls: yes, tcp: yes },
      number: yes,
      maxAgeMs: 'of `websocket` ports, whose upgrades are asked for; the value is in golden files, no WebSocket here is old',
      brokers: not('they are connections; test/e2e has them'),
      proxyProtocol: not('an application of the differential reads requests; test/e2e/proxy-protocol has it'),
      requests: not('a contract is held against rules, not against requests'),
      urls: { rfc3986: yes, servlet: yes, 'case-insensitive': yes },
      mtls: { strict: yes, permissive: not('a request in plaintext has no caller to ask the definition about; test/e2e/features has it') },
      resilience: {
        connections: {
          max: yes,
          pending: yes,
          requests: ofTime,
          retries: ofTime,
          perConnection: ofTime,
          streams: ofTime,
          connectTimeoutMs: yes,
          idleMs: ofTime,
          maxAgeMs: ofTime,
          keepAlive: ofTime,
          ping: ofTime,
        },
        eject: {
          consecutive5xx: ofTime,
          gatewayFailures: ofTime,
          localFailures: yes,
          successRate: ofTime,
          failureShare: ofTime,
          everyMs: yes,
          forMs: yes,
          forAtMostMs: yes,
          atMostPercent: yes,
        },
        health: ofTime,
        balance: {
          'least-request': yes,
          'round-robin': yes,
          random: yes,
          hash: {
            by: { header: { name: yes }, query: { name: yes }, cookie: { name: yes, madeForMs: ofTime }, source: yes },
            table: { maglev: yes, ring: { atLeast: yes } },
          },
        },
        locality: {
          off: yes,
          prefer: { nearness: { network: ofPlace, region: ofPlace, zone: yes, 'sub-zone': ofPlace }, failover: ofPlace },
          spread: ofPlace,
        },
        panicBelowPercent: yes,
      },
    },
  },
  gateways: {
    id: yes,
    key: yes,
    listeners: {
      name: yes,
      port: yes,
      proxyProtocol: 'headers of both versions, and those that say nothing of who dialled',
      speaks: {
        https: {
          certificate: yes,
          clients: { trust: 'clients show one of its certificates, one of others, or none', required: yes },
          minTls: { '1.3': 'what clients here speak; test/e2e/client-certificates.test.ts has older ones' },
        },
        http: yes,
        tls: yes,
        tcp: yes,
      },
      hosts: {
        host: 'exact, under a wildcard, and any',
        team: yes,
        certificate: not('requests mean the same under any; test/e2e/gateways asks for each host what it is shown'),
      },
    },
  },
  access: {
    id: yes,
    action: { allow: yes, deny: yes },
    mode: { enforce: yes, shadow: yes },
    port: yes,
    callers,
    requests: { words: { any: yes }, list: requestClass },
    headers: fieldMatch,
    hosts: yes,
    user,
    because: yes,
  },
  routes: { id: yes, port: yes, cors, rules: rule },
  connectionRoutes: { id: yes, port: yes, rules: connectionRule },
  hostRoutes: { id: yes, gateway: yes, listener: yes, host: yes, team: yes, cors, rules: rule },
  hostConnections: { id: yes, gateway: yes, listener: yes, host: yes, team: yes, rules: connectionRule },
  needs: {
    id: yes,
    caller: yes,
    targets: yes,
    timeoutMs: yes,
    idleMs: ofTime,
    retry: { words: { none: yes }, thing: retry },
    connections: ofTime,
  },
  guarantees: noAnswer,
  patches: not('what a patch may set decides nothing of a request'),
  deploys: noAnswer,
  products: noAnswer,
  rollout: not('waves are the control plane’s suites'),
};
