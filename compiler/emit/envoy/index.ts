/** Mesh IR in, signed units for Envoy out. See README.md beside this file. */
import { apiVersion, type ProxyConfig, type ServiceConfig } from '../../../core/bundle/objects';
import { emit } from '../../../core/diagnostics/emit';
import { type Diagnostic, hasErrors, type Outcome } from '../../../core/diagnostics/diagnostic';
import { targetsOfRules } from '../../../core/ir/edges';
import { isConnection, isHttp } from '../../../core/ir/layers';
import type { MeshIr, Need, Outside, Workload } from '../../../core/ir/ir';
import type { EastWestGateway } from '../../../core/ir/networks';
import { proxyNameOf } from '../../../core/ir/proxy-name';
import { canonicalJson, type JsonObject } from '../../../core/lib/json';
import { namespaceOf, type PortKey, type Principal, serviceOfPort } from '../../../core/mesh/ids';
import { strictNeeds, stricter, stricterLimits } from '../../../core/semantics/variant';
import { ClusterSchema } from '../../../core/wire/gen/envoy/config/cluster/v3/cluster_pb';
import { ListenerSchema } from '../../../core/wire/gen/envoy/config/listener/v3/listener_pb';
import { VirtualHostSchema } from '../../../core/wire/gen/envoy/config/route/v3/route_components_pb';
import { RouteConfigurationSchema } from '../../../core/wire/gen/envoy/config/route/v3/route_pb';
import { jsonOf } from './any';
import { localCluster } from './clusters';
import { acrossConfigOf, acrossConfigs, eastWestListenerOf } from './gateways/east-west';
import { egressOf } from './outside/egress';
import { gatewayListenerOf, gatewayRoutesOf } from './gateways/gateway';
import { connectionConfigOf, isRoutedApart } from './connections';
import { inboundListenerOf, inboundRoutes } from './inbound';
import { indexIr, type IrIndex, type PortFacts } from './index-of';
import { serviceConfigName } from './names';
import { catchAllOf, outboundListenerOf } from './outbound';
import { outsideConfigOf } from './outside/requests';
import { outsideConnectionsOf } from './outside/connections';
import { numbersOfNames, rangesConfigOf } from './outside/ranges';
import { isProved, patchedListener } from './patch';
import { type ClusterCache, serviceConfigOf } from './service-config';
import { checkVersions, supportedEnvoy } from './version';

export interface EmittedEnvoy {
  readonly services: readonly ServiceConfig[];
  readonly proxies: readonly ProxyConfig[];
}

/**
 * The objects of a mesh for Envoy, by namespace and name. Their bytes depend on what the IR means only. Whatever cannot be emitted is a diagnostic
 * (MW5xxx); with an error among them there is no value.
 */
export function emitEnvoy(ir: MeshIr): Outcome<EmittedEnvoy> {
  const diagnostics: Diagnostic[] = [...checkVersions(ir), ...refusals(ir)];
  const index = indexIr(ir);
  diagnostics.push(...numbersOfNames(index));
  const clusters: ClusterCache = new Map();
  const services: ServiceConfig[] = [];
  const proxies: ProxyConfig[] = [];
  const emitted = new Set<string>();
  const use = (port: PortKey, workload: Workload | null): string => {
    const facts = index.ports.get(port);
    if (!facts) throw new Error(`internal: no port ${port} in the IR`);
    const { outside } = facts.service;
    if (outside) return workload === null ? '' : useOutside(facts, outside, workload);
    if (isConnection(facts.port.layer)) return useConnections(facts, workload);
    const needs = workload === null ? [] : strictNeeds(ir, workload.key, port);
    const variantFor =
      workload !== null && (changesSomething(index, port, needs) || hasOwnRules(index, port, workload.principal))
        ? { caller: workload.key, principal: workload.principal, needs }
        : null;
    const name = `${namespaceOf(serviceOfPort(port))}/${serviceConfigName(port, variantFor?.caller ?? null)}`;
    if (!emitted.has(name)) {
      emitted.add(name);
      services.push(serviceConfigOf(index, facts.service, facts.port, variantFor, clusters, diagnostics));
    }
    return name;
  };
  const useConnections = (facts: PortFacts, workload: Workload | null): string => {
    const caller = workload !== null && isRoutedApart(index, facts.port.key, workload) ? workload : null;
    const name = `${namespaceOf(facts.service.key)}/${serviceConfigName(facts.port.key, caller?.key ?? null)}`;
    if (!emitted.has(name)) {
      emitted.add(name);
      services.push(connectionConfigOf(index, facts, caller, clusters, diagnostics));
    }
    return name;
  };
  const useOutside = (facts: PortFacts, outside: Outside, workload: Workload): string => {
    const make = isConnection(facts.port.layer) ? outsideConnectionsOf : outsideConfigOf;
    const made = outside.addresses
      ? rangesConfigOf(index, facts, workload, clusters, diagnostics)
      : make(index, facts, outside, workload, clusters, diagnostics);
    services.push(made);
    return `${made.metadata.namespace}/${made.metadata.name}`;
  };
  // every port of the mesh has its object, called or not: who may call it next changes the caller only
  for (const key of index.ports.keys()) if (!index.ports.get(key)?.service.outside) use(key, null);
  for (const { port } of ir.networks?.exports ?? []) {
    const facts = index.ports.get(port);
    if (facts) services.push(acrossConfigOf(facts));
  }
  for (const workload of ir.workloads) proxies.push(proxyConfigOf(index, workload, use, diagnostics));
  services.sort(byName);
  proxies.sort(byName);
  return hasErrors(diagnostics) ? { diagnostics } : { value: { services, proxies }, diagnostics };
}

