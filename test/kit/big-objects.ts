/** Objects and releases that are too big for one resource of the Kubernetes API; the same on every run, and hard to compress. */
import { createHash } from 'node:crypto';
import { apiVersion, type Release, type ReleaseSet, type ServiceConfig } from '../../core/bundle/objects';
import type { Digest } from '../../core/lib/digest';
import { portKey, workloadKey } from '../../core/mesh/ids';
import { testRelease } from './signing';

const digits = (seed: string): string => createHash('sha256').update(seed).digest('hex');

/** A ServiceConfig of about `bytes` bytes of canonical JSON, which compress to about 6/10. */
export function bigService(bytes: number, name = 'big'): ServiceConfig {
  const cluster = (index: number): { readonly [field: string]: string } => ({
    name: `bookinfo/${name}.web/${index}`,
    altStatName: Array.from({ length: 15 }, (_, line) => digits(`${name} ${index} ${line}`)).join(''),
  });
  return {
    apiVersion,
    kind: 'ServiceConfig',
    metadata: { namespace: 'bookinfo', name: `${name}.web` },
    spec: {
      port: portKey(workloadKey('bookinfo', name), 'web'),
      envoyRange: { min: '1.36.0', below: '1.41.0' },
      virtualHost: { name: `${name}.bookinfo`, domains: [`${name}.bookinfo`], typedPerFilterConfig: {} },
      clusters: Array.from({ length: Math.ceil(bytes / 1_024) }, (_, index) => cluster(index)),
      endpoints: [],
    },
  };
}

/** A release of `count` objects, of which one in ten changes, with an order across all proxies. */
export function bigRelease(count: number, change: Partial<Release> = {}): Release {
  const set = (isNew: (index: number) => boolean): ReleaseSet =>
    Object.fromEntries(
      Array.from({ length: count }, (_, index) => [
        `${index % 2 === 0 ? 'ServiceConfig' : 'ProxyConfig'}/namespace-${index % 50}/workload-${index}`,
        `sha256:${digits(`${index} ${isNew(index)}`)}` as Digest,
      ]),
    );
  const proxies = Array.from({ length: count / 2 }, (_, index) => `namespace-${(index * 2 + 1) % 50}/workload-${index * 2 + 1}`);
  return testRelease([], {
    generation: 2,
    parent: `sha256:${digits('parent')}` as Digest,
    stable: set(() => false),
    candidate: set((index) => index % 10 === 0),
    steps: (['inbound', 'outbound'] as const).map((part) => ({ parts: proxies.map((proxy) => ({ proxy, part })), why: `${part} first` })),
    ...change,
  });
}
