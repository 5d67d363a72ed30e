/**
 * Sentences about changes: at no moment does anything that serves go to a cluster that is not there, or that has no hosts while the mesh has some for it; and
 * in the end everything is as it was to be. Acted out with the emitted objects, the control plane's own link and protocols, and a simulated Envoy.
 */
import fc from 'fast-check';
import type { MeshIr, ServicePort } from '../../core/ir/ir';
import { workloadKey, type WorkloadKey } from '../../core/mesh/ids';
import type { Inventory } from '../../runtime-proxy/inventory';
import { allow, bookinfo, key, web } from '../kit/bookinfo-ir';
import { features } from '../kit/features-ir';
import { generateMesh } from '../kit/mesh-generator';
import { actOut, inventoryOf, meshOf, type Mesh } from '../kit/simulated-change';

const protocols = ['delta', 'state-of-the-world'] as const;
const edge = workloadKey('platform', 'edge');

const base = bookinfo();
const withPort = (change: (port: ServicePort) => ServicePort): MeshIr => ({
  ...base,
  services: base.services.map((service) => (service.key === key('reviews') ? { ...service, ports: service.ports.map(change) } : service)),
});
/** Every text of a mesh that is, or begins with, one of the names, by its new one. */
const renamed = (from: string, to: string): MeshIr => JSON.parse(JSON.stringify(base).replaceAll(`"${from}`, `"${to}`));
const rerouted = (versions: readonly string[]): MeshIr => ({
  ...base,
  routes: base.routes.map((table) =>
    table.port !== web('reviews')
      ? table
      : {
          ...table,
          rules: table.rules.map((rule) =>
            rule.action.kind !== 'forward'
              ? rule
              : {
                  ...rule,
                  action: {
                    ...rule.action,
                    to: rule.action.to
                      .slice(0, 1)
                      .flatMap((target) =>
                        versions.map((version, index) => ({ ...target, version, weight: index === 0 ? 101 - versions.length : 1 })),
                      ),
                  },
                },
          ),
        },
  ),
});
const kinds: readonly (readonly [string, WorkloadKey, readonly MeshIr[]])[] = [
  [
    'a new destination, and it is removed again',
    key('productpage'),
    [base, { ...base, access: [...base.access, allow('pageRates', ['productpage'], 'ratings', 'any')] }, base],
  ],
  ['a version is moved', key('productpage'), [base, rerouted(['v2']), rerouted(['v3'])]],
  ['a split is changed', key('productpage'), [rerouted(['v1']), rerouted(['v1', 'v2']), rerouted(['v2', 'v3'])]],
  ['a service is renamed, seen by its caller', key('reviews'), [base, renamed('bookinfo/ratings', 'bookinfo/scores')]],
  ['a port is moved, seen by its caller', key('productpage'), [base, withPort((port) => ({ ...port, number: 9443 }))]],
  ['a port is moved, seen by its owner', key('reviews'), [base, withPort((port) => ({ ...port, number: 9443 }))]],
  [
    'a port is renamed, seen by its caller',
    key('productpage'),
    [
      base,
      JSON.parse(
        JSON.stringify(withPort((port) => ({ ...port, name: 'http' }))).replaceAll('bookinfo/reviews.web', 'bookinfo/reviews.http'),
      ),
    ],
  ],
  [
    'a port is renamed, seen by its owner',
    key('reviews'),
    [
      base,
      JSON.parse(
        JSON.stringify(withPort((port) => ({ ...port, name: 'http' }))).replaceAll('bookinfo/reviews.web', 'bookinfo/reviews.http'),
      ),
    ],
  ],
  [
    'settings of a cluster are changed, so that it warms anew',
    key('productpage'),
    [
      base,
      withPort((port) => ({ ...port, resilience: { ...port.resilience, connections: { ...port.resilience.connections, max: 7 } } })),
      base,
    ],
  ],
  [
    'callers get, and lose, a variant of their own',
    key('productpage'),
    [{ ...features(), needs: [] }, features(), { ...features(), needs: [] }],
  ],
  [
    'a host of a gateway is added, and removed',
    edge,
    [
      { ...base, hostRoutes: base.hostRoutes.slice(1), gateways: withoutAdmin() },
      base,
      { ...base, hostRoutes: base.hostRoutes.slice(1), gateways: withoutAdmin() },
    ],
  ],
];
function withoutAdmin(): MeshIr['gateways'] {
  return base.gateways.map((gateway) => ({
    ...gateway,
    listeners: gateway.listeners.map((listener) => ({ ...listener, hosts: listener.hosts.filter(({ host }) => host !== 'admin.example') })),
  }));
}

describe.each(protocols)('%s', (protocol) => {
  test.each(kinds)('%s', (what, workload, irs) => {
    const meshes = irs.map(meshOf);
    const digests = meshes.map(({ set }) => JSON.stringify([...set.proxies, ...set.services]));
    for (const [place, digest] of digests.entries()) expect(digest).not.toBe(digests[place - 1]); // a change that changes nothing shows nothing
    const inventory = inventoryOf(irs, '127.0.0.1', what.includes('renamed'));
    for (let seed = 1; seed <= 8; seed += 1) {
      const { broken, unlike } = actOut({
        workload,
        meshes,
        inventories: irs.map(() => inventory),
        protocol,
        seed,
        refused: seed > 4 ? 25 : 0,
        lost: seed % 4 === 0 ? 3 : 0,
      });
      expect({ seed, broken, unlike }).toEqual({ seed, broken: [], unlike: [] });
    }
  });

  test('every endpoint is replaced by another', () => {
    const mesh = meshOf(base);
    const [before, other] = [inventoryOf([base]), inventoryOf([base], '127.0.0.2')];
    const after: Inventory = {
      instances: before.instances.map((one) =>
        one.workload === key('productpage') ? one : (other.instances.find(({ id }) => id === one.id) ?? one),
      ),
    };
    for (let seed = 1; seed <= 8; seed += 1) {
      const { broken, unlike } = actOut({
        workload: key('productpage'),
        meshes: [mesh, mesh, mesh],
        inventories: [before, after, before],
        protocol,
        seed,
        refused: 0,
        lost: seed % 4 === 0 ? 3 : 0,
      });
      expect({ seed, broken, unlike }).toEqual({ seed, broken: [], unlike: [] });
    }
  });

  test('any mesh becomes any other, whatever is refused and however often the connection is lost', () => {
    const known = new Map<number, Mesh>();
    const meshAt = (seed: number): Mesh => {
      const mesh = known.get(seed) ?? meshOf(generateMesh(seed, 4));
      known.set(seed, mesh);
      return mesh;
    };
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 2, maxLength: 3 }),
        fc.integer(),
        fc.nat(8),
        fc.constantFrom(0, 20),
        fc.constantFrom(0, 3),
        (seeds, seed, who, refused, lost) => {
          const meshes = seeds.map(meshAt);
          const irs = meshes.map(({ ir }) => ir);
          const inventory = inventoryOf(irs);
          const common = (irs[0]?.workloads ?? [])
            .map((one) => one.key)
            .filter((one) => irs.every((ir) => ir.workloads.some((workload) => workload.key === one)));
          const workload = common[who % common.length];
          if (workload === undefined) return;
          const { broken, unlike } = actOut({ workload, meshes, inventories: irs.map(() => inventory), protocol, seed, refused, lost });
          expect({ broken, unlike }).toEqual({ broken: [], unlike: [] });
        },
      ),
      { numRuns: 15, seed: 5, endOnFailure: true },
    );
  });
});
