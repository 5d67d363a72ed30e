/** A Kubernetes API that holds what it is told, for tests of who follows it: no server, no network. */
import { keyOf, type Follower, type Kube, type KubeObject, type Resource } from '../../platform/kube';

export interface KubeStub extends Kube {
  /** Puts objects of a resource type in place of what was there, and tells who follows it. */
  set(resource: Resource, objects: readonly KubeObject[]): void;
  /** The same for who lists; who follows hears of it later or never. */
  setUnseen(resource: Resource, objects: readonly KubeObject[]): void;
  /** From then on followers say that the server is away. */
  away(away: boolean): void;
}

/** `holding`: followers are synced only once something is set or this is false. */
export function kubeStub({ holding = false }: { readonly holding?: boolean } = {}): KubeStub {
  const held = new Map<string, ReadonlyMap<string, KubeObject>>();
  const unseen = new Map<string, readonly KubeObject[]>();
  const listeners = new Map<string, Set<() => void>>();
  let stale = false;
  const unsupported = (): Promise<never> => Promise.reject(new Error('the stub only follows'));
  return {
    server: 'https://stub.invalid',
    get: (resource, ref) =>
      Promise.resolve(held.get(resource.plural)?.get(ref.namespace === undefined ? ref.name : `${ref.namespace}/${ref.name}`) ?? null),
    list: ({ plural }) => Promise.resolve({ items: unseen.get(plural) ?? [...(held.get(plural)?.values() ?? [])], resourceVersion: '1' }),
    create: unsupported,
    replace: unsupported,
    apply: unsupported,
    patch: unsupported,
    remove: unsupported,
    request: (_method, path) => (path === '/version' ? Promise.resolve({ gitVersion: 'v1.34.4+k3s1' }) : unsupported()),
    post: unsupported,
    follow(resource, _options, onChange): Follower {
      const known = listeners.get(resource.plural) ?? new Set();
      listeners.set(resource.plural, known.add(onChange));
      const isSynced = (): boolean => !holding || held.has(resource.plural);
      if (isSynced()) queueMicrotask(onChange);
      return {
        synced: Promise.resolve(),
        items: () => held.get(resource.plural) ?? new Map(),
        isSynced,
        isStale: () => stale,
        close: () => void known.delete(onChange),
      };
    },
    setUnseen: (resource, objects) => void unseen.set(resource.plural, objects),
    set(resource, objects) {
      unseen.delete(resource.plural);
      held.set(resource.plural, new Map(objects.map((object) => [keyOf(object), object])));
      for (const listener of listeners.get(resource.plural) ?? []) listener();
    },
    away(away) {
      stale = away;
    },
  };
}