function proxyConfigOf(
  index: IrIndex,
  workload: Workload,
  use: (port: PortKey, workload: Workload | null) => string,
  diagnostics: Diagnostic[],
): ProxyConfig {
  const name = proxyNameOf(index.ir, workload.key);
  const gateway = index.ir.gateways.find((known) => known.key === workload.key);
  const crossing = index.ir.networks?.gateways.find((known) => known.key === workload.key);
  if (crossing) return eastWestConfig(index, workload, crossing);
  const called = gateway ? portsOfGateway(index, workload) : (index.callable.get(workload.key) ?? []);
  const ports = (index.services.get(workload.key)?.ports ?? []).flatMap((port) => index.ports.get(port.key) ?? []);
  const egress = egressOf(index, workload.key);
  const outboundPatches = called.flatMap((port) => index.patches.get(port) ?? []).filter((patch) => patch.direction === 'outbound');
  const inboundPatches = ports.flatMap((facts) => index.patches.get(facts.port.key) ?? []).filter((patch) => patch.direction === 'inbound');
  return {
    apiVersion,
    kind: 'ProxyConfig',
    metadata: { namespace: namespaceOf(workload.key), name: name.slice(name.indexOf('/') + 1) },
    spec: {
      workload: workload.key,
      principal: workload.principal,
      envoyRange: supportedEnvoy,
      proved: isProved([...inboundPatches, ...outboundPatches]),
      inbound: {
        listeners: ports
          .map((facts) =>
            patchedListener(jsonOf(ListenerSchema, inboundListenerOf(index, facts)), index.patches.get(facts.port.key) ?? [], diagnostics),
          )
          .concat(egress.listeners.map((listener) => jsonOf(ListenerSchema, listener)))
          .sort(byNameField),
        routes: [...ports.filter((facts) => isHttp(facts.port.layer)).map((facts) => inboundRoutes(index, facts)), ...egress.routes]
          .map((routes) => jsonOf(RouteConfigurationSchema, routes))
          .sort(byNameField),
        clusters: [...ports.map(localCluster), ...egress.clusters].map((cluster) => jsonOf(ClusterSchema, cluster)).sort(byNameField),
      },
      outbound: {
        listeners: gateway
          ? gateway.listeners.map((listener) => jsonOf(ListenerSchema, gatewayListenerOf(index, gateway, listener))).sort(byNameField)
          : [jsonOf(ListenerSchema, outboundListenerOf(workload.key, index.ir.issuers))],
        routes: gateway
          ? gateway.listeners
              .flatMap((listener) => gatewayRoutesOf(index, gateway, listener, diagnostics))
              .map((routes) => jsonOf(RouteConfigurationSchema, routes))
              .sort(byNameField)
          : [],
        catchAll: gateway ? null : jsonOf(VirtualHostSchema, catchAllOf(workload.key)),
        services: called.map((port) => use(port, gateway ? null : workload)).sort(),
      },
    },
  };
}

