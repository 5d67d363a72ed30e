/**
 * The order in which a change reaches the proxies. A proxy moves in two parts: `inbound` (whom it lets in) and `outbound` (what it sends). A request
 * that is legal before and after must be served at every moment between, whichever parts have moved:
 *  - where it goes afterwards must let it in before its caller sends it there (the callee's inbound first)
 *  - where it went before must go on letting it in until its caller has stopped (the caller's outbound first)
 * Beyond that, access that is gained opens at the callee before the caller uses it, and access that is lost is taken from the caller first.
 */
import { analyse as messages } from '../../core/diagnostics/analyse';
import type { Diagnostic, Outcome } from '../../core/diagnostics/diagnostic';
import type { Part, RolloutStep } from '../../core/bundle/objects';
import type { AccessRule, MeshIr } from '../../core/ir/ir';
import { sortedUnique } from '../../core/lib/order';
import { accessOf, doorOf, serviceOf } from '../../core/ir/lookup';
import { serviceOfPort } from '../../core/mesh/ids';
import type { PortKey, Principal, WorkloadKey } from '../../core/mesh/ids';
import { compareCalls, portsWithOtherAccess } from '../../core/semantics/compare';
import type { Comparison } from '../../core/semantics/compare';
import { gatewayEdges, type Edge } from './order-across';
import { decideInbound } from '../../core/semantics/inbound';
import type { Decision } from '../../core/semantics/decision';

type Node = string;
/** The steps in which a change rolls out; none where nothing needs an order. Refused, with the two commits to split it into, when no order serves all. */
export function planSteps(
  before: MeshIr | null,
  after: MeshIr,
  proxyNameOf: (ir: MeshIr, workload: WorkloadKey) => string,
): Outcome<readonly RolloutStep[]> {
  if (before === null) return { value: [], diagnostics: [] };
  const edges = new Map<string, Edge>();
  // Where the same requests are let in as before, either side of a change is served: no demand can come from there.
  const opened = portsWithOtherAccess(before, after);
  const across = gatewayEdges(before, after, proxyNameOf);
  if (opened.size === 0 && across.length === 0) return { value: [], diagnostics: [] };
  const diagnostics = identityChanges(before, after);
  const add = (edge: Edge): void => {
    const key = `${edge.first} ${edge.then}`;
    const known = edges.get(key);
    if (!known || (edge.hard && !known.hard)) edges.set(key, edge);
  };
  for (const comparison of compareCalls(before, after, opened)) {
    for (const edge of edgesOf(before, after, comparison, opened, proxyNameOf)) add(edge);
  }
  for (const edge of across) add(edge);
  const hard = [...edges.values()].filter((edge) => edge.hard);
  const cycle = findCycle(hard);
  if (cycle) {
    const opening = sortedUnique(cycle.flatMap((edge) => (edge.first.startsWith('inbound ') ? [edge.why] : [])));
    const closing = sortedUnique(cycle.flatMap((edge) => (edge.first.startsWith('outbound ') ? [edge.why] : [])));
    return { diagnostics: [messages.noOrder({ opening, closing })] };
  }
  // An order that is only better is kept as long as it contradicts nothing.
  const kept = [...hard];
  const next = adjacency(hard);
  for (const edge of edges.values()) {
    if (edge.hard || reaches(next, edge.then, edge.first)) continue;
    kept.push(edge);
    addTo(next, edge);
  }
  return { value: stepsOf(kept), diagnostics };
}

/** Workloads whose principal changes though somebody lets them in: a certificate follows its holder's restart, which no order of configuration brings about. */
function identityChanges(before: MeshIr, after: MeshIr): readonly Diagnostic[] {
  const names = (rule: AccessRule, principal: Principal): boolean =>
    rule.action === 'allow' &&
    rule.mode === 'enforce' &&
    rule.callers.kind === 'principals' &&
    rule.callers.principals.some((caller) => caller.principal === principal);
  return after.workloads.flatMap((workload) => {
    const was = principalOf(before, workload.key);
    if (was === undefined || was === workload.principal) return [];
    const letIn = (ir: MeshIr, principal: Principal): ReadonlySet<PortKey> =>
      new Set(ir.access.filter((rule) => names(rule, principal)).map((rule) => rule.port));
    const [old, renewed] = [letIn(before, was), letIn(after, was)];
    const ports = sortedUnique([...letIn(after, workload.principal)].filter((port) => old.has(port) && !renewed.has(port)));
    return ports.length === 0 ? [] : [messages.identityChanges({ workload: workload.key, before: was, after: workload.principal, ports })];
  });
}

