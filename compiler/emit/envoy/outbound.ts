/** What a workload's own application reaches its proxy by: one listener, and an answer to what it may not call. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Issuer } from '../../../core/ir/ir';
import type { WorkloadKey } from '../../../core/mesh/ids';
import type { VirtualHostSchema } from '../../../core/wire/gen/envoy/config/route/v3/route_components_pb';
import { HttpConnectionManagerSchema } from '../../../core/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb';
import { notCallableConfig } from './access/access';
import { accessLogs } from './access-log';
import { pack } from './any';
import { boundAddress } from './clusters';
import { noCors } from './routes/cors';
import { noFault } from './routes/fault';
import { connectionManager } from './connection-manager';
import { networkFilters } from './filter-order';
import { type Listener, socket } from './inbound';
import { outboundReplies } from './local-reply';
import { notCallable, outboundListener } from './names';
import { authentication } from './access/users';
import type { Route } from './routes/routes';
import type { HeaderMatcher } from './routes/tries';

export type VirtualHost = MessageInitShape<typeof VirtualHostSchema>;

/** `issuers`: of end users. */
export function outboundListenerOf(caller: WorkloadKey, issuers: readonly Issuer[]): Listener {
  return {
    name: outboundListener,
    address: boundAddress('outbound'),
    filterChains: [
      {
        name: 'http',
        filters: networkFilters({
          http: pack(
            HttpConnectionManagerSchema,
            connectionManager({
              side: 'outbound',
              routes: outboundListener,
              urls: 'rfc3986',
              filters: { cors: noCors, fault: noFault, ...authentication(issuers) },
              localReply: outboundReplies(caller, issuers.length > 0),
              accessLog: accessLogs(outboundListener, null),
            }),
          ),
        }),
      },
    ],
    ...socket,
  };
}

/** Everything that is no virtual host of the proxy: 403 whether it exists or not, since telling that apart would take the whole mesh in every proxy. */
export function catchAllOf(caller: WorkloadKey): VirtualHost {
  return {
    name: notCallable,
    domains: ['*'],
    typedPerFilterConfig: notCallableConfig,
    routes: [notCallableRoute(caller, [])],
  };
}

/** What a host answers that a caller may not call. */
export const notCallableRoute = (caller: WorkloadKey, headers: readonly HeaderMatcher[]): Route => ({
  name: notCallable,
  match: { pathSpecifier: { case: 'prefix', value: '/' }, ...(headers.length === 0 ? {} : { headers: [...headers] }) },
  action: {
    case: 'directResponse',
    value: { status: 403, body: { specifier: { case: 'inlineString', value: `meshwright: ${caller} may not call this host\n` } } },
  },
});
