import type { CallerLimits, MeshIr, Need, Retry, RouteAction } from '../ir/ir';
import type { Connections } from '../ir/resilience';
import type { PortKey, WorkloadKey } from '../mesh/ids';

type Forward = Extract<RouteAction, { kind: 'forward' }>;
export type Timing = Pick<Forward, 'timeoutMs' | 'idleMs' | 'retry'>;

/** The needs by which a caller made its use of a port stricter. Empty: it uses the port as the owner has it. By id. */
export function strictNeeds(ir: MeshIr, caller: WorkloadKey, port: PortKey): readonly Need[] {
  return ir.needs.filter(
    (need) =>
      need.caller === caller &&
      need.targets.includes(port) &&
      [need.timeoutMs, need.idleMs, need.retry, need.connections].some((asked) => asked !== null),
  );
}

/** Times and retries of a forward for that caller: the stricter of what the owner has and what the caller asked for. */
export function stricter(action: Forward, needs: readonly Need[]): Timing {
  let { timeoutMs, idleMs, retry } = action;
  for (const need of needs) {
    if (need.timeoutMs !== null) timeoutMs = Math.min(timeoutMs, need.timeoutMs);
    if (need.idleMs !== null) idleMs = Math.min(idleMs, need.idleMs);
    if (need.retry !== null) retry = stricterRetry(retry, need.retry);
  }
  return { timeoutMs, idleMs, retry };
}

/** Fewer tries, shorter tries, later ones, on the conditions that both name, within the smaller budget; a second request beside the first only where both want it. Who has none gets none. */
export function stricterRetry(owner: Retry | null, caller: Retry | 'none'): Retry | null {
  if (owner === null || caller === 'none') return null;
  const on = owner.on.filter((condition) => caller.on.includes(condition));
  if (on.length === 0) return null;
  return {
    atMost: Math.min(owner.atMost, caller.atMost),
    perTryMs: Math.min(owner.perTryMs, caller.perTryMs),
    on,
    budgetPercent: owner.budgetPercent === null ? null : Math.min(owner.budgetPercent, caller.budgetPercent ?? 100),
    backOff: {
      baseMs: Math.max(owner.backOff.baseMs, caller.backOff.baseMs),
      maxMs: Math.max(owner.backOff.maxMs, caller.backOff.maxMs),
    },
    hedge: owner.hedge && caller.hedge,
    methods: owner.methods === 'all' ? caller.methods : owner.methods,
  };
}

/** Limits for that caller: the smaller of each. */
export function stricterLimits(owner: Connections, needs: readonly Need[]): Connections {
  return needs.reduce((limits, { connections }) => (connections === null ? limits : smaller(limits, connections)), owner);
}
function smaller(owner: Connections, caller: CallerLimits): Connections {
  const max = least(owner.max, caller.max);
  const requests = least(owner.requests ?? owner.max, caller.requests ?? caller.max);
  return {
    ...owner,
    max,
    pending: least(owner.pending, caller.pending),
    requests: requests === max ? null : requests,
    retries: least(owner.retries, caller.retries),
    connectTimeoutMs: least(owner.connectTimeoutMs, caller.connectTimeoutMs) ?? owner.connectTimeoutMs,
  };
}
function least(...limits: readonly (number | null)[]): number | null {
  const said = limits.filter((limit) => limit !== null);
  return said.length === 0 ? null : Math.min(...said);
}
