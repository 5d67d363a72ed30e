import { ir as messages } from '../../core/diagnostics/ir';
import { hasErrors } from '../../core/diagnostics/diagnostic';
import type { Outcome } from '../../core/diagnostics/diagnostic';
import { inOrder } from '../../core/diagnostics/order';
import type { Declaration, Evaluated } from '../../core/declarations/declaration';
import type { MeshIr, Namespace } from '../../core/ir/ir';
import { sortedBy, sortedUnique } from '../../core/lib/order';
import { suggest } from '../../core/lib/suggest';
import { lowerAccess } from './access';
import { checkStandards, lowerGuarantees, lowerNeeds, lowerPatches, lowerRollout } from './claims';
import { makeContext } from './context';
import type { Context, Declared } from './context';
import { lowerDeploys, lowerProducts } from './deploys';
import { checkOutside, lowerExternals } from './externals';
import { withHealthChecks } from './health-access';
import { lowerNetworks } from './networks';
import { checkMesh, lowerNamespaces, lowerNouns } from './nouns';
import { checkOnly, lowerRoutes } from './routes';
import { lowerSettings } from './settings';
import type { Subject } from './settings';
import { lowerIssuers } from './users';

/** The environments that the mesh root names, in its order; empty when there is no root. */
export function environmentsOf(evaluated: Evaluated): readonly string[] {
  return rootOf(evaluated)?.value.environments ?? [];
}

/**
 * The mesh as one environment has it. All refusals at once; a value only when there is no error. The order of the declarations has no
 * meaning: shuffled input gives equal bytes and equal diagnostics.
 */
export function lower(evaluated: Evaluated, environment: string): Outcome<MeshIr> {
  const root = rootOf(evaluated);
  if (!root) return { diagnostics: [messages.noMesh({})] };
  const context = makeContext(evaluated, root, environment);
  if (!root.value.environments.includes(environment))
    context.report(messages.unknownEnvironment, { environment, known: root.value.environments }, { id: root.id, path: '' });
  checkMesh(context);
  checkEvery(context, evaluated, root);
  const namespaces = lowerNamespaces(context);
  const settings = lowerSettings(context, subjectsOf(context, namespaces));
  const inside = lowerNouns(context, namespaces, settings);
  const nouns = { ...inside, services: new Map([...inside.services, ...lowerExternals(context, settings, inside)]) };
  checkStandards(context, nouns);
  const networks = lowerNetworks(context, nouns);
  const { routes, connectionRoutes, hostRoutes, hostConnections } = lowerRoutes(context, nouns, settings);
  const ir: MeshIr = {
    version: 'meshwright.ir/1',
    environment,
    trustDomain: root.value.trustDomain,
    runs: { envoy: root.value.runs.envoy },
    teams: Object.keys(root.value.teams)
      .sort()
      .map((name) => ({ name, namespaces: sortedUnique(root.value.teams[name]?.namespaces ?? []) })),
    namespaces: sortedBy(namespaces.values(), (namespace) => namespace.name).map(({ id, name, team, adoption }): Namespace => ({
      id,
      name,
      team,
      adoption,
    })),
    workloads: sortedBy(nouns.workloads.values(), (workload) => workload.key),
    services: sortedBy(nouns.services.values(), (service) => service.key),
    gateways: sortedBy(nouns.gateways.values(), (gateway) => gateway.key),
    issuers: lowerIssuers(context),
    access: withHealthChecks(context, nouns, lowerAccess(context, nouns)),
    routes,
    connectionRoutes,
    hostRoutes,
    hostConnections,
    needs: lowerNeeds(context, nouns, routes),
    guarantees: lowerGuarantees(context, nouns),
    patches: lowerPatches(context, nouns),
    deploys: lowerDeploys(context, nouns),
    products: lowerProducts(context),
    rollout: lowerRollout(context),
    ...(networks === undefined ? {} : { networks }),
  };
  checkOutside(context, ir.services, ir);
  const diagnostics = inOrder(context.diagnostics);
  return hasErrors(diagnostics) ? { diagnostics } : { value: ir, diagnostics };
}

/** The first mesh root by id; a second one is reported by `checkEvery`. */
function rootOf(evaluated: Evaluated): Declared<'mesh'> | undefined {
  return sortedBy(evaluated.declarations, (declaration) => declaration.id).find(isMesh);
}
function isMesh(declaration: Declaration): declaration is Declaration & Declared<'mesh'> {
  return declaration.value.kind === 'mesh';
}

/** What is looked at in every declaration, in force here or not. */
function checkEvery(context: Context, evaluated: Evaluated, root: Declared<'mesh'>): void {
  for (const declaration of evaluated.declarations) {
    const { id, value, team } = declaration;
    if ('only' in value) checkOnly(context, value.only, { id, path: 'only' });
    if (value.kind === 'unsupported') context.report(messages.unsupported, { feature: value.feature }, { id, path: '' });
    if (value.kind === 'mesh' && id !== root.id) context.report(messages.twoMeshes, { first: root.id }, { id, path: '' });
    // A folder alone gives no authority, not even one called `platform`: the root names the teams.
    if (team !== 'mesh' && !Object.hasOwn(root.value.teams, team))
      context.report(messages.unknownTeam, { team, suggestion: suggest(team, Object.keys(root.value.teams)) }, { id, path: '' });
    if (value.kind === 'mesh' && team !== 'mesh')
      context.report(messages.notOwner, { team, act: 'declare', subject: 'mesh', owner: 'mesh' }, { id, path: '' });
  }
}

/** Whose settings there are: services, whose namespace is known. */
function subjectsOf(context: Context, namespaces: ReturnType<typeof lowerNamespaces>): readonly Subject[] {
  return context.all('service').map(({ id, value }) => ({
    id,
    namespaceId: value.namespace.ref,
    tags: { ...namespaces.get(value.namespace.ref)?.tags, ...value.tags },
  }));
}
