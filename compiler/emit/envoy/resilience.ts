/** How a cluster's endpoints are reached: limits, ejection, health checks, balancing, panic. The definition has the same in core/ir/resilience.ts. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Layer } from '../../../core/ir/ir';
import { isHttp } from '../../../core/ir/layers';
import type { Balance, Connections, Ejection, HashKey, HealthCheck, Resilience } from '../../../core/ir/resilience';
import { assertNever } from '../../../core/lib/brand';
import type { CircuitBreakersSchema } from '../../../core/wire/gen/envoy/config/cluster/v3/circuit_breaker_pb';
import { Cluster_LbPolicy, type ClusterSchema } from '../../../core/wire/gen/envoy/config/cluster/v3/cluster_pb';
import type { OutlierDetectionSchema } from '../../../core/wire/gen/envoy/config/cluster/v3/outlier_detection_pb';
import type { HealthCheckSchema } from '../../../core/wire/gen/envoy/config/core/v3/health_check_pb';
import type { RouteAction_HashPolicySchema } from '../../../core/wire/gen/envoy/config/route/v3/route_components_pb';
import { CodecClientType } from '../../../core/wire/gen/envoy/type/v3/http_pb';
import { ms } from './any';

type Cluster = Exclude<MessageInitShape<typeof ClusterSchema>, { readonly $typeName: string }>;
type CircuitBreakers = MessageInitShape<typeof CircuitBreakersSchema>;

/** `host` is what a health check asks for; `budget` the share that retries may have, in percent. */
export function reach(resilience: Resilience, layer: Layer, host: string, budget: number | undefined) {
  const { connections, eject, health, balance, locality, panicBelowPercent } = resilience;
  const breakers = limits(connections, layer, budget);
  const common = {
    // who is found out is left out from the next request on; else Envoy keeps what it learns for up to a second
    ...(eject || health ? { updateMergeWindow: ms(0) } : {}),
    ...(panicBelowPercent === 50 ? {} : { healthyPanicThreshold: { value: panicBelowPercent } }),
    ...(locality.kind === 'spread' ? { localityConfigSpecifier: { case: 'localityWeightedLbConfig', value: {} } as const } : {}),
  };
  const { keepAlive } = connections;
  return {
    connectTimeout: ms(connections.connectTimeoutMs),
    ...balancing(balance),
    ...(Object.keys(common).length > 0 ? { commonLbConfig: common } : {}),
    ...(breakers ? { circuitBreakers: breakers } : {}),
    ...(eject ? { outlierDetection: ejection(eject) } : {}),
    ...(health ? { healthChecks: [healthCheck(health, host)] } : {}),
    ...(keepAlive
      ? {
          upstreamConnectionOptions: {
            tcpKeepalive: {
              keepaliveProbes: keepAlive.probes,
              keepaliveTime: keepAlive.afterMs / 1000,
              keepaliveInterval: keepAlive.everyMs / 1000,
            },
          },
        }
      : {}),
  };
}

/** Over HTTP/2 one connection carries many requests, so a limit of connections that says nothing of requests is on both. */
function limits({ max, pending, requests, retries }: Connections, layer: Layer, budget: number | undefined): CircuitBreakers | null {
  const atOnce = isHttp(layer) ? (requests ?? max) : null;
  const threshold = {
    ...(max === null ? {} : { maxConnections: max }),
    ...(pending === null ? {} : { maxPendingRequests: pending }),
    ...(atOnce === null ? {} : { maxRequests: atOnce }),
    ...(budget !== undefined
      ? { retryBudget: { budgetPercent: { value: budget }, minRetryConcurrency: 3 } }
      : retries === null
        ? {}
        : { maxRetries: retries }),
  };
  return Object.keys(threshold).length > 0 ? { thresholds: [threshold] } : null;
}

/** What a proxy lets through to its own application. */
export function applicationLimits({ max, pending }: Connections): { readonly circuitBreakers?: CircuitBreakers } {
  if (max === null && pending === null) return {};
  return {
    circuitBreakers: {
      thresholds: [{ ...(max === null ? {} : { maxConnections: max }), ...(pending === null ? {} : { maxPendingRequests: pending }) }],
    },
  };
}

