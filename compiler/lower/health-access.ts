/** Whoever may call a port may ask whether it is well: the access that an owner's `health` opens, as a rule like any other. */
import { settings as words } from '../../core/diagnostics/settings';
import type { AccessRule, RequestClass, ServicePort } from '../../core/ir/ir';
import { sortedBy } from '../../core/lib/order';
import type { PortKey, Principal, RuleId } from '../../core/mesh/ids';
import { coversPrincipal } from '../../core/semantics/inbound';
import type { Context } from './context';
import type { Nouns } from './nouns';
import { parseRequestLine } from './request-line';

/** The rules, and one more for each port that is checked by a request: `<service id>.health.<port name>`. By id. */
export function withHealthChecks(context: Context, nouns: Nouns, access: readonly AccessRule[]): readonly AccessRule[] {
  const made = [...nouns.services.values()].flatMap((service) =>
    service.ports.flatMap((port): AccessRule[] => {
      const request = requestOf(context, service.id, port);
      const principals = request ? callersOf(access, port.key) : [];
      if (!request || principals.length === 0) return [];
      return [
        {
          id: `${service.id}.health.${port.name}` as RuleId,
          action: 'allow',
          mode: 'enforce',
          port: port.key,
          callers: { kind: 'principals', principals },
          requests: [request],
          headers: [],
          hosts: [],
          user: null,
          because: null,
        },
      ];
    }),
  );
  return made.length === 0 ? access : sortedBy([...access, ...made], (rule) => rule.id);
}

function requestOf(context: Context, id: RuleId, { resilience: { health }, urls }: ServicePort): RequestClass | null {
  if (health?.by.kind === 'grpc') {
    const path = ['grpc.health.v1.Health', 'Check'].map((text) => ({ kind: 'literal', text }) as const);
    return { method: 'POST', path, text: 'POST /grpc.health.v1.Health/Check' };
  }
  if (health?.by.kind !== 'http') return null;
  const request = parseRequestLine(`GET ${health.by.path}`, urls);
  const why =
    typeof request === 'string' ? request : request.path.some(({ kind }) => kind !== 'literal') ? 'a parameter has no value here' : null;
  if (typeof request !== 'string' && why === null) return request;
  context.report(
    words.badSetting,
    { field: 'health.path', why: `cannot be asked for: ${why}`, repair: 'write a path that starts with `/`, without a query' },
    { id, path: 'settings.health' },
  );
  return null;
}

/** Whom some rule lets in and none shuts out, as the rules name them. By principal. */
function callersOf(access: readonly AccessRule[], port: PortKey): readonly { readonly principal: Principal; readonly named: boolean }[] {
  const rules = access.filter((rule) => rule.port === port && rule.mode === 'enforce');
  const named = new Map<Principal, boolean>();
  for (const rule of rules)
    if (rule.action === 'allow' && rule.callers.kind === 'principals')
      for (const caller of rule.callers.principals) named.set(caller.principal, caller.named || (named.get(caller.principal) ?? false));
  const denials = rules.filter((rule) => rule.action === 'deny');
  return [...named]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([principal, isNamed]) =>
      denials.some((rule) => coversPrincipal(rule.callers, principal)) ? [] : [{ principal, named: isNamed }],
    );
}
