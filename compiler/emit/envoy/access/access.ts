/** Who may come in: a port's access rules as the policies of two RBAC filters. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import type { AccessRule, Callers, FieldMatch, Issuer, RequestClass } from '../../../../core/ir/ir';
import { canonicalJson } from '../../../../core/lib/json';
import { sortedBy } from '../../../../core/lib/order';
import { canonicalPathPattern, hostPattern, type UrlDialect } from '../../../../core/semantics/canonical';
import {
  type PermissionSchema,
  type PolicySchema,
  type PrincipalSchema,
  RBAC_Action,
  type RBACSchema as RulesSchema,
} from '../../../../core/wire/gen/envoy/config/rbac/v3/rbac_pb';
import { RBACPerRouteSchema, RBACSchema } from '../../../../core/wire/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb';
import { pack } from '../any';
import { joinedHeaders } from './condition';
import type { InHttpSlots } from '../filter-order';
import { headerMatcher, hostMatcher, methodMatcher, pathText } from './matchers';
import { allowFilter, denyFilter, guardFilter, noHost, noRulesYet, notCallable, notCanonical } from '../names';
import { oneToken, userMatchers } from './users';

type Permission = MessageInitShape<typeof PermissionSchema>;
type Principal = MessageInitShape<typeof PrincipalSchema>;
type Policy = MessageInitShape<typeof PolicySchema>;
type Rules = MessageInitShape<typeof RulesSchema>;

const anything: Policy = {
  permissions: [{ rule: { case: 'any', value: true } }],
  principals: [{ identifier: { case: 'any', value: true } }],
};

const canonical = (urls: UrlDialect): Permission => ({
  rule: {
    case: 'urlPath',
    value: { rule: { case: 'path', value: { matchPattern: { case: 'safeRegex', value: { regex: canonicalPathPattern(urls) } } } } },
  },
});

const refuseUncanonical = (urls: UrlDialect): Policy => ({
  permissions: [{ rule: { case: 'notRule', value: canonical(urls) } }],
  principals: [{ identifier: { case: 'any', value: true } }],
});

const guard = (urls: UrlDialect, more: Rules['policies'] = {}): Any =>
  pack(RBACSchema, { rules: { action: RBAC_Action.DENY, policies: { [notCanonical]: refuseUncanonical(urls), ...more } } });

const refuseOddHosts: Policy = {
  permissions: [
    {
      rule: {
        case: 'notRule',
        value: { rule: { case: 'header', value: headerMatcher({ name: ':authority', match: { kind: 'regex', value: hostPattern } }) } },
      },
    },
  ],
  principals: [{ identifier: { case: 'any', value: true } }],
};

/** The first filter of every HTTP listener: what is not canonical is refused before routing and before any rule. */
export const guardConfig: { readonly [urls in UrlDialect | 'gateway']: Any } = {
  rfc3986: guard('rfc3986'),
  servlet: guard('servlet'),
  'case-insensitive': guard('case-insensitive'),
  /** Inside, who is called is matched by whole names. */
  gateway: guard('rfc3986', { [noHost]: refuseOddHosts }),
};

/** The guard of what a caller may not call: everything is refused, the path first. */
export const notCallableConfig: { [filter: string]: Any } = {
  [guardFilter]: pack(RBACPerRouteSchema, {
    rbac: {
      rules: {
        action: RBAC_Action.DENY,
        policies: {
          [notCanonical]: refuseUncanonical('rfc3986'),
          [notCallable]: { permissions: [canonical('rfc3986')], principals: [{ identifier: { case: 'any', value: true } }] },
        },
      },
    },
  }),
};

/**
 * The guard of a port outside the mesh, for one caller: the rules that are about it. It is the first filter and only denies, so that what was let in
 * by nobody goes nowhere, and a proxy that has the routes has the rules. An allow without headers is a permission, whose contrary can be denied.
 */
export function outsideAccess(rules: readonly AccessRule[]): { [filter: string]: Any } {
  const readable = canonical('rfc3986');
  const whoever: Principal[] = [{ identifier: { case: 'any', value: true } }];
  // nobody has read a token yet, so rules about end users are refused by lower
  const denials = policies(
    rules.filter((rule) => rule.action === 'deny'),
    [],
  );
  // what could only be said in part lets nobody out
  const whole = rules.filter((rule) => rule.action === 'allow' && rule.user === null && rule.headers.length === 0);
  const allowed = anyOf(ordered(whole.map((rule) => permissionOf(rule, []))));
  const named = Object.entries(denials).map(([name, { permissions = [] }]): [string, Policy] => [
    name,
    { permissions: [allOf([readable, anyOf(permissions)])], principals: whoever },
  ]);
  return {
    [guardFilter]: pack(RBACPerRouteSchema, {
      rbac: {
        rules: {
          action: RBAC_Action.DENY,
          policies: {
            [notCanonical]: refuseUncanonical('rfc3986'),
            [notCallable]: { permissions: [allOf([readable, { rule: { case: 'notRule', value: allowed } }])], principals: whoever },
            ...Object.fromEntries(named),
          },
        },
      },
    }),
  };
}

/** Before the routes have come nobody comes in: what the listener holds; the rules themselves travel with the routes. */
export const baseAccess: InHttpSlots = {
  deny: pack(RBACSchema, { rules: { action: RBAC_Action.DENY, policies: { [noRulesYet]: anything } } }),
  allow: pack(RBACSchema, { rules: { action: RBAC_Action.ALLOW } }),
};