function ejection(eject: Ejection): MessageInitShape<typeof OutlierDetectionSchema> {
  const { consecutive5xx, gatewayFailures, localFailures, successRate, failureShare } = eject;
  return {
    interval: ms(eject.everyMs),
    baseEjectionTime: ms(eject.forMs),
    maxEjectionTime: ms(eject.forAtMostMs),
    maxEjectionPercent: eject.atMostPercent,
    ...(consecutive5xx === null ? { enforcingConsecutive5xx: 0 } : { consecutive5xx, enforcingConsecutive5xx: 100 }),
    ...(gatewayFailures === null
      ? { enforcingConsecutiveGatewayFailure: 0 }
      : { consecutiveGatewayFailure: gatewayFailures, enforcingConsecutiveGatewayFailure: 100 }),
    ...(localFailures === null
      ? {}
      : {
          splitExternalLocalOriginErrors: true,
          consecutiveLocalOriginFailure: localFailures,
          enforcingConsecutiveLocalOriginFailure: 100,
          enforcingLocalOriginSuccessRate: 0,
        }),
    ...(successRate === null
      ? { enforcingSuccessRate: 0 }
      : {
          enforcingSuccessRate: 100,
          successRateStdevFactor: Math.round(successRate.deviations * 1000),
          successRateMinimumHosts: successRate.hosts,
          successRateRequestVolume: successRate.requests,
        }),
    ...(failureShare === null
      ? { enforcingFailurePercentage: 0 }
      : {
          enforcingFailurePercentage: 100,
          failurePercentageThreshold: failureShare.abovePercent,
          failurePercentageMinimumHosts: failureShare.hosts,
          failurePercentageRequestVolume: failureShare.requests,
        }),
  };
}

/** Statuses that count: any other one would take an endpoint out at once, however many are asked for in a row. What is expected comes before them. */
const anyOther = [{ start: 100n, end: 600n }];

function healthCheck(
  { by, everyMs, timeoutMs, healthyAfter, unhealthyAfter }: HealthCheck,
  host: string,
): MessageInitShape<typeof HealthCheckSchema> {
  const checker = (): NonNullable<MessageInitShape<typeof HealthCheckSchema>['healthChecker']> => {
    switch (by.kind) {
      case 'http':
        return {
          case: 'httpHealthCheck',
          value: {
            host,
            path: by.path,
            codecClientType: CodecClientType.HTTP2,
            expectedStatuses: [{ start: 200n, end: 300n }],
            retriableStatuses: anyOther,
          },
        };
      case 'grpc':
        return { case: 'grpcHealthCheck', value: { serviceName: by.service, authority: host } };
      case 'tcp':
        return { case: 'tcpHealthCheck', value: {} };
      default:
        return assertNever(by);
    }
  };
  return {
    interval: ms(everyMs),
    // as often before the first request as after it
    noTrafficInterval: ms(everyMs),
    timeout: ms(timeoutMs),
    healthyThreshold: healthyAfter,
    unhealthyThreshold: unhealthyAfter,
    healthChecker: checker(),
  };
}

function balancing(balance: Balance): Pick<Cluster, 'lbPolicy' | 'lbConfig'> {
  switch (balance.kind) {
    case 'least-request': {
      const lbConfig = { case: 'leastRequestLbConfig', value: slow(balance.slowStartMs) } as const;
      return { lbPolicy: Cluster_LbPolicy.LEAST_REQUEST, ...(balance.slowStartMs === null ? {} : { lbConfig }) };
    }
    case 'round-robin': {
      const lbConfig = { case: 'roundRobinLbConfig', value: slow(balance.slowStartMs) } as const;
      return { lbPolicy: Cluster_LbPolicy.ROUND_ROBIN, ...(balance.slowStartMs === null ? {} : { lbConfig }) };
    }
    case 'random':
      return { lbPolicy: Cluster_LbPolicy.RANDOM };
    case 'hash':
      if (balance.table.kind === 'maglev') return { lbPolicy: Cluster_LbPolicy.MAGLEV };
      return {
        lbPolicy: Cluster_LbPolicy.RING_HASH,
        lbConfig: { case: 'ringHashLbConfig', value: { minimumRingSize: BigInt(balance.table.atLeast) } },
      };
    default:
      return assertNever(balance);
  }
}
const slow = (windowMs: number | null) => (windowMs === null ? {} : { slowStartConfig: { slowStartWindow: ms(windowMs) } });

/** What of a request is hashed, which came by `scheme`. */
export function hashPolicy(key: HashKey, scheme: 'http' | 'https'): MessageInitShape<typeof RouteAction_HashPolicySchema> {
  switch (key.kind) {
    case 'header':
      return { policySpecifier: { case: 'header', value: { headerName: key.name } } };
    case 'query':
      return { policySpecifier: { case: 'queryParameter', value: { name: key.name } } };
    case 'source':
      return { policySpecifier: { case: 'connectionProperties', value: { sourceIp: true } } };
    case 'cookie':
      return {
        policySpecifier: {
          case: 'cookie',
          value: {
            name: key.name,
            // Envoy makes it HttpOnly by itself
            ...(key.madeForMs === null ? {} : { ttl: ms(key.madeForMs), path: '/', attributes: cookieAttributes(scheme) }),
          },
        },
      };
    default:
      return assertNever(key);
  }
}
const cookieAttributes = (scheme: 'http' | 'https') => [
  { name: 'SameSite', value: 'Lax' },
  ...(scheme === 'https' ? [{ name: 'Secure', value: '' }] : []),
];
