import type { Brand } from '../lib/brand';

/** `<team>/<export name>`, with `.<key>` for the parts of an exported record: `books/pageReadsReviews`, `orders/cartAdmin.callers`. The root module's team is `mesh`. */
export type RuleId = Brand<string, 'RuleId'>;
/** `<namespace>/<name>` of a service, a bare workload or a gateway. One name space: two of them may not share a key. */
export type WorkloadKey = Brand<string, 'WorkloadKey'>;
/** `<namespace>/<service>.<port name>`. */
export type PortKey = Brand<string, 'PortKey'>;
/** `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`. Compared exactly, never by pattern. */
export type Principal = Brand<string, 'Principal'>;

export const workloadKey = (namespace: string, name: string): WorkloadKey => `${namespace}/${name}` as WorkloadKey;
/** In the place of a namespace, in the key of what is outside the mesh. No namespace of a mesh that calls the outside has this name (lower sees to it). */
export const outsideNamespace = 'outside';
export const portKey = (service: WorkloadKey, port: string): PortKey => `${service}.${port}` as PortKey;
export const principalOf = (trustDomain: string, namespace: string, serviceAccount: string): Principal =>
  `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}` as Principal;

/** The service a port belongs to. Names hold no dot (lower sees to it), so the last dot separates. */
export const serviceOfPort = (port: PortKey): WorkloadKey => port.slice(0, port.lastIndexOf('.')) as WorkloadKey;
export const nameOfPort = (port: PortKey): string => port.slice(port.lastIndexOf('.') + 1);
export const namespaceOf = (key: WorkloadKey): string => key.slice(0, key.indexOf('/'));
export const nameOf = (key: WorkloadKey): string => key.slice(key.indexOf('/') + 1);
