/**
 * What the API holds of one resource type, kept up to date: a list, then a watch from there; a new list when the server no longer knows where we are.
 * What was seen stays while the server is away: it is stale then, not gone.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { keyOf, kubeObject, pathOf, type KubeObject, type Resource } from './resources';
import { KubeError, type Transport } from './transport';
import type { ListOptions } from './client';

export interface FollowOptions extends ListOptions {
  /** Told once when it cannot follow, with why; again after it could. */
  readonly onTrouble?: (error: Error) => void;
}
export interface Follower {
  /** Resolves after the first list. Never rejects: it is tried again until closed. */
  readonly synced: Promise<void>;
  /** By `namespace/name`. A live view: look again after a change. */
  items(): ReadonlyMap<string, KubeObject>;
  isSynced(): boolean;
  /** Whether the server has been away since the last change. */
  isStale(): boolean;
  close(): void;
}

const watchSeconds = 290;
/** The server sends a bookmark about once a minute; silence for longer means the connection is dead. */
const idleMs = 130_000;

export function follow(
  {
    transport,
    list,
  }: {
    readonly transport: Transport;
    readonly list: (
      resource: Resource,
      options?: ListOptions,
    ) => Promise<{ readonly items: readonly KubeObject[]; readonly resourceVersion: string }>;
  },
  resource: Resource,
  { onTrouble, ...options }: FollowOptions,
  onChange: () => void,
): Follower {
  const stop = new AbortController();
  let items = new Map<string, KubeObject>();
  let version: string | null = null;
  let stale = true;
  let seen = false;
  let markSynced: () => void = () => undefined;
  const synced = new Promise<void>((resolve) => (markSynced = resolve));

  const fresh = (): void => {
    stale = false;
    if (seen) return;
    seen = true;
    markSynced();
  };
  const relist = async (): Promise<void> => {
    const page = await list(resource, options);
    if (stop.signal.aborted) return;
    const next = new Map(page.items.map((item) => [keyOf(item), item] as const));
    const changed =
      !seen ||
      next.size !== items.size ||
      [...next].some(([key, item]) => items.get(key)?.metadata.resourceVersion !== item.metadata.resourceVersion);
    items = next;
    version = page.resourceVersion;
    fresh();
    if (changed) onChange();
  };
  const watch = async (): Promise<void> => {
    const events = transport.lines({
      method: 'GET',
      path: pathOf(resource, options.namespace === undefined ? {} : { namespace: options.namespace }),
      query: {
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: version ?? '',
        labelSelector: options.labelSelector,
        fieldSelector: options.fieldSelector,
        timeoutSeconds: String(watchSeconds),
      },
      idleMs,
      signal: stop.signal,
    });
    for await (const event of events) {
      const { type, object } = eventOf(event);
      fresh();
      if (type === 'BOOKMARK') {
        version = versionIn(object) ?? version;
        continue;
      }
      if (type === 'ERROR') throw statusError(object);
      const item = kubeObject(object);
      if (type === 'DELETED') items.delete(keyOf(item));
      else items.set(keyOf(item), item);
      version = item.metadata.resourceVersion ?? version;
      onChange();
    }
  };
  const run = async (): Promise<void> => {
    let pause = 50;
    let told = false;
    while (!stop.signal.aborted) {
      try {
        if (version === null) await relist();
        told = false;
        const began = performance.now();
        await watch();
        if (performance.now() - began > 1_000) pause = 50;
      } catch (error) {
        if (stop.signal.aborted) return;
        // Gone: the server no longer has what came since; Expired says the same in an event.
        if (error instanceof KubeError && error.status === 410) version = null;
        else {
          stale = true;
          if (error instanceof KubeError && error.status !== 0) version = null;
          if (!told) onTrouble?.(error instanceof Error ? error : new Error(String(error)));
          told = true;
          pause = Math.min(pause * 2, 5_000);
        }
      }
      await sleep(pause / 2 + (pause / 2) * jitter(), undefined, { signal: stop.signal }).catch(() => undefined);
    }
  };
  void run();
  return {
    synced,
    items: () => items,
    isSynced: () => seen,
    isStale: () => stale,
    close: () => stop.abort(),
  };
}

/** So that many followers do not come back at once. */
const jitter = (): number => Math.random();

function eventOf(value: unknown): { readonly type: string; readonly object: unknown } {
  if (typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string' && 'object' in value)
    return { type: value.type, object: value.object };
  throw new Error('the Kubernetes API sent something that is not a watch event');
}

function versionIn(value: unknown): string | null {
  const metadata: unknown = typeof value === 'object' && value !== null && 'metadata' in value ? value.metadata : null;
  const version: unknown =
    typeof metadata === 'object' && metadata !== null && 'resourceVersion' in metadata ? metadata.resourceVersion : null;
  return typeof version === 'string' ? version : null;
}

function statusError(value: unknown): KubeError {
  const status = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  const code = typeof status['code'] === 'number' ? status['code'] : 500;
  const text = (key: string): string => (typeof status[key] === 'string' ? status[key] : 'Unknown');
  return new KubeError(code, text('reason'), text('message'), value);
}
