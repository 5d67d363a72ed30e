/** The Kubernetes API as this product uses it. */
import { follow, type Follower, type FollowOptions } from './follow';
import { kubeObject, pathOf, type KubeObject, type Ref, type Resource } from './resources';
import { KubeError, transportFromFile, transportInCluster, type Patience, type Transport } from './transport';

export interface ListOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}
export interface WriteOptions {
  /** Everything is done but storing it: admission sees it too. */
  readonly dryRun?: boolean;
  readonly subresource?: string;
}
export interface ApplyOptions extends WriteOptions {
  readonly fieldManager: string;
  /** Takes fields over from other managers. */
  readonly force?: boolean;
}
export interface RemoveOptions {
  readonly dryRun?: boolean;
  /** Only the object with this uid. */
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly propagation?: 'Foreground' | 'Background' | 'Orphan';
}
/** Every method throws KubeError. */
export interface Kube {
  readonly server: string;
  /** null when there is none. */
  get(resource: Resource, ref: Ref): Promise<KubeObject | null>;
  /** All of them, in pages. */
  list(resource: Resource, options?: ListOptions): Promise<{ readonly items: readonly KubeObject[]; readonly resourceVersion: string }>;
  create(resource: Resource, object: KubeObject, options?: WriteOptions): Promise<KubeObject>;
  /** With `metadata.resourceVersion`: only if nobody wrote meanwhile (else `Conflict`). */
  replace(resource: Resource, object: KubeObject, options?: WriteOptions): Promise<KubeObject>;
  /** Server-side apply. */
  apply(resource: Resource, object: KubeObject, options: ApplyOptions): Promise<KubeObject>;
  patch(resource: Resource, ref: Ref, patch: unknown, options: WriteOptions & { readonly type: 'merge' | 'json' }): Promise<KubeObject>;
  /** False when it was not there. */
  remove(resource: Resource, ref: Ref, options?: RemoveOptions): Promise<boolean>;
  /** Any other answer: reviews, tokens, `/version`. */
  request(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown>;
  post(path: string, body: unknown): Promise<unknown>;
  /** Follows a resource type for as long as it is not closed. */
  follow(resource: Resource, options: FollowOptions, onChange: () => void): Follower;
}

/** By the current context of a kubeconfig file. Rejects when the file cannot be used. */
export const kubeFromFile = async (kubeconfig: string, patience: Patience = {}): Promise<Kube> =>
  kube(await transportFromFile(kubeconfig, patience));
/** As the service account of the pod that this process runs in. */
export const kubeInCluster = async (): Promise<Kube> => kube(await transportInCluster());

const pageSize = '500';
const patchTypes = { merge: 'application/merge-patch+json', json: 'application/json-patch+json' } as const;
const dryRunOf = (options: { readonly dryRun?: boolean }): { dryRun: string | undefined } => ({
  dryRun: options.dryRun ? 'All' : undefined,
});

function kube(transport: Transport): Kube {
  const refOf = ({ metadata }: KubeObject): Ref => ({
    name: metadata.name,
    ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
  });
  const write = async (
    method: string,
    path: string,
    body: unknown,
    query: Record<string, string | undefined>,
    contentType?: string,
  ): Promise<KubeObject> =>
    kubeObject(await transport.send({ method, path, body, query, ...(contentType === undefined ? {} : { contentType }) }));
  const client: Kube = {
    server: transport.server,
    async get(resource, ref) {
      try {
        return kubeObject(await transport.send({ method: 'GET', path: pathOf(resource, ref) }));
      } catch (error) {
        if (error instanceof KubeError && error.status === 404) return null;
        throw error;
      }
    },
    async list(resource, options = {}) {
      const items: KubeObject[] = [];
      let token: string | undefined;
      for (;;) {
        const page = await transport.send({
          method: 'GET',
          path: pathOf(resource, options.namespace === undefined ? {} : { namespace: options.namespace }),
          query: { labelSelector: options.labelSelector, fieldSelector: options.fieldSelector, limit: pageSize, continue: token },
          timeoutMs: 60_000,
        });
        const { list, resourceVersion, next } = pageOf(page);
        items.push(...list);
        if (next === '') return { items, resourceVersion };
        token = next;
      }
    },
    create: (resource, object, options = {}) => {
      const { namespace } = object.metadata;
      return write('POST', pathOf(resource, namespace === undefined ? {} : { namespace }), object, dryRunOf(options));
    },
    replace: (resource, object, options = {}) =>
      write('PUT', pathOf(resource, refOf(object), options.subresource), object, dryRunOf(options)),
    apply: (resource, object, { fieldManager, force, subresource, ...options }) =>
      write(
        'PATCH',
        pathOf(resource, refOf(object), subresource),
        { ...object, apiVersion: resource.apiVersion, kind: resource.kind },
        { fieldManager, force: force ? 'true' : undefined, ...dryRunOf(options) },
        'application/apply-patch+yaml',
      ),
    patch: (resource, ref, patch, { type, subresource, ...options }) =>
      write('PATCH', pathOf(resource, ref, subresource), patch, dryRunOf(options), patchTypes[type]),
    async remove(resource, ref, { dryRun, uid, resourceVersion, propagation } = {}) {
      const preconditions = { ...(uid === undefined ? {} : { uid }), ...(resourceVersion === undefined ? {} : { resourceVersion }) };
      try {
        await transport.send({
          method: 'DELETE',
          path: pathOf(resource, ref),
          query: dryRunOf(dryRun === undefined ? {} : { dryRun }),
          body: {
            apiVersion: 'v1',
            kind: 'DeleteOptions',
            ...(Object.keys(preconditions).length === 0 ? {} : { preconditions }),
            ...(propagation === undefined ? {} : { propagationPolicy: propagation }),
          },
        });
        return true;
      } catch (error) {
        if (error instanceof KubeError && error.status === 404) return false;
        throw error;
      }
    },
    request: (method, path, body) => transport.send({ method, path, ...(body === undefined ? {} : { body }) }),
    post: (path, body) => transport.send({ method: 'POST', path, body }),
    follow: (resource, options, onChange) => follow({ transport, list: client.list }, resource, options, onChange),
  };
  return client;
}

function pageOf(value: unknown): { readonly list: readonly KubeObject[]; readonly resourceVersion: string; readonly next: string } {
  const page = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  const metadata = typeof page['metadata'] === 'object' && page['metadata'] !== null ? (page['metadata'] as Record<string, unknown>) : {};
  const text = (key: string): string => (typeof metadata[key] === 'string' ? metadata[key] : '');
  if (!Array.isArray(page['items'])) throw new KubeError(200, 'NotJson', 'the Kubernetes API answered a list without items');
  return { list: page['items'].map(kubeObject), resourceVersion: text('resourceVersion'), next: text('continue') };
}
