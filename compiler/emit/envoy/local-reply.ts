/** What the mesh itself answers: 400 for a path that is not canonical and a Host that is none, 403 with the pair and the rule. Told apart by what the RBAC filters leave in metadata. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { AccessLogFilterSchema } from '../../../core/wire/gen/envoy/config/accesslog/v3/accesslog_pb';
import type {
  LocalReplyConfigSchema,
  ResponseMapperSchema,
} from '../../../core/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb';
import type { StringMatcherSchema } from '../../../core/wire/gen/envoy/type/matcher/v3/string_pb';
import { ExpressionFilterSchema } from '../../../core/wire/gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb';
import { pack } from './any';
import type { PortKey, WorkloadKey } from '../../../core/mesh/ids';
import { defaultDeny, noHost, notCallable, notCanonical } from './names';

type Filter = MessageInitShape<typeof AccessLogFilterSchema>;
type LocalReply = MessageInitShape<typeof LocalReplyConfigSchema>;
type Mapper = MessageInitShape<typeof ResponseMapperSchema>;
type Text = MessageInitShape<typeof StringMatcherSchema>;

const rbac = 'envoy.filters.http.rbac';
export const ruleInMetadata = `%DYNAMIC_METADATA(${rbac}:enforced_effective_policy_id)%`;

/** Filters on what the last RBAC filter left. Envoy ignores `invert` here, so each says what it takes, and what it makes of a key that is not there. */
const metadata = (key: string, value: Text, absent: boolean): Filter => ({
  filterSpecifier: {
    case: 'metadataFilter',
    value: {
      matcher: { filter: rbac, path: [{ segment: { case: 'key', value: key } }], value: { matchPattern: { case: 'stringMatch', value } } },
      matchIfKeyNotFound: absent,
    },
  },
});
const exact = (value: string): Text => ({ matchPattern: { case: 'exact', value } });
const someRule = metadata('enforced_effective_policy_id', { matchPattern: { case: 'safeRegex', value: { regex: '.+' } } }, false);
const noRule = metadata('enforced_effective_policy_id', exact(''), true);
export const deniedByDefault: Filter = {
  filterSpecifier: { case: 'andFilter', value: { filters: [metadata('enforced_engine_result', exact('denied'), false), noRule] } },
};
export const allElse: Filter = {
  filterSpecifier: { case: 'orFilter', value: { filters: [metadata('enforced_engine_result', exact('allowed'), true), someRule] } },
};

/** By the details of the answer: an answer is made before the filter's metadata are there. */
const details = (condition: string): Filter => ({
  filterSpecifier: {
    case: 'extensionFilter',
    value: {
      name: 'envoy.access_loggers.extension_filters.cel',
      configType: { case: 'typedConfig', value: pack(ExpressionFilterSchema, { expression: `response.code_details${condition}` }) },
    },
  },
});
const deniedBy = (name: string): Filter => details(` == "rbac_access_denied_matched_policy[${name}]"`);

const mapper = (filter: Filter, status: number, body: string): Mapper => ({
  filter,
  statusCode: status,
  bodyFormatOverride: {
    contentType: 'text/plain; charset=utf-8',
    format: { case: 'textFormatSource', value: { specifier: { case: 'inlineString', value: `${body}\n` } } },
  },
});

const canonical = mapper(deniedBy(notCanonical), 400, 'meshwright: the path is not in canonical form');
const wellFormed = mapper(deniedBy(noHost), 400, 'meshwright: the Host is none');

/** Envoy answers 403 where the audience is another one; a token that is not valid is 401, whatever is wrong with it. */
const notValid = mapper(details('.startsWith("jwt_authn_access_denied{")'), 401, 'meshwright: the token of the request is not valid');
const ofUsers = (users: boolean): readonly Mapper[] => (users ? [notValid] : []);

/** `users`: the listener reads tokens. */
export function inboundReplies(port: PortKey, users: boolean): LocalReply {
  const pair = `meshwright: %DOWNSTREAM_PEER_URI_SAN% may not call ${port}`;
  return {
    mappers: [
      canonical,
      ...ofUsers(users),
      mapper(deniedBy('none'), 403, `${pair}: ${defaultDeny(port)}`),
      mapper(details('.startsWith("rbac_access_denied_matched_policy[")'), 403, `${pair}: %RESPONSE_CODE_DETAILS%`),
    ],
  };
}
export function outboundReplies(caller: WorkloadKey, users: boolean): LocalReply {
  return {
    mappers: [canonical, ...ofUsers(users), mapper(deniedBy(notCallable), 403, `meshwright: ${caller} may not call %REQ(:AUTHORITY)%`)],
  };
}
export function gatewayReplies(users: boolean): LocalReply {
  return { mappers: [wellFormed, canonical, ...ofUsers(users)] };
}
