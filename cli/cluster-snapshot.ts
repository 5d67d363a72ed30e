/** A cluster as `doctor` looks at it: read once, and of Secrets the certificate only. What may not be read is named. */
import { meshNamespace } from '../core/bundle/custom-resource';
import { entriesOf, isOurs, kindsRead, type ClusterSnapshot, type KindRead } from '../deploy/install/doctor/snapshot';
import { shared } from '../deploy/install/names';
import type { KubernetesObject } from '../deploy/install/object';
import { KubeError, resources, type Kube, type KubeObject, type Resource } from '../platform/kube';

interface Read {
  readonly kind: KindRead;
  readonly resource: Resource;
  readonly namespaces?: readonly string[];
  readonly labelSelector?: string;
  readonly name?: string;
}
const ours = 'app.kubernetes.io/name=meshwright';

/** Reads the cluster. Rejects only when it cannot be reached at all. */
export async function snapshotOf(kube: Kube, now: number): Promise<ClusterSnapshot> {
  const version = await kube.request('GET', '/version');
  const objects: KubernetesObject[] = [];
  const unread = new Map<string, string>();
  const read = async (one: Read): Promise<void> => {
    for (const namespace of one.namespaces ?? [undefined]) {
      try {
        for (const item of await itemsOf(kube, one, namespace)) objects.push(named(one, item));
      } catch (error) {
        // A kind that the API server does not know has no objects.
        if (!(error instanceof KubeError)) throw error;
        if (error.status !== 404) unread.set(one.kind, error.message);
      }
    }
  };
  await Promise.all(
    [
      { kind: 'Namespace', resource: resources.namespaces },
      { kind: 'ValidatingWebhookConfiguration', resource: resources.validatingWebhooks },
      { kind: 'MutatingWebhookConfiguration', resource: resources.mutatingWebhooks },
      { kind: 'CustomResourceDefinition', resource: resources.customResourceDefinitions },
      { kind: 'ClusterRole', resource: resources.clusterRoles },
      { kind: 'ClusterRoleBinding', resource: resources.clusterRoleBindings },
      { kind: 'Role', resource: resources.roles },
      { kind: 'RoleBinding', resource: resources.roleBindings },
      { kind: 'Deployment', resource: resources.deployments, labelSelector: ours },
      { kind: 'PodDisruptionBudget', resource: resources.podDisruptionBudgets, namespaces: [meshNamespace] },
      { kind: 'ConfigMap', resource: resources.configMaps, namespaces: [meshNamespace] },
      { kind: 'Secret', resource: resources.secrets, namespaces: [meshNamespace], name: shared.webhookCertificates },
      { kind: 'Pod', resource: resources.pods, labelSelector: 'meshwright.dev/inject=true' },
      { kind: 'Release', resource: resources.releases, namespaces: [meshNamespace] },
      { kind: 'AdmissionRules', resource: resources.admissionRules, namespaces: [meshNamespace] },
    ].map((one) => read(one as Read)), // the literals above are all of KindRead
  );
  const called = entriesOf({ live: true, now, serverVersion: null, objects, unread: [] })
    .filter(isOurs)
    .flatMap(({ service }) => (service === null ? [] : [service.split('/')[0] ?? '']));
  const namespaces = [...new Set([meshNamespace, ...called])];
  await read({ kind: 'Service', resource: resources.services, namespaces });
  await read({ kind: 'EndpointSlice', resource: resources.endpointSlices, namespaces });
  const serverVersion = typeof version === 'object' && version !== null ? Reflect.get(version, 'gitVersion') : undefined;
  return {
    live: true,
    now,
    serverVersion: typeof serverVersion === 'string' ? serverVersion : null,
    objects: objects.toSorted((a, b) => kindsRead.findIndex((kind) => kind === a.kind) - kindsRead.findIndex((kind) => kind === b.kind)),
    unread: [...unread].map(([kind, reason]) => ({ kind, reason })),
  };
}

async function itemsOf(kube: Kube, { resource, name, labelSelector }: Read, namespace: string | undefined): Promise<readonly KubeObject[]> {
  const where = namespace === undefined ? {} : { namespace };
  if (name === undefined) return (await kube.list(resource, { ...where, ...(labelSelector === undefined ? {} : { labelSelector }) })).items;
  const found = await kube.get(resource, { ...where, name });
  return found === null ? [] : [found];
}

/** A list's items do not say of what kind they are; a Secret's key is nobody's business here. */
function named({ kind, resource }: Read, item: KubeObject): KubernetesObject {
  const { metadata } = item;
  const data = item['data'];
  const certificate: unknown = kind === 'Secret' && typeof data === 'object' && data !== null ? Reflect.get(data, 'tls.crt') : undefined;
  return {
    ...(kind === 'Secret' ? { data: { 'tls.crt': certificate } } : item),
    apiVersion: resource.apiVersion,
    kind,
    metadata: {
      name: metadata.name,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
      ...(metadata.annotations === undefined ? {} : { annotations: metadata.annotations }),
    },
  };
}
