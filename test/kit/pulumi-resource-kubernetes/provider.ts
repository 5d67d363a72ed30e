/** What the provider does, in plain JSON: check, diff, create, read, update, delete. The gRPC side is in service.ts. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../../core/lib/json';
import type { Resource } from '../../../platform/kube';
import type { Teller } from '../../../deploy/provider/resource';
import {
  applyObject,
  createObject,
  isAlreadyThere,
  isDryRunUnsupported,
  isForbidden,
  isNotThere,
  isWithoutNamespace,
  readObject,
  refOf,
  type Cluster,
} from './api';
import { changesBetween, checkpoint, parseCheckpoint, pruned, withoutServerFields, type Change } from './checkpoint';
import { annotation, hasUnknown, isObject, textAt } from './values';
import { awaitCondition, conditionOf, timeoutOf, WaitError } from './waiting';

export interface Settings {
  /** Creating what is there already takes it over. */
  readonly upsert: boolean;
}
export interface Operation {
  readonly preview: boolean;
  /** Of the resource's options; 0 for none. */
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
  readonly tell: Teller;
}
/** It was written, and then did not become what was waited for: the state is kept. */
export class PartialError extends Error {
  constructor(
    message: string,
    readonly id: string,
    readonly state: JsonObject,
  ) {
    super(message);
  }
}
export interface Difference {
  readonly changes: readonly Change[];
  readonly replaces: readonly string[];
  readonly deleteBeforeReplace: boolean;
}
export interface Made {
  readonly id: string;
  readonly state: JsonObject;
}

export interface KubernetesProvider {
  check(urn: string, olds: JsonObject, news: JsonObject): JsonObject;
  diff(olds: JsonObject, news: JsonObject, ignore: readonly string[]): Difference;
  create(inputs: JsonObject, operation: Operation): Promise<Made>;
  update(olds: JsonObject, news: JsonObject, operation: Operation): Promise<Made>;
  /** null: it is gone. */
  read(
    id: string,
    state: JsonObject,
    inputs: JsonObject,
  ): Promise<{ readonly id: string; readonly state: JsonObject; readonly inputs: JsonObject } | null>;
  delete(id: string, state: JsonObject, operation: Operation): Promise<void>;
}

