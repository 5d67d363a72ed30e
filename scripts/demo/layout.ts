/** What the demo runs where: the applications, one proxy beside each, and the gateway, all on loopback and on ports that were free a moment ago. */
import type { Address, Instance, Inventory } from '../../runtime-proxy/inventory';
import type { WorkloadKey } from '../../core/mesh/ids';
import { freePorts } from '../../platform/ports';
import type { ApplicationConfig } from './applications';

export interface Sample {
  readonly name: ApplicationConfig['name'];
  readonly version: string;
  readonly replicas: number;
  readonly calls: boolean;
}
/** Two of the product page, so that a wave has a first proxy and a rest. */
const samples: readonly Sample[] = [
  { name: 'productpage', version: 'v1', replicas: 2, calls: true },
  { name: 'details', version: 'v1', replicas: 1, calls: false },
  { name: 'ratings', version: 'v1', replicas: 1, calls: false },
  { name: 'reviews', version: 'v1', replicas: 1, calls: true },
  { name: 'reviews', version: 'v2', replicas: 1, calls: true },
  { name: 'reviews', version: 'v3', replicas: 1, calls: true },
];
/** Only services that declare versions have them in the inventory. */
const versioned = new Set(['reviews']);

/** One process of a sample application. */
export interface Replica extends Sample {
  /** Unique: `reviews-v1-1`. */
  readonly id: string;
  /** Whether its version is part of its identity in the mesh. */
  readonly versioned: boolean;
}
export const replicas: readonly Replica[] = samples.flatMap((sample) =>
  Array.from({ length: sample.replicas }, (_, index) => ({
    ...sample,
    id: `${sample.name}${versioned.has(sample.name) ? `-${sample.version}` : ''}-${index + 1}`,
    versioned: versioned.has(sample.name),
  })),
);
/** Service accounts by workload. */
export const accounts: Readonly<Record<string, string>> = {
  ...Object.fromEntries(samples.map(({ name }) => [`bookinfo/${name}`, `bookinfo/bookinfo-${name}`])),
  'platform/edge': 'platform/edge',
};

export interface Layout {
  readonly inventory: Inventory;
  readonly applications: readonly ApplicationConfig[];
  readonly edge: Address;
}

/** Lays the sample mesh out. `edgePort` is the gateway's, chosen by the user or free. */
export async function layOut(edgePort?: number): Promise<Layout> {
  const ports = [...(await freePorts(replicas.length * 3 + 1))];
  const take = (): Address => ({ host: '127.0.0.1', port: ports.pop() ?? 0 });
  const applications: ApplicationConfig[] = [];
  const instances: Instance[] = [];
  for (const replica of replicas) {
    const { id } = replica;
    const [app, inbound, outbound] = [take(), take(), take()];
    applications.push({ instance: id, name: replica.name, version: replica.version, ...app, outbound: replica.calls ? outbound : null });
    instances.push({
      id,
      workload: `bookinfo/${replica.name}` as WorkloadKey,
      ...(replica.versioned ? { version: replica.version } : {}),
      app: { web: app },
      inbound: { web: inbound },
      outbound,
    });
  }
  const edge: Address = edgePort === undefined ? take() : { host: '127.0.0.1', port: edgePort };
  instances.push({ id: 'edge-1', workload: 'platform/edge' as WorkloadKey, app: {}, inbound: {}, listeners: { web: edge } });
  return { inventory: { instances }, applications, edge };
}
