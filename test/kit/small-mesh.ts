/** A mesh of two: `shop/page` calls `shop/reviews`, written as IR and emitted by the product. */
import { emitEnvoy } from '../../compiler/emit/envoy/index';
import type { MeshObject } from '../../core/bundle/objects';
import type { AccessRule, MeshIr, RouteTable } from '../../core/ir/ir';
import { plainForward, plainTarget } from '../../core/ir/plain';
import { builtInResilience, noLimits } from '../../core/ir/resilience';
import { portKey, principalOf, workloadKey, type PortKey, type RuleId } from '../../core/mesh/ids';

const id = (text: string): RuleId => text as RuleId;
export const page = workloadKey('shop', 'page');
export const reviews = workloadKey('shop', 'reviews');
export const reviewsWeb: PortKey = portKey(reviews, 'web');
export const pagePrincipal = principalOf('mesh.test', 'shop', 'page');
export const reviewsPrincipal = principalOf('mesh.test', 'shop', 'reviews');

/** A busy machine's time: what a mesh waits for where no test says how long. */
export const patientMs = 60_000;

export interface SmallMesh {
  /** Whether `page` may call `reviews`; default true. */
  readonly allowed?: boolean;
  readonly timeoutMs?: number;
  /** Weights of the versions of `reviews`; none: every endpoint. */
  readonly split?: { readonly [version: string]: number };
}

export function smallMesh({ allowed = true, timeoutMs = patientMs, split }: SmallMesh = {}): MeshIr {
  const access: AccessRule[] = [
    {
      id: id('shop/pageReads'),
      action: 'allow',
      mode: 'enforce',
      port: reviewsWeb,
      callers: {
        kind: 'principals',
        principals: [{ principal: allowed ? pagePrincipal : principalOf('mesh.test', 'shop', 'nobody'), named: true }],
      },
      requests: 'any',
      headers: [],
      hosts: [],
      user: null,
      because: null,
    },
    // Keeps `page` a caller of the port, so that a revoked access is seen at the callee.
    {
      id: id('shop/pagePings'),
      action: 'allow',
      mode: 'enforce',
      port: reviewsWeb,
      callers: { kind: 'principals', principals: [{ principal: pagePrincipal, named: true }] },
      requests: [{ method: 'GET', path: [{ kind: 'literal', text: 'ping' }], text: 'GET /ping' }],
      headers: [],
      hosts: [],
      user: null,
      because: null,
    },
  ];
  const to = split
    ? Object.entries(split)
        .filter(([, weight]) => weight > 0)
        .map(([version, weight]) => ({ ...plainTarget, port: reviewsWeb, version, weight }))
    : [{ ...plainTarget, port: reviewsWeb }];
  const routes: RouteTable[] = [
    {
      id: id('shop/reviewsRoutes'),
      port: reviewsWeb,
      cors: null,
      rules: [{ id: id('shop/reviewsRoutes.otherwise'), match: null, action: { ...plainForward, to, timeoutMs, retry: null } }],
    },
  ];
  return {
    version: 'meshwright.ir/1',
    environment: 'prod',
    trustDomain: 'mesh.test',
    runs: { envoy: '1.40.0' },
    teams: [{ name: 'shop', namespaces: ['shop'] }],
    namespaces: [{ id: id('shop/shop'), name: 'shop', team: 'shop', adoption: 'enforce' }],
    workloads: [
      {
        id: id('shop/page'),
        key: page,
        kind: 'workload',
        team: 'shop',
        serviceAccount: 'page',
        principal: pagePrincipal,
        labels: [],
        tags: {},
      },
      {
        id: id('shop/reviews'),
        key: reviews,
        kind: 'service',
        team: 'shop',
        serviceAccount: 'reviews',
        principal: reviewsPrincipal,
        labels: [],
        tags: {},
      },
    ],
    services: [
      {
        id: id('shop/reviews'),
        key: reviews,
        team: 'shop',
        versions: ['v1', 'v2'],
        versionLabel: 'version',
        ports: [
          {
            key: reviewsWeb,
            name: 'web',
            protocol: 'http',
            layer: 'http',
            number: 9080,
            requests: null,
            maxAgeMs: null,
            brokers: [],
            urls: 'rfc3986',
            mtls: 'strict',
            resilience: { ...builtInResilience, connections: { ...noLimits, connectTimeoutMs: patientMs } },
          },
        ],
      },
    ],
    gateways: [],
    access,
    routes,
    hostConnections: [],
    connectionRoutes: [],
    issuers: [],
    hostRoutes: [],
    needs: [],
    guarantees: [],
    patches: [],
    deploys: [],
    products: [],
    rollout: { waves: [100], holdMs: 0 },
  };
}

export const edge = workloadKey('shop', 'edge');
export const edgePrincipal = principalOf('mesh.test', 'shop', 'edge');

/** The same mesh behind a gateway: `https://shop.example` goes to `reviews`, with the certificate `shop/edge-cert`. */
export function meshWithGateway(): MeshIr {
  const mesh = smallMesh();
  return {
    ...mesh,
    workloads: [
      {
        id: id('shop/edge'),
        key: edge,
        kind: 'gateway',
        team: 'shop',
        serviceAccount: 'edge',
        principal: edgePrincipal,
        labels: [],
        tags: {},
      },
      ...mesh.workloads,
    ],
    gateways: [
      {
        id: id('shop/edge'),
        key: edge,
        listeners: [
          {
            name: 'https',
            port: 443,
            speaks: { kind: 'https', certificate: 'shop/edge-cert', clients: null },
            hosts: [{ host: 'shop.example', team: 'shop' }],
          },
        ],
      },
    ],
    access: [
      ...mesh.access,
      {
        id: id('shop/edgeReads'),
        action: 'allow',
        mode: 'enforce',
        port: reviewsWeb,
        callers: { kind: 'principals', principals: [{ principal: edgePrincipal, named: true }] },
        requests: 'any',
        headers: [],
        hosts: [],
        user: null,
        because: null,
      },
    ],
    hostRoutes: [
      {
        id: id('shop/edgeRoutes'),
        gateway: edge,
        listener: 'https',
        host: 'shop.example',
        team: 'shop',
        cors: null,
        rules: [
          {
            id: id('shop/edgeRoutes.otherwise'),
            match: null,
            action: { ...plainForward, to: [{ ...plainTarget, port: reviewsWeb }], timeoutMs: patientMs, retry: null },
          },
        ],
      },
    ],
  };
}

/** The objects of an IR; throws with the diagnostics when it cannot be emitted. */
export function objectsOf(ir: MeshIr): readonly MeshObject[] {
  const { value, diagnostics } = emitEnvoy(ir);
  if (!value) throw new Error(diagnostics.map((one) => `${one.code} ${one.message}`).join('\n'));
  return [...value.services, ...value.proxies];
}
