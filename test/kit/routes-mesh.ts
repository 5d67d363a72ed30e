/** A mesh with very many routes, all of which one release changes: as rules of one service, or as one rule of each of many services. */
import type { AccessRule, MeshIr, RouteRule, RouteTable, Service } from '../../core/ir/ir';
import { anyMatch, plainForward, plainTarget } from '../../core/ir/plain';
import { portKey, principalOf, type RuleId, workloadKey } from '../../core/mesh/ids';
import { pagePrincipal, patientMs, reviewsPrincipal, reviewsWeb, smallMesh } from './small-mesh';
import type { WorkloadSpec } from './running-mesh';

/** `rules`: that many route rules of `shop/reviews`. `services`: that many services, the route of each to `shop/reviews`. */
export type Routes = 'rules' | 'services';

const id = (text: string): RuleId => text as RuleId; // a fixture's own ids
const to = (version: string): RouteRule['action'] => ({
  ...plainForward,
  to: [{ ...plainTarget, port: reviewsWeb, version }],
  timeoutMs: patientMs,
  retry: null,
});

/** What the running mesh needs: one caller, and both versions of the one service. */
export const routesWorkloads: readonly WorkloadSpec[] = [
  { id: 'page-1', workload: 'shop/page', principal: pagePrincipal, ports: [] },
  { id: 'reviews-1', workload: 'shop/reviews', principal: reviewsPrincipal, version: 'v1', ports: ['web'] },
  { id: 'reviews-2', workload: 'shop/reviews', principal: reviewsPrincipal, version: 'v2', ports: ['web'] },
];
/** Which version route `index` goes to: they alternate, and `turned` turns every one of them round. */
export const versionOf = (index: number, turned: boolean): 'v1' | 'v2' => ((index + (turned ? 1 : 0)) % 2 === 0 ? 'v1' : 'v2');
/** The request that takes route `index`. */
export const requestOf = (kind: Routes, index: number): { readonly host: string; readonly path: string } =>
  kind === 'rules' ? { host: 'reviews.shop:9080', path: `/r/${index}` } : { host: `s${index}.shop:9080`, path: `/r/${index}` };

export function routesMesh(kind: Routes, count: number, turned: boolean): MeshIr {
  const mesh = smallMesh();
  const numbers = Array.from({ length: count }, (_, index) => index);
  if (kind === 'rules') {
    const rules: readonly RouteRule[] = numbers.map((index) => ({
      id: id(`shop/reviewsRoutes.rules.${index}`),
      match: {
        ...anyMatch,
        requests: [
          {
            method: 'GET',
            path: [
              { kind: 'literal', text: 'r' },
              { kind: 'literal', text: String(index) },
            ],
            text: `GET /r/${index}`,
          },
        ],
      },
      action: to(versionOf(index, turned)),
    }));
    return { ...mesh, routes: mesh.routes.map((table) => ({ ...table, rules: [...rules, ...table.rules] })) };
  }
  const [reviews] = mesh.services;
  const [port] = reviews?.ports ?? [];
  const [page] = mesh.workloads;
  const [rule] = mesh.access;
  if (!reviews || !port || !page || !rule) throw new Error('internal: the small mesh has a service');
  const keyOf = (index: number): Service['key'] => workloadKey('shop', `s${index}`);
  const webOf = (index: number): (typeof port)['key'] => portKey(keyOf(index), 'web');
  const services = numbers.map((index): Service => ({
    ...reviews,
    id: id(`shop/s${index}`),
    key: keyOf(index),
    versions: [],
    ports: [{ ...port, key: webOf(index) }],
  }));
  const access = numbers.map((index): AccessRule => ({ ...rule, id: id(`shop/mayCall${index}`), port: webOf(index) }));
  const routes = numbers.map((index): RouteTable => ({
    id: id(`shop/routes${index}`),
    port: webOf(index),
    cors: null,
    rules: [{ id: id(`shop/routes${index}.otherwise`), match: null, action: to(versionOf(index, turned)) }],
  }));
  const byKey = <T extends { readonly key: string }>(values: readonly T[]): readonly T[] =>
    [...values].sort((a, b) => (a.key < b.key ? -1 : 1));
  return {
    ...mesh,
    workloads: byKey([
      ...mesh.workloads,
      ...numbers.map((index) => ({
        ...page,
        id: id(`shop/s${index}`),
        key: keyOf(index),
        kind: 'service' as const,
        serviceAccount: `s${index}`,
        principal: principalOf('mesh.test', 'shop', `s${index}`),
      })),
    ]),
    services: byKey([...mesh.services, ...services]),
    access: [...mesh.access, ...access].sort((a, b) => (a.id < b.id ? -1 : 1)),
    routes: [...mesh.routes, ...routes].sort((a, b) => (a.port < b.port ? -1 : 1)),
  };
}