/** `reach` answers with the cluster, or with why it cannot be reached. */
export function kubernetesProvider(
  reach: () => Promise<Cluster | { readonly unreachable: string }>,
  settings: () => Settings,
): KubernetesProvider {
  const reached = async (): Promise<Cluster> => {
    const found = await reach();
    if ('unreachable' in found) throw new Error(`configured Kubernetes cluster is unreachable: ${found.unreachable}`);
    return found;
  };
  const known = async (there: Cluster, object: JsonObject): Promise<Resource> => {
    const resource = await there.typeOf(object);
    if (!resource)
      throw new Error(`the API server does not know ${textAt(object, 'kind')} of ${textAt(object, 'apiVersion')}: no matches for kind`);
    return resource;
  };
  /** Waits where the object asks for it. */
  const settled = async (
    there: Cluster,
    resource: Resource,
    inputs: JsonObject,
    live: JsonObject,
    operation: Operation,
  ): Promise<JsonObject> => {
    const condition = conditionOf(inputs, live);
    if (!condition) return live;
    const timeoutMs = timeoutOf(inputs, operation.timeoutSeconds);
    return awaitCondition(there.kube, resource, live, condition, { timeoutMs, signal: operation.signal, show: operation.tell.show });
  };

  return {
    check(urn, olds, news) {
      const inputs = withoutServerFields(news);
      if (textAt(inputs, 'metadata', 'name') !== '') return inputs;
      const metadata = isObject(inputs['metadata']) ? inputs['metadata'] : {};
      const annotations = isObject(metadata['annotations']) ? metadata['annotations'] : {};
      const name = textAt(olds, 'metadata', 'name') || `${urn.split('::').at(-1) ?? 'object'}-${randomBytes(4).toString('hex')}`;
      return { ...inputs, metadata: { ...metadata, name, annotations: { ...annotations, 'pulumi.com/autonamed': 'true' } } };
    },

    diff(olds, news, ignore) {
      const { inputs, live } = parseCheckpoint(olds);
      const wanted = withoutServerFields(news);
      const before = pruned(live, withoutServerFields(inputs));
      const changes = changesBetween(isObject(before) ? before : {}, wanted).filter(
        ({ path }) => !ignore.some((prefix) => path === prefix || path.startsWith(`${prefix}.`) || path.startsWith(`${prefix}[`)),
      );
      const replaces = changes.map(({ path }) => path).filter((path) => path === 'metadata.name' || path === 'metadata.namespace');
      const same = (field: string): boolean => textAt(wanted, 'metadata', field) === textAt(live, 'metadata', field);
      return {
        changes,
        replaces,
        deleteBeforeReplace:
          replaces.length > 0 && annotation(wanted, 'pulumi.com/autonamed') !== 'true' && same('name') && same('namespace'),
      };
    },

    async create(inputs, operation) {
      const there = await reach();
      if ('unreachable' in there || hasUnknown(inputs) || !(await there.typeOf(inputs))) {
        if (operation.preview) return { id: '', state: inputs };
        await known(await reached(), inputs);
        throw new Error('create failed because of inputs that are not known');
      }
      const resource = await known(there, inputs);
      const fieldManager = annotation(inputs, 'pulumi.com/patchFieldManager') || `pulumi-kubernetes-${randomBytes(4).toString('hex')}`;
      const write = (): Promise<JsonObject> =>
        settings().upsert
          ? applyObject(there.kube, resource, inputs, { fieldManager, force: isForced(inputs), dryRun: operation.preview })
          : createObject(there.kube, resource, inputs, operation.preview);
      let live: JsonObject;
      try {
        live = await again(write, operation.preview);
      } catch (error) {
        if (operation.preview && (isForbidden(error) || isDryRunUnsupported(error) || isWithoutNamespace(error) || isAlreadyThere(error)))
          return { id: '', state: inputs };
        throw new Error(`resource ${nameOf(inputs)} was not successfully created by the Kubernetes API server: ${reasonOf(error)}`);
      }
      if (operation.preview) return { id: '', state: checkpoint(inputs, without(live, 'status'), fieldManager) };
      try {
        return { id: idOf(live), state: checkpoint(inputs, await settled(there, resource, inputs, live, operation), fieldManager) };
      } catch (error) {
        throw new PartialError(
          `resource ${nameOf(inputs)} was successfully created, but the Kubernetes API server reported that it failed to fully initialize or become live: ${reasonOf(error)}`,
          idOf(live),
          checkpoint(inputs, error instanceof WaitError ? error.last : live, fieldManager),
        );
      }
    },

    async update(olds, news, operation) {
      const there = await reach();
      const inputs = withoutServerFields(news);
      if (operation.preview && ('unreachable' in there || hasUnknown(inputs) || !(await there.typeOf(inputs))))
        return { id: '', state: news };
      const api = await reached();
      const resource = await known(api, inputs);
      const old = parseCheckpoint(olds);
      const fieldManager = annotation(inputs, 'pulumi.com/patchFieldManager') || old.fieldManager;
      const ref = refOf(old.live);
      let live: JsonObject | undefined;
      try {
        if ((await readObject(api.kube, resource, ref)) === null) throw new Error(`${nameOf(old.live)} not found`);
        live = await applyObject(api.kube, resource, inputs, { fieldManager, force: isForced(inputs), dryRun: operation.preview });
        const seen = operation.preview ? live : await settled(api, resource, inputs, live, operation);
        return { id: idOf(seen), state: checkpoint(inputs, seen, fieldManager) };
      } catch (error) {
        if (operation.preview && isForbidden(error)) return { id: '', state: news };
        const now = error instanceof WaitError ? error.last : await readObject(api.kube, resource, ref);
        if (now === null) throw new Error(`update of resource ${nameOf(inputs)} failed: ${reasonOf(error)}`);
        throw new PartialError(
          `the Kubernetes API server reported that ${nameOf(now)} failed to fully initialize or become live: ${reasonOf(error)}`,
          idOf(now),
          checkpoint(inputs, now, fieldManager),
        );
      }
    },

    async read(id, state, inputs) {
      const there = await reached();
      const old = parseCheckpoint(state);
      const described = textAt(inputs, 'kind') === '' ? old.live : inputs;
      const resource = await there.typeOf(described);
      if (!resource) return null;
      const live = await readObject(there.kube, resource, refIn(id));
      if (live === null) return null;
      const seen = withoutServerFields(inputs);
      const kept = pruned(live, seen);
      const liveInputs = isObject(kept) ? kept : {};
      const fieldManager = old.fieldManager || `pulumi-kubernetes-${randomBytes(4).toString('hex')}`;
      return { id, state: checkpoint(liveInputs, live, fieldManager), inputs: liveInputs };
    },

    async delete(id, state, operation) {
      const there = await reached();
      const { inputs, live } = parseCheckpoint(state);
      const resource = await there.typeOf(live);
      if (!resource) return;
      const policy = annotation(inputs, 'pulumi.com/deletionPropagationPolicy').toLowerCase();
      const propagation = policy === 'orphan' ? 'Orphan' : policy === 'background' ? 'Background' : 'Foreground';
      if (!(await there.kube.remove(resource, refIn(id), { propagation }))) return;
      const until = performance.now() + timeoutOf(inputs, operation.timeoutSeconds);
      for (;;) {
        const now = await readObject(there.kube, resource, refIn(id));
        if (now === null || textAt(now, 'metadata', 'uid') !== textAt(live, 'metadata', 'uid')) return;
        if (performance.now() > until || operation.signal.aborted) {
          const why = operation.signal.aborted ? 'the operation was cancelled' : 'timed out waiting for the condition';
          throw new PartialError(why, id, checkpoint(inputs, now, parseCheckpoint(state).fieldManager));
        }
        await sleep(50);
      }
    },
  };
}

/** What a custom resource is written to may be new: a few attempts when it is not found. */
async function again<T>(write: () => Promise<T>, preview: boolean): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await write();
    } catch (error) {
      if (attempt >= 4 || !isNotThere(error) || (preview && isWithoutNamespace(error))) throw error;
      await sleep(50 * 2 ** attempt);
    }
  }
}

const isForced = (object: JsonObject): boolean => annotation(object, 'pulumi.com/patchForce') === 'true';
const without = (object: JsonObject, field: string): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([key]) => key !== field));
/** `namespace/name`, or the name alone. */
function idOf(object: JsonObject): string {
  const { name, namespace } = refOf(object);
  return namespace === undefined ? name : `${namespace}/${name}`;
}
function refIn(id: string): { readonly name: string; readonly namespace?: string } {
  const [first = '', ...rest] = id.split('/');
  return rest.length === 0 ? { name: first } : { namespace: first, name: rest.join('/') };
}
const nameOf = (object: JsonObject): string => `"${idOf(object)}"`;
const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
