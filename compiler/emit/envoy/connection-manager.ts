/** What every HTTP listener shares: limits, what a client may not say, the guard, the filters in their order (filter-order.ts), the router. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { nowhere } from '../../../core/lib/network';
import type { UrlDialect } from '../../../core/semantics/canonical';
import type { AccessLogSchema } from '../../../core/wire/gen/envoy/config/accesslog/v3/accesslog_pb';
import { ApiVersion } from '../../../core/wire/gen/envoy/config/core/v3/config_source_pb';
import { HttpProtocolOptions_HeadersWithUnderscoresAction } from '../../../core/wire/gen/envoy/config/core/v3/protocol_pb';
import { RouterSchema } from '../../../core/wire/gen/envoy/extensions/filters/http/router/v3/router_pb';
import {
  HttpConnectionManager_CodecType,
  HttpConnectionManager_ForwardClientCertDetails,
  HttpConnectionManager_PathWithEscapedSlashesAction,
  HttpConnectionManager_ServerHeaderTransformation,
  type HttpConnectionManagerSchema,
  type LocalReplyConfigSchema,
} from '../../../core/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb';
import { guardConfig } from './access/access';
import { ms, pack, seconds } from './any';
import { httpFilters, type InHttpSlots } from './filter-order';

export type ConnectionManager = MessageInitShape<typeof HttpConnectionManagerSchema>;
interface Parts {
  readonly side: 'inbound' | 'outbound' | 'gateway';
  readonly routes: string;
  readonly urls: UrlDialect;
  readonly filters: InHttpSlots;
  readonly localReply: MessageInitShape<typeof LocalReplyConfigSchema>;
  readonly accessLog: readonly MessageInitShape<typeof AccessLogSchema>[];
}

export function connectionManager(parts: Parts): ConnectionManager {
  return {
    statPrefix: parts.side,
    codecType: HttpConnectionManager_CodecType.AUTO,
    routeSpecifier: {
      case: 'rds',
      value: {
        routeConfigName: parts.routes,
        configSource: {
          resourceApiVersion: ApiVersion.V3,
          initialFetchTimeout: seconds(0),
          configSourceSpecifier: { case: 'ads', value: {} },
        },
      },
    },
    httpFilters: httpFilters({ ...parts.filters, guard: guardConfig[parts.side === 'gateway' ? 'gateway' : parts.urls], router }),
    localReplyConfig: parts.localReply,
    accessLog: [...parts.accessLog],
    // one spelling of a path for all: nothing is rewritten, the guard refuses what is not canonical
    normalizePath: false,
    mergeSlashes: false,
    pathWithEscapedSlashesAction: HttpConnectionManager_PathWithEscapedSlashesAction.KEEP_UNCHANGED,
    // nobody is internal, so what only Envoy may say (x-envoy-*) is taken off every request
    useRemoteAddress: true,
    internalAddressConfig: { cidrRanges: [nowhere] },
    skipXffAppend: parts.side !== 'gateway',
    ...(parts.side === 'inbound'
      ? {
          forwardClientCertDetails: HttpConnectionManager_ForwardClientCertDetails.SANITIZE_SET,
          setCurrentClientCertDetails: { uri: true },
        }
      : { forwardClientCertDetails: HttpConnectionManager_ForwardClientCertDetails.SANITIZE }),
    serverHeaderTransformation: HttpConnectionManager_ServerHeaderTransformation.PASS_THROUGH,
    // what one client may hold of a proxy
    maxRequestHeadersKb: 60,
    commonHttpProtocolOptions: {
      idleTimeout: seconds(300),
      maxHeadersCount: 100,
      // some applications read `x_y` as `x-y`: what a gateway takes off or sets would come in by that spelling
      ...(parts.side === 'gateway'
        ? { headersWithUnderscoresAction: HttpProtocolOptions_HeadersWithUnderscoresAction.REJECT_REQUEST }
        : {}),
    },
    http2ProtocolOptions: {
      maxConcurrentStreams: 100,
      initialStreamWindowSize: 65_536,
      initialConnectionWindowSize: 1_048_576,
      // RFC 8441: an upgrade over HTTP/2. Whether it is let through is the route's to say; without this one that nobody takes, were it a copy, would end the
      // connection, and with it what others have there (ADR 0200)
      allowConnect: true,
    },
    requestHeadersTimeout: seconds(10),
    streamIdleTimeout: seconds(300),
    delayedCloseTimeout: ms(1_000),
    drainTimeout: seconds(5),
  };
}

/** Without `x-envoy-*` of its own in what the application sees. */
const router = pack(RouterSchema, { suppressEnvoyHeaders: true });
