/** A mesh of many services, written as IR: the service `shop/s<n>` is called by the workloads `shop/c<n>` to `shop/c<n + fanOut - 1>`, round and round. */
import type { MeshIr } from '../../core/ir/ir';
import { plainForward, plainTarget } from '../../core/ir/plain';
import { portKey, principalOf, workloadKey, type PortKey, type Principal, type RuleId, type WorkloadKey } from '../../core/mesh/ids';
import type { Instance } from '../../runtime-proxy/inventory';
import { smallMesh } from './small-mesh';

export const starService = (index: number): WorkloadKey => workloadKey('shop', `s${index}`);
export const starPort = (index: number): PortKey => portKey(starService(index), 'web');
export const starCaller = (index: number): WorkloadKey => workloadKey('shop', `c${index}`);
export const starPrincipal = (workload: WorkloadKey): Principal => principalOf('mesh.test', 'shop', workload.slice('shop/'.length));
const id = (text: string): RuleId => text as RuleId;

/** `callers` workloads and as many services as are asked for, of which each caller may call `fanOut`. */
export function starMesh(callers: number, services: number, fanOut = services): MeshIr {
  const { workloads, services: ofSmall, access, ...rest } = smallMesh();
  const [workload, service, rule] = [workloads[1], ofSmall[0], access[0]];
  const port = service?.ports[0];
  if (!workload || !service || !port || !rule) throw new Error('the small mesh has neither');
  const all = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);
  const named = (key: WorkloadKey) => ({
    ...{ ...workload, id: id(key), key, serviceAccount: key.slice('shop/'.length), principal: starPrincipal(key) },
  });
  return {
    ...rest,
    workloads: [
      ...all(callers).map((index) => ({ ...named(starCaller(index)), kind: 'workload' as const })),
      ...all(services).map((index) => named(starService(index))),
    ].sort((a, b) => (a.key < b.key ? -1 : 1)),
    services: all(services)
      .map((index) => ({ ...service, id: id(starService(index)), key: starService(index), ports: [{ ...port, key: starPort(index) }] }))
      .sort((a, b) => (a.key < b.key ? -1 : 1)),
    access: all(services).map((index) => ({
      ...rule,
      id: id(`shop/calls${index}`),
      port: starPort(index),
      callers: {
        kind: 'principals' as const,
        principals: [...new Set(all(fanOut).map((step) => starPrincipal(starCaller((index + step) % callers))))]
          .sort()
          .map((principal) => ({ principal, named: true })),
      },
    })),
    routes: all(services).map((index) => ({
      id: id(`shop/routes${index}`),
      port: starPort(index),
      cors: null,
      rules: [
        {
          id: id(`shop/routes${index}.otherwise`),
          match: null,
          action: { ...plainForward, to: [{ ...plainTarget, port: starPort(index) }], timeoutMs: 2_000, retry: null },
        },
      ],
    })),
  };
}

/** An endpoint of a service of which only the address is known. */
export const starEndpoint = (service: number, index: number, over: Partial<Instance> = {}): Instance => ({
  ...{ id: `s${service}-${index}`, workload: starService(service), version: 'v1', zone: `z${index % 3}`, app: {} },
  inbound: { web: { host: `127.${100 + (service % 100)}.${index >> 8}.${index & 255}`, port: 9080 } },
  endpointOnly: true,
  ...over,
});
