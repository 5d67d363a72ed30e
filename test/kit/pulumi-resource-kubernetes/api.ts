/** The cluster as the provider sees it: which kinds there are, and writes with the options that the vendor's provider gives them. */
import type { JsonObject } from '../../../core/lib/json';
import { KubeError, kubeObject, pathOf, type Kube, type Resource } from '../../../platform/kube';
import { isObject, textAt, toJson } from './values';

export interface Cluster {
  readonly kube: Kube;
  /** null: the cluster does not know the kind. */
  typeOf(object: JsonObject): Promise<Resource | null>;
}

/** Kinds are asked for once for each group and version, and again when one is not there: its definition may be new. */
export function cluster(kube: Kube): Cluster {
  const known = new Map<string, readonly Resource[]>();
  const load = async (apiVersion: string): Promise<readonly Resource[]> => {
    try {
      const answer = toJson(await kube.request('GET', apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`));
      const listed = isObject(answer) && Array.isArray(answer['resources']) ? answer['resources'].filter(isObject) : [];
      return listed.flatMap((one): Resource[] => {
        const plural = textAt(one, 'name');
        return plural.includes('/') ? [] : [{ apiVersion, kind: textAt(one, 'kind'), plural, namespaced: one['namespaced'] === true }];
      });
    } catch (error) {
      if (error instanceof KubeError && error.status === 404) return [];
      throw error;
    }
  };
  return {
    kube,
    async typeOf(object) {
      const [apiVersion, kind] = [textAt(object, 'apiVersion'), textAt(object, 'kind')];
      const find = (): Resource | undefined => known.get(apiVersion)?.find((one) => one.kind === kind);
      if (!find()) known.set(apiVersion, await load(apiVersion));
      return find() ?? null;
    },
  };
}

export interface Write {
  readonly fieldManager: string;
  readonly force: boolean;
  readonly dryRun: boolean;
}

export async function applyObject(kube: Kube, resource: Resource, object: JsonObject, write: Write): Promise<JsonObject> {
  try {
    return plain(await kube.apply(resource, kubeObject(object), write));
  } catch (error) {
    if (error instanceof KubeError && error.status === 409)
      throw new KubeError(
        409,
        error.reason,
        `field manager "${write.fieldManager}" has a conflict on apply: ${error.message}`,
        error.details,
      );
    throw error;
  }
}

/** A plain create: what is there already is an error. */
export async function createObject(kube: Kube, resource: Resource, object: JsonObject, dryRun: boolean): Promise<JsonObject> {
  const namespace = textAt(object, 'metadata', 'namespace');
  const path = pathOf(resource, namespace === '' ? {} : { namespace });
  return plain(await kube.request('POST', `${path}?fieldManager=pulumi-kubernetes${dryRun ? '&dryRun=All' : ''}`, object));
}

export const refOf = (object: JsonObject): { readonly name: string; readonly namespace?: string } => {
  const namespace = textAt(object, 'metadata', 'namespace');
  return { name: textAt(object, 'metadata', 'name'), ...(namespace === '' ? {} : { namespace }) };
};
export async function readObject(
  kube: Kube,
  resource: Resource,
  ref: { readonly name: string; readonly namespace?: string },
): Promise<JsonObject | null> {
  const found = await kube.get(resource, ref);
  return found === null ? null : plain(found);
}

export const isForbidden = (error: unknown): boolean =>
  error instanceof KubeError && (error.status === 403 || error.reason === 'Forbidden');
export const isAlreadyThere = (error: unknown): boolean => error instanceof KubeError && error.reason === 'AlreadyExists';
export const isNotThere = (error: unknown): boolean => error instanceof KubeError && error.status === 404;
export const isWithoutNamespace = (error: unknown): boolean =>
  error instanceof KubeError && error.status === 404 && textAt(toJson(error.details), 'details', 'kind') === 'namespaces';
export const isDryRunUnsupported = (error: unknown): boolean =>
  error instanceof KubeError && error.status === 400 && error.message.includes('does not support dry run');

const plain = (value: unknown): JsonObject => {
  const object = toJson(value);
  return isObject(object) ? object : {};
};
