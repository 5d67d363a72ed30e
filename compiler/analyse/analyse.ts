import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { inOrder, mergeEnvironments } from '../../core/diagnostics/order';
import type { Evaluated } from '../../core/declarations/declaration';
import type { MeshIr } from '../../core/ir/ir';
import { abortsEverything } from './aborts-everything';
import { connections } from './connections';
import { deniedAnyway } from './denied-anyway';
import { deployConflict } from './deploy-conflict';
import { deployScope } from './deploy-scope';
import { spanLookup } from './finding';
import type { Analyser } from './finding';
import { guarantees } from './guarantees';
import { needs } from './needs';
import { networks } from './networks';
import { productVersions } from './product-versions';
import { reach } from './reach';
import { routeForStrangers } from './route-for-strangers';
import { routeToRefusal } from './route-to-refusal';
import { shadowedRoute } from './shadowed-route';
import { sharedAccount } from './shared-account';
import { tokensInClear } from './tokens-in-clear';
import { unusedDelegation } from './unused-delegation';
import { unreachable } from './unreachable';
import { readWaivers } from './waivers';

/** Every analyser, in the order of the docs. */
export const analysers: readonly Analyser[] = [
  shadowedRoute,
  routeToRefusal,
  routeForStrangers,
  connections,
  abortsEverything,
  tokensInClear,
  unusedDelegation,
  unreachable,
  guarantees,
  needs,
  deniedAnyway,
  reach,
  sharedAccount,
  deployScope,
  deployConflict,
  productVersions,
  networks,
];

export interface AnalyseInput {
  readonly evaluated: Evaluated;
  /** By environment. */
  readonly irs: ReadonlyMap<string, MeshIr>;
  /** The day taken for today, `2026-11-22`. */
  readonly asOf: string;
}

/** What the whole mesh shows, in all environments, less what is waived. What holds in each environment is said once. */
export function analyse({ evaluated, irs, asOf }: AnalyseInput): readonly Diagnostic[] {
  const spanOf = spanLookup(evaluated);
  const waivers = readWaivers(evaluated, asOf, spanOf);
  const byEnvironment = new Map<string, readonly Diagnostic[]>();
  for (const [environment, ir] of irs) {
    const findings = analysers.flatMap((analyser) => [...analyser.run({ ir, evaluated, spanOf })]);
    byEnvironment.set(environment, inOrder(findings.filter((finding) => !waivers.accepts(finding)).map((finding) => finding.diagnostic)));
  }
  return inOrder([...mergeEnvironments(byEnvironment), ...waivers.diagnostics()]);
}