function* edgesOf(
  before: MeshIr,
  after: MeshIr,
  comparison: Comparison,
  opened: ReadonlySet<PortKey>,
  proxyNameOf: (ir: MeshIr, workload: WorkloadKey) => string,
): Generator<Edge> {
  const { caller, probe } = comparison;
  const [was, is] = [reached(comparison.before), reached(comparison.after)];
  const callerIr = has(after, caller) ? after : before;
  const outbound = `outbound ${proxyNameOf(callerIr, caller)}`;
  const inbound = (ir: MeshIr, door: WorkloadKey): Node => `inbound ${proxyNameOf(ir, door)}`;
  // by which gateway a host outside is called is said by order-across.ts
  const stays = (port: PortKey, ir: MeshIr): boolean =>
    serviceOf(ir, serviceOfPort(port))?.outside !== undefined || doorOf(before, port) === doorOf(after, port);
  const legal = comparison.before?.outcome === 'allow' && comparison.after?.outcome === 'allow' && was.size > 0 && is.size > 0;
  for (const port of is) {
    const door = doorOf(after, port);
    if (door === null) continue;
    const opens = !stays(port, after) || (opened.has(port) && !lets(before, comparison.after, caller, port));
    if (!opens) continue;
    yield { first: inbound(after, door), then: outbound, hard: legal, why: `${port} lets ${caller} in with ${probe.text}` };
  }
  for (const port of was) {
    const door = doorOf(before, port);
    if (door === null) continue;
    const shuts = !stays(port, before) || (opened.has(port) && !lets(after, comparison.before, caller, port));
    if (!shuts) continue;
    yield { first: outbound, then: inbound(before, door), hard: legal, why: `${port} shuts out ${caller} with ${probe.text}` };
  }
}

function reached(decision: Decision | null): ReadonlySet<PortKey> {
  return new Set(
    (decision?.destinations ?? []).filter((destination) => destination.access === 'allow').map((destination) => destination.port),
  );
}
const has = (ir: MeshIr, workload: WorkloadKey): boolean => ir.workloads.some((known) => known.key === workload);
const principalOf = (ir: MeshIr, workload: WorkloadKey): Principal | undefined =>
  ir.workloads.find((known) => known.key === workload)?.principal;

/** Whether a port's inbound part of that side would let in what the decision sends there. */
function lets(ir: MeshIr, decision: Decision | null, caller: WorkloadKey, port: PortKey): boolean {
  const principal = principalOf(ir, caller);
  const service = serviceOf(ir, serviceOfPort(port));
  if (principal === undefined || !service?.ports.some((known) => known.key === port)) return false;
  const slice = { ...ir, services: [service], access: accessOf(ir, port) };
  return (decision?.destinations ?? [])
    .filter((destination) => destination.port === port)
    .every(({ request }) => decideInbound(slice, { ...request, principal, port }).access === 'allow');
}

/** A cycle among edges, in order; null when there is none. The first by node name, so that equal input gives equal words. */
function findCycle(edges: readonly Edge[]): readonly Edge[] | null {
  const from = adjacency(edges);
  const done = new Set<Node>();
  for (const start of [...from.keys()].sort()) {
    const path: Edge[] = [];
    const open = new Set<Node>();
    const visit = (node: Node): readonly Edge[] | null => {
      if (open.has(node)) return path.slice(path.findIndex((edge) => edge.first === node));
      if (done.has(node)) return null;
      open.add(node);
      for (const edge of from.get(node) ?? []) {
        path.push(edge);
        const found = visit(edge.then);
        if (found) return found;
        path.pop();
      }
      open.delete(node);
      done.add(node);
      return null;
    };
    const found = visit(start);
    if (found) return found;
  }
  return null;
}

type Adjacency = Map<Node, Edge[]>;
function addTo(next: Adjacency, edge: Edge): void {
  const edges = next.get(edge.first);
  if (edges) edges.push(edge);
  else next.set(edge.first, [edge]);
}
function adjacency(edges: readonly Edge[]): Adjacency {
  const next: Adjacency = new Map();
  for (const edge of edges) addTo(next, edge);
  return next;
}

function reaches(next: Adjacency, from: Node, to: Node): boolean {
  const seen = new Set<Node>([from]);
  const queue = [from];
  for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
    if (node === to) return true;
    for (const { then } of next.get(node) ?? []) {
      if (seen.has(then)) continue;
      seen.add(then);
      queue.push(then);
    }
  }
  return false;
}

/** Each part moves in the first step that all its edges allow. */
function stepsOf(edges: readonly Edge[]): readonly RolloutStep[] {
  const depth = new Map<Node, number>();
  for (const edge of edges) for (const node of [edge.first, edge.then]) depth.set(node, 0);
  // Longest path in a graph without cycles: at most as many rounds as nodes.
  for (let round = 0, moved = true; moved && round <= depth.size; round++) {
    moved = false;
    for (const { first, then } of edges) {
      const least = (depth.get(first) ?? 0) + 1;
      if ((depth.get(then) ?? 0) < least) {
        depth.set(then, least);
        moved = true;
      }
    }
  }
  const steps: RolloutStep[] = [];
  const last = Math.max(-1, ...depth.values());
  for (let step = 0; step <= last; step++) {
    const nodes = [...depth]
      .filter(([, at]) => at === step)
      .map(([node]) => node)
      .sort();
    const parts = nodes.map((node) => {
      const space = node.indexOf(' ');
      const part: Part = node.slice(0, space) === 'inbound' ? 'inbound' : 'outbound';
      return { proxy: node.slice(space + 1), part };
    });
    const reasons = sortedUnique(edges.filter((edge) => nodes.includes(edge.first)).map((edge) => edge.why));
    const why =
      reasons.length === 0
        ? 'what waited for the steps before'
        : `${reasons[0]}${reasons.length > 1 ? ` and ${reasons.length - 1} more` : ''}`;
    steps.push({ parts, why });
  }
  return steps;
}
