/** What the mesh itself answers: 400 for a path that is not canonical, 403 with the pair and the rule. Told apart by what the RBAC filters leave in metadata. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { AccessLogFilterSchema } from '../../../core/wire/gen/envoy/config/accesslog/v3/accesslog_pb';
import type { LocalReplyConfigSchema, ResponseMapperSchema } from '../../../core/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb';
import type { StringMatcherSchema } from '../../../core/wire/gen/envoy/type/matcher/v3/string_pb';
import type { PortKey, WorkloadKey } from '../../../core/mesh/ids';
import { defaultDeny, notCallable, notCanonical } from './names';

type Filter = MessageInitShape<typeof AccessLogFilterSchema>;
type LocalReply = MessageInitShape<typeof LocalReplyConfigSchema>;
type Mapper = MessageInitShape<typeof ResponseMapperSchema>;
type Text = MessageInitShape<typeof StringMatcherSchema>;

const rbac = 'envoy.filters.http.rbac';
export const ruleInMetadata = `%DYNAMIC_METADATA(${rbac}:enforced_effective_policy_id)%`;

const result = (value: string): Filter => metadata('enforced_engine_result', { matchPattern: { case: 'exact', value } });
const rule = (value: Text): Filter => metadata('enforced_effective_policy_id', value);
function metadata(key: string, value: Text): Filter {
  return {
    filterSpecifier: {
      case: 'metadataFilter',
      value: {
        matcher: { filter: rbac, path: [{ segment: { case: 'key', value: key } }], value: { matchPattern: { case: 'stringMatch', value } } },
        matchIfKeyNotFound: false,
      },
    },
  };
}
const someRule = rule({ matchPattern: { case: 'safeRegex', value: { regex: '.+' } } });
export const both = (...filters: readonly Filter[]): Filter => ({ filterSpecifier: { case: 'andFilter', value: { filters: [...filters] } } });
export const not = (filter: Filter): Filter => {
  const { filterSpecifier } = filter;
  if (filterSpecifier?.case !== 'metadataFilter') throw new Error('internal: only a metadata filter has a negation');
  const { value } = filterSpecifier;
  return { filterSpecifier: { case: 'metadataFilter', value: { matcher: { ...value.matcher, invert: true }, matchIfKeyNotFound: true } } };
};
/** Denied by the rule that the metadata name. */
const deniedBy = (name: string): Filter => both(result('denied'), rule({ matchPattern: { case: 'exact', value: name } }));
export const deniedBySomeRule = both(result('denied'), someRule);
export const deniedByDefault = both(result('denied'), not(someRule));
export const letIn = not(result('denied'));

const mapper = (filter: Filter, status: number, body: string): Mapper => ({
  filter,
  statusCode: status,
  bodyFormatOverride: { contentType: 'text/plain; charset=utf-8', format: { case: 'textFormatSource', value: { specifier: { case: 'inlineString', value: `${body}\n` } } } },
});

const canonical = mapper(deniedBy(notCanonical), 400, 'meshwright: the path is not in canonical form');

export function inboundReplies(port: PortKey): LocalReply {
  const pair = `meshwright: %DOWNSTREAM_PEER_URI_SAN% may not call ${port}`;
  return { mappers: [canonical, mapper(deniedBySomeRule, 403, `${pair}: ${ruleInMetadata}`), mapper(deniedByDefault, 403, `${pair}: ${defaultDeny(port)}`)] };
}
export function outboundReplies(caller: WorkloadKey): LocalReply {
  return { mappers: [canonical, mapper(deniedBy(notCallable), 403, `meshwright: ${caller} may not call %REQ(:AUTHORITY)%`)] };
}
export function gatewayReplies(): LocalReply {
  return { mappers: [canonical] };
}
