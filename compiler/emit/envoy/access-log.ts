/** One JSON line a request on the proxy's stdout. `rule` is the access rule that decided; what no rule allows has the port's default-deny. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { AccessLogFilterSchema, AccessLogSchema } from '../../../core/wire/gen/envoy/config/accesslog/v3/accesslog_pb';
import { StdoutAccessLogSchema } from '../../../core/wire/gen/envoy/extensions/access_loggers/stream/v3/stream_pb';
import type { PortKey } from '../../../core/mesh/ids';
import { pack } from './any';
import { allElse, deniedByDefault, ruleInMetadata } from './local-reply';
import { defaultDeny } from './names';

type AccessLog = MessageInitShape<typeof AccessLogSchema>;
type Fields = { readonly [field: string]: string };
type Filter = MessageInitShape<typeof AccessLogFilterSchema>;

/** `port` is null where the listener serves no one port. `strangers`: who shows a certificate there is no caller of the mesh, whatever name stands in it. */
export function accessLogs(listener: string, port: PortKey | null, strangers = false): readonly AccessLog[] {
  const common = { listener, port: port ?? '' };
  const whose = strangers ? { caller: '', client: '%DOWNSTREAM_PEER_FINGERPRINT_256%' } : {};
  if (port === null) return [logger({ ...common, rule: ruleInMetadata }, null, whose)];
  return [logger({ ...common, rule: ruleInMetadata }, allElse), logger({ ...common, rule: defaultDeny(port) }, deniedByDefault)];
}

/** A JSON line for each connection that is not HTTP, when it ends. `denied` is the rule that shut it out, `tls` why its handshake failed. */
export function connectionLog(names: {
  readonly listener: string;
  readonly port: PortKey | '';
  readonly route: string;
}): readonly AccessLog[] {
  const line: Fields = {
    time: '%START_TIME%',
    ...names,
    caller: '%DOWNSTREAM_PEER_URI_SAN%',
    sni: '%REQUESTED_SERVER_NAME%',
    flags: '%RESPONSE_FLAGS%',
    denied: '%CONNECTION_TERMINATION_DETAILS%',
    tls: '%DOWNSTREAM_TRANSPORT_FAILURE_REASON%',
    upstream: '%UPSTREAM_CLUSTER%',
    server: '%UPSTREAM_PEER_URI_SAN%',
    bytes_received: '%BYTES_RECEIVED%',
    bytes_sent: '%BYTES_SENT%',
    duration_ms: '%DURATION%',
  };
  return [stdout(line, null)];
}

function logger(extra: Fields, filter: Filter | null, whose: Fields = {}): AccessLog {
  const line: Fields = {
    time: '%START_TIME%',
    ...extra,
    caller: '%DOWNSTREAM_PEER_URI_SAN%',
    method: '%REQ(:METHOD)%',
    path: '%PATH(NQ)%',
    host: '%REQ(:AUTHORITY)%',
    status: '%RESPONSE_CODE%',
    details: '%RESPONSE_CODE_DETAILS%',
    flags: '%RESPONSE_FLAGS%',
    route: '%ROUTE_NAME%',
    upstream: '%UPSTREAM_CLUSTER%',
    duration_ms: '%DURATION%',
    request_id: '%REQ(X-REQUEST-ID)%',
    ...whose,
  };
  return stdout(line, filter);
}

function stdout(line: Fields, filter: Filter | null): AccessLog {
  return {
    name: 'envoy.access_loggers.stdout',
    ...(filter ? { filter } : {}),
    configType: {
      case: 'typedConfig',
      value: pack(StdoutAccessLogSchema, {
        accessLogFormat: { case: 'logFormat', value: { omitEmptyValues: false, format: { case: 'jsonFormat', value: { ...line } } } },
      }),
    },
  };
}
