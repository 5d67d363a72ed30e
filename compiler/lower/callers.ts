import { ir as messages } from '../../core/diagnostics/ir';
import type { CallerRef, ScopeRef } from '../../core/declarations/declaration';
import type { Callers, Workload } from '../../core/ir/ir';
import type { PortKey, Principal } from '../../core/mesh/ids';
import { namespaceOf } from '../../core/mesh/ids';
import { sortedBy, sortedUnique } from '../../core/lib/order';
import type { Context, Place } from './context';
import { checkTags } from './nouns';
import type { Nouns } from './nouns';
import { carries } from './settings';

/** Whom a rule is about: exact principals, or everybody but some. Undefined (and reported) when it takes in nobody. */
export function lowerCallers(context: Context, nouns: Nouns, from: readonly CallerRef[], at: Place): Callers | undefined {
  if (from.length === 0) {
    context.report(messages.empty, { what: 'the list of callers' }, at);
    return undefined;
  }
  const anyone = from.filter((caller) => caller.kind === 'anyone');
  if (anyone.length > 0) {
    // Somebody is left out only if every `anyone` of the list leaves him out, and nobody else in the list takes him in.
    const exceptions = anyone.map((caller) => new Set(principalsOf(context, nouns, caller.except, at).keys()));
    const others = principalsOf(
      context,
      nouns,
      from.filter((caller) => caller.kind !== 'anyone'),
      at,
    );
    const except = [...(exceptions[0] ?? [])].filter(
      (principal) => !others.has(principal) && exceptions.every((set) => set.has(principal)),
    );
    return { kind: 'anyone', except: except.sort() };
  }
  const principals = principalsOf(context, nouns, from, at);
  if (principals.size === 0) return undefined;
  return {
    kind: 'principals',
    principals: sortedBy(principals.keys(), (p) => p).map((principal) => ({ principal, named: principals.get(principal) ?? false })),
  };
}

/** The principals of a list of callers, and whether each was named rather than taken in by a namespace or a tag. */
function principalsOf(context: Context, nouns: Nouns, from: readonly CallerRef[], at: Place): ReadonlyMap<Principal, boolean> {
  const principals = new Map<Principal, boolean>();
  for (const caller of from) {
    const { workloads, named } = workloadsOf(context, nouns, caller, at);
    for (const { principal } of workloads) principals.set(principal, named || (principals.get(principal) ?? false));
  }
  return principals;
}

function workloadsOf(
  context: Context,
  nouns: Nouns,
  caller: CallerRef,
  at: Place,
): { readonly workloads: readonly Workload[]; readonly named: boolean } {
  const nobody = { workloads: [], named: false };
  if (caller.kind === 'anyone') return nobody;
  if (caller.kind === 'tagged') {
    checkTags(context, caller.tags, at);
    return {
      workloads: selected(
        context,
        [...nouns.workloads.values()].filter((workload) => carries(workload.tags, caller.tags) && workload.kind !== 'east-west'),
        tagText(caller.tags),
        at,
      ),
      named: false,
    };
  }
  if (caller.kind === 'outside') {
    if (caller.network)
      context.report(
        messages.unsupported,
        { feature: `access by network (\`${caller.name}\`): a route of the gateway says who goes where, by \`when.from\`` },
        at,
      );
    const gateway = context.resolve(caller.through, ['gateway'], at);
    const workload = gateway && nouns.workloads.get(gateway.id);
    return workload ? { workloads: [workload], named: true } : nobody;
  }
  if (caller.to.version !== undefined || caller.to.port !== undefined) {
    context.report(
      messages.wrongReference,
      { ref: caller.to.ref, is: caller.to.version === undefined ? 'port' : 'version', wanted: 'caller' },
      at,
    );
    return nobody;
  }
  const target = context.resolve(caller.to, ['service', 'workload', 'gateway', 'namespace'], at);
  if (!target) return nobody;
  if (target.value.kind !== 'namespace') {
    const workload = nouns.workloads.get(target.id);
    return workload ? { workloads: [workload], named: true } : nobody;
  }
  const { name } = target.value;
  return {
    workloads: selected(
      context,
      // who only passes on is nobody's caller
      [...nouns.workloads.values()].filter((workload) => namespaceOf(workload.key) === name && workload.kind !== 'east-west'),
      `namespace \`${name}\``,
      at,
    ),
    named: false,
  };
}

/** The ports that scopes take in: of services by name, namespace, tag or all. Sorted; undefined (and reported) when there are none. */
export function lowerPorts(context: Context, nouns: Nouns, scopes: readonly ScopeRef[], at: Place): readonly PortKey[] | undefined {
  if (scopes.length === 0) context.report(messages.empty, { what: 'the list of destinations' }, at);
  const ports = sortedUnique(scopes.flatMap((scope) => portsOf(context, nouns, scope, at)));
  return ports.length > 0 ? ports : undefined;
}

function portsOf(context: Context, nouns: Nouns, scope: ScopeRef, at: Place): readonly PortKey[] {
  const services = [...nouns.services.values()];
  const keys = (list: typeof services): PortKey[] => list.flatMap((service) => service.ports.map((port) => port.key));
  if (scope.kind === 'mesh') return keys(services);
  if (scope.kind === 'tagged') {
    checkTags(context, scope.tags, at);
    return selected(
      context,
      keys(services.filter((service) => carries(nouns.workloads.get(service.id)?.tags ?? {}, scope.tags))),
      tagText(scope.tags),
      at,
    );
  }
  if (scope.to.port !== undefined) {
    const port = resolvePort(context, nouns, scope.to, at);
    return port ? [port.port.key] : [];
  }
  const target = context.resolve(scope.to, ['mesh', 'namespace', 'service', 'workload', 'gateway', 'external'], at);
  if (!target) return [];
  if (target.value.kind === 'mesh') return keys(services);
  if (target.value.kind === 'namespace') {
    const { name } = target.value;
    return selected(context, keys(services.filter((service) => namespaceOf(service.key) === name)), `namespace \`${name}\``, at);
  }
  return selected(context, keys(services.filter((service) => service.id === target.id)), `\`${target.id}\``, at);
}

/** The service and port that a reference names. Reported and undefined when there is none. */
export function resolvePort(context: Context, nouns: Nouns, ref: { readonly ref: string; readonly port?: string }, at: Place) {
  const declared = context.resolve(ref, ['service', 'external'], at);
  const service = declared && nouns.services.get(declared.id);
  if (!service) return undefined;
  const port = service.ports.find((known) => known.name === ref.port);
  if (!port) {
    context.report(
      messages.unknownPart,
      { what: 'port', name: ref.port ?? '', of: service.key, known: service.ports.map((known) => known.name) },
      at,
    );
    return undefined;
  }
  return { service, port };
}

function selected<T>(context: Context, found: readonly T[], what: string, at: Place): readonly T[] {
  if (found.length === 0) context.report(messages.nobody, { what }, at);
  return found;
}

function tagText(tags: { readonly [tag: string]: string }): string {
  const pairs = Object.keys(tags)
    .sort()
    .map((tag) => `${tag}: '${tags[tag]}'`);
  return `\`tagged({ ${pairs.join(', ')} })\``;
}