/** Nobody calls it as itself, and it calls nobody as itself. */
function eastWestConfig(index: IrIndex, workload: Workload, gateway: EastWestGateway): ProxyConfig {
  const name = proxyNameOf(index.ir, workload.key);
  const listener = eastWestListenerOf(index, gateway);
  return {
    apiVersion,
    kind: 'ProxyConfig',
    metadata: { namespace: namespaceOf(workload.key), name: name.slice(name.indexOf('/') + 1) },
    spec: {
      workload: workload.key,
      principal: workload.principal,
      envoyRange: supportedEnvoy,
      proved: true,
      inbound: { listeners: [], routes: [], clusters: [] },
      outbound: {
        listeners: listener === null ? [] : [jsonOf(ListenerSchema, listener)],
        routes: [],
        catchAll: null,
        services: acrossConfigs(index, gateway),
      },
    },
  };
}

/** A gateway holds what its hosts forward to; that it may call them is the destination's to say, and the analyser's to check. */
function portsOfGateway(index: IrIndex, workload: Workload): readonly PortKey[] {
  const rules = index.ir.hostRoutes.filter((table) => table.gateway === workload.key).flatMap((table) => table.rules);
  const connected = index.ir.hostConnections.filter((table) => table.gateway === workload.key).flatMap((table) => table.rules);
  return [
    ...targetsOfRules(rules).filter((port) => index.tables.has(port)),
    ...new Set(connected.flatMap((rule) => rule.to.map((target) => target.port))),
  ];
}

/** A need that asks for nothing stricter than the owner has shares the owner's object. */
function changesSomething(index: IrIndex, port: PortKey, needs: readonly Need[]): boolean {
  if (needs.length === 0) return false;
  return (index.tables.get(port)?.rules ?? []).some(({ action }) => {
    if (action.kind !== 'forward') return false;
    const { timeoutMs, idleMs, retry } = action;
    if (canonicalJson(stricter(action, needs)) !== canonicalJson({ timeoutMs, idleMs, retry })) return true;
    return action.to.some((target) => {
      const owner = index.ports.get(target.port)?.port.resilience.connections;
      return owner !== undefined && canonicalJson(stricterLimits(owner, needs)) !== canonicalJson(owner);
    });
  });
}

/** Some rule of the port is about this caller. */
function hasOwnRules(index: IrIndex, port: PortKey, principal: Principal): boolean {
  return (index.tables.get(port)?.rules ?? []).some(({ match }) => match?.callers?.includes(principal) === true);
}

/** What the IR can say and this target does not carry. */
function refusals(ir: MeshIr): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const namespace of ir.namespaces)
    if (namespace.adoption !== 'enforce')
      found.push(emit.adoption({ namespace: namespace.name, adoption: namespace.adoption }, { rule: namespace.id }));
  // outside the mesh the caller's own proxy reads the server name
  const inside = ir.services.filter(({ outside }) => !outside);
  const passedOn = new Set(inside.flatMap(({ ports }) => ports.filter(({ layer }) => layer === 'tls').map(({ key }) => key)));
  for (const rule of ir.access) {
    if (rule.hosts.length > 0 && passedOn.has(rule.port))
      found.push(emit.innerServerName({ rule: rule.id, port: rule.port }, { rule: rule.id }));
    for (const host of rule.hosts) if (host.includes('*')) found.push(emit.hostMatch({ rule: rule.id, host }, { rule: rule.id }));
    if (rule.action !== 'deny') continue;
    for (const field of rule.headers)
      if (field.match.kind === 'regex') found.push(emit.denyByRegex({ rule: rule.id, header: field.name }, { rule: rule.id }));
  }
  return found;
}

const byName = (a: ServiceConfig | ProxyConfig, b: ServiceConfig | ProxyConfig): number =>
  compare(`${a.metadata.namespace}/${a.metadata.name}`, `${b.metadata.namespace}/${b.metadata.name}`);
const byNameField = (a: JsonObject, b: JsonObject): number => compare(String(a['name']), String(b['name']));
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
