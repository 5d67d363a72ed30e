/** What is emitted for Envoy, object by object, as files to review. `UPDATE_GOLDEN=1 npx jest test/golden/emit-envoy` writes them and removes stale ones. */
import * as path from 'node:path';
import { emitEnvoy } from '../../compiler/emit/envoy';
import { objectName } from '../../core/bundle/objects';
import type { HeaderEdits, HostRoutes, MeshIr, RouteAction, RouteMatch, RouteTable, UserMatch, WeightedTarget } from '../../core/ir/ir';
import { canonicalJson } from '../../core/lib/json';
import { listFiles, readTextIfThere, replaceFolder } from '../../platform/files';
import { features } from '../kit/features-ir';
import { gatewayDeclarations } from '../kit/gateway-declarations';
import { lowered } from '../kit/layered-mesh';
import { generateMesh } from '../kit/mesh-generator';
import { seeded } from '../kit/random';
import { declarations as betweenNetworks } from '../kit/between-networks';
import { outside } from '../kit/outside-ir';
import { routing } from '../kit/routing-ir';
import { users } from '../kit/users-ir';

/** A folder for each mesh. */
const meshes = [
  ['emit-envoy', features],
  ['emit-envoy-routing', routing],
  ['emit-envoy-users', () => users()],
  ['emit-envoy-gateways', () => lowered(gatewayDeclarations)],
  ['emit-envoy-networks', () => lowered(betweenNetworks)],
  ['emit-envoy-outside', outside],
] as const;

function emitted(ir: MeshIr): ReadonlyMap<string, string> {
  const { value, diagnostics } = emitEnvoy(ir);
  if (!value) throw new Error(diagnostics.map((d) => `${d.code} ${d.message}`).join('\n'));
  return new Map([...value.services, ...value.proxies].map((object) => [`${objectName(object)}.json`, `${JSON.stringify(JSON.parse(canonicalJson(object)), null, 1)}\n`]));
}

/** The same meaning in another order: lists whose order means nothing, and the keys of every object. */
function shuffled(ir: MeshIr, seed: number): MeshIr {
  const random = seeded(seed);
  const mix = <T>(list: readonly T[]): readonly T[] => {
    const left = [...list];
    return list.flatMap(() => left.splice(random.below(left.length), 1));
  };
  const keys = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(keys);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(mix(Object.entries(value)).map(([key, inner]) => [key, keys(inner)]));
  };
  const edits = ({ remove, set, add }: HeaderEdits): HeaderEdits => ({ remove: mix(remove), set: mix(set), add: mix(add) });
  const target = (to: WeightedTarget): WeightedTarget => ({ ...to, requestHeaders: edits(to.requestHeaders), responseHeaders: edits(to.responseHeaders) });
  const action = (given: RouteAction): RouteAction =>
    given.kind === 'forward'
      ? {
          ...given,
          to: mix(given.to).map(target),
          mirrors: mix(given.mirrors),
          requestHeaders: edits(given.requestHeaders),
          responseHeaders: edits(given.responseHeaders),
        }
      : given.kind === 'respondGrpc'
        ? given
        : { ...given, responseHeaders: edits(given.responseHeaders) };
  const user = (given: UserMatch | null): UserMatch | null => given && { ...given, claims: mix(given.claims).map((claim) => ({ ...claim, values: mix(claim.values) })) };
  const match = (given: RouteMatch): RouteMatch => ({
    ...given,
    requests: mix(given.requests),
    headers: mix(given.headers),
    withoutHeaders: mix(given.withoutHeaders),
    cookies: mix(given.cookies),
    query: mix(given.query),
    hosts: mix(given.hosts),
    callers: given.callers && mix(given.callers),
    user: user(given.user),
  });
  const routes = <T extends RouteTable | HostRoutes>(table: T): T => ({
    ...table,
    cors: table.cors && {
      ...table.cors,
      origins: mix(table.cors.origins),
      methods: mix(table.cors.methods),
      headers: mix(table.cors.headers),
      exposed: mix(table.cors.exposed),
    },
    rules: table.rules.map((rule) => ({ ...rule, match: rule.match && match(rule.match), action: action(rule.action) })),
  });
  const mixed: MeshIr = {
    ...ir,
    workloads: mix(ir.workloads),
    services: mix(ir.services).map((service) => ({ ...service, ports: mix(service.ports) })),
    gateways: mix(ir.gateways).map((gateway) => ({ ...gateway, listeners: mix(gateway.listeners).map((listener) => ({ ...listener, hosts: mix(listener.hosts) })) })),
    access: mix(ir.access).map((rule) => ({
      ...rule,
      callers: rule.callers.kind === 'anyone' ? { ...rule.callers, except: mix(rule.callers.except) } : { ...rule.callers, principals: mix(rule.callers.principals) },
      requests: rule.requests === 'any' ? 'any' : mix(rule.requests),
      headers: mix(rule.headers),
      hosts: mix(rule.hosts),
      user: user(rule.user),
    })),
    routes: mix(ir.routes).map(routes),
    hostRoutes: mix(ir.hostRoutes).map(routes),
    issuers: mix(ir.issuers).map((issuer) => ({ ...issuer, audiences: mix(issuer.audiences) })),
    needs: mix(ir.needs),
    patches: mix(ir.patches),
  };
  return keys(mixed) as MeshIr; // the same value with its keys in another order
}

test.each(meshes)('the objects of %s are the golden ones', async (name, mesh) => {
  const folder = path.join(__dirname, name);
  const now = emitted(mesh());
  if (process.env['UPDATE_GOLDEN'] === '1') {
    if (process.env['CI'] !== undefined) throw new Error('golden files are not written in CI');
    await replaceFolder(folder, now);
  }
  const files = await listFiles(folder);
  expect(files).toEqual([...now.keys()].sort());
  for (const file of files) expect([file, await readTextIfThere(path.join(folder, file))]).toEqual([file, now.get(file)]);
});

test('bytes depend on meaning only: a shuffled mesh gives equal ones', () => {
  for (const [, mesh] of meshes) {
    const plain = new Map([...emitted(mesh())].sort());
    for (let seed = 1; seed <= 5; seed += 1) expect(new Map([...emitted(shuffled(mesh(), seed))].sort())).toEqual(plain);
  }
  for (let seed = 1; seed <= 10; seed += 1) {
    const ir = generateMesh(seed, 8);
    expect([seed, [...emitted(shuffled(ir, seed))].sort()]).toEqual([seed, [...emitted(ir)].sort()]);
  }
});
