import type { MeshIr, Need, Retry, RouteAction } from '../ir/ir';
import type { PortKey, WorkloadKey } from '../mesh/ids';

type Forward = Extract<RouteAction, { kind: 'forward' }>;

/** The needs by which a caller made its use of a port stricter. Empty: it uses the port as the owner has it. By id. */
export function strictNeeds(ir: MeshIr, caller: WorkloadKey, port: PortKey): readonly Need[] {
  return ir.needs.filter(
    (need) => need.caller === caller && need.targets.includes(port) && (need.timeoutMs !== null || need.retry !== null),
  );
}

/** Timeout and retries of a forward for that caller: the stricter of what the owner has and what the caller asked for. */
export function stricter(action: Forward, needs: readonly Need[]): { readonly timeoutMs: number; readonly retry: Retry | null } {
  let { timeoutMs, retry } = action;
  for (const need of needs) {
    if (need.timeoutMs !== null) timeoutMs = Math.min(timeoutMs, need.timeoutMs);
    if (need.retry !== null) retry = stricterRetry(retry, need.retry);
  }
  return { timeoutMs, retry };
}

/** Fewer tries, shorter tries, on the conditions that both name, within the smaller budget. Who has none gets none. */
export function stricterRetry(owner: Retry | null, caller: Retry | 'none'): Retry | null {
  if (owner === null || caller === 'none') return null;
  const on = owner.on.filter((condition) => caller.on.includes(condition));
  if (on.length === 0) return null;
  return {
    atMost: Math.min(owner.atMost, caller.atMost),
    perTryMs: Math.min(owner.perTryMs, caller.perTryMs),
    on,
    budgetPercent: Math.min(owner.budgetPercent, caller.budgetPercent),
  };
}