/** The rules of one port, as the routes carry them. */
export function accessPerRoute(rules: readonly AccessRule[], issuers: readonly Issuer[]): { [filter: string]: Any } {
  const filter = (action: AccessRule['action']): Any => {
    const inMode = (mode: AccessRule['mode']): readonly AccessRule[] =>
      rules.filter((rule) => rule.action === action && rule.mode === mode);
    const shadow = policies(inMode('shadow'), issuers);
    const kind = action === 'deny' ? RBAC_Action.DENY : RBAC_Action.ALLOW;
    return pack(RBACPerRouteSchema, {
      rbac: {
        rules: { action: kind, policies: policies(inMode('enforce'), issuers) },
        ...(Object.keys(shadow).length > 0 ? { shadowRules: { action: kind, policies: shadow }, shadowRulesStatPrefix: `${action}_` } : {}),
        trackPerRuleStats: true,
      },
    });
  };
  return { [denyFilter]: filter('deny'), [allowFilter]: filter('allow') };
}

/** The same for connections that are not HTTP: rules by caller only. */
export function connectionRules(rules: readonly AccessRule[], action: AccessRule['action']): Rules {
  return {
    action: action === 'deny' ? RBAC_Action.DENY : RBAC_Action.ALLOW,
    policies: policies(
      rules.filter((rule) => rule.action === action && rule.mode === 'enforce'),
      [],
    ),
  };
}

function policies(rules: readonly AccessRule[], issuers: readonly Issuer[]): { [name: string]: Policy } {
  const all = rules.map((rule) => {
    // of a repeated header one value that matches is enough to deny; to allow, the whole must match
    const condition = rule.action === 'allow' ? joinedHeaders(ordered(headersOf(rule))) : null;
    const policy: Policy = {
      permissions: [permissionOf(rule, issuers)],
      principals: [principalOf(rule.callers)],
      ...(condition === null ? {} : { condition }),
    };
    return { id: rule.id, policy };
  });
  const named: { [name: string]: Policy } = {};
  // policies are found by name: only those of one rule have to be told apart
  for (const { id, policy } of sortedBy(
    all,
    (one) => one.id,
    (one) => canonicalJson(one.policy),
  )) {
    let name: string = id;
    for (let part = 2; named[name]; part += 1) name = `${id}#${part}`; // one rule may take several policies
    named[name] = policy;
  }
  return named;
}

const headersOf = (rule: AccessRule): readonly FieldMatch[] => (rule.user === null ? rule.headers : [...rule.headers, oneToken]);

function permissionOf(rule: AccessRule, issuers: readonly Issuer[]): Permission {
  const all: Permission[] = [];
  if (rule.requests !== 'any') all.push(anyOf(ordered(rule.requests).map(requestPermission)));
  for (const field of ordered(headersOf(rule))) all.push({ rule: { case: 'header', value: headerMatcher(field) } });
  if (rule.hosts.length > 0)
    all.push(anyOf(ordered(rule.hosts).map((host): Permission => ({ rule: { case: 'header', value: hostMatcher([host]) } }))));
  for (const value of userMatchers(issuers, rule.user)) all.push({ rule: { case: 'sourcedMetadata', value: { metadataMatcher: value } } });
  return allOf(all);
}

function requestPermission(request: RequestClass): Permission {
  const path = pathText(request.path);
  const matcher: Permission = {
    rule: {
      case: 'urlPath',
      value: {
        rule: {
          case: 'path',
          value: {
            matchPattern: 'exact' in path ? { case: 'exact', value: path.exact } : { case: 'safeRegex', value: { regex: path.pattern } },
          },
        },
      },
    },
  };
  return request.method === '*' ? matcher : allOf([{ rule: { case: 'header', value: methodMatcher(request.method) } }, matcher]);
}

/** Callers by exact identity: the URI name in the certificate that the peer proved. */
function principalOf(callers: Callers): Principal {
  if (callers.kind === 'principals') return anyId(ordered(callers.principals.map((caller) => caller.principal)).map(authenticated));
  if (callers.except.length === 0) return { identifier: { case: 'any', value: true } };
  return { identifier: { case: 'notId', value: anyId(ordered(callers.except).map(authenticated)) } };
}
const authenticated = (principal: string): Principal => ({
  identifier: { case: 'authenticated', value: { principalName: { matchPattern: { case: 'exact', value: principal } } } },
});

/** Where order means nothing, one order. */
const ordered = <T>(values: readonly T[]): readonly T[] => [...values].sort((a, b) => (canonicalJson(a) < canonicalJson(b) ? -1 : 1));

function anyOf(rules: readonly Permission[]): Permission {
  const [only] = rules;
  if (only && rules.length === 1) return only;
  if (!only) return { rule: { case: 'notRule', value: { rule: { case: 'any', value: true } } } };
  return { rule: { case: 'orRules', value: { rules: [...rules] } } };
}
function allOf(rules: readonly Permission[]): Permission {
  const [only] = rules;
  if (!only) return { rule: { case: 'any', value: true } };
  return rules.length === 1 ? only : { rule: { case: 'andRules', value: { rules: [...rules] } } };
}
function anyId(ids: readonly Principal[]): Principal {
  const [only] = ids;
  if (only && ids.length === 1) return only;
  if (!only) return { identifier: { case: 'notId', value: { identifier: { case: 'any', value: true } } } };
  return { identifier: { case: 'orIds', value: { ids: [...ids] } } };
}
