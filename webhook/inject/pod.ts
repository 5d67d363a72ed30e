/** A pod as injection reads it: the lists and maps it looks at, from untrusted JSON. Members are asked for by their own names only. */

export type Fields = { readonly [key: string]: unknown };
export type ContainerList = 'containers' | 'initContainers' | 'ephemeralContainers';

/** One container, and where it stands: `spec.containers[0]`. */
export interface Container {
  readonly path: string;
  readonly list: ContainerList;
  readonly name: string;
  readonly fields: Fields;
}
export interface Pod {
  /** As given; the API server sets it later where only `generateName` is given. */
  readonly name: string;
  readonly labels: Fields;
  readonly annotations: Fields;
  readonly spec: Fields;
  /** Ephemeral ones included. */
  readonly containers: readonly Container[];
  readonly volumes: readonly Fields[];
  /** Lists and maps that are there: a patch makes those that are not. */
  readonly has: { readonly annotations: boolean; readonly initContainers: boolean; readonly volumes: boolean };
}

/** Why a value is not a pod; one line. */
export class NotAPod extends Error {
  override readonly name = 'NotAPod';
}

const containerLists: readonly ContainerList[] = ['initContainers', 'containers', 'ephemeralContainers'];
const mostItems = 1_000;

export const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);
/** A member by its own name. */
export const own = (fields: Fields, name: string): unknown => (Object.hasOwn(fields, name) ? fields[name] : undefined);
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Reads a pod, `{ metadata, spec }`. Throws NotAPod. */
export function readPod(value: unknown): Pod {
  const pod = fieldsAt(value, 'the object');
  const metadata = fieldsAt(own(pod, 'metadata') ?? {}, 'metadata');
  const spec = fieldsAt(own(pod, 'spec'), 'spec');
  return {
    name: textOf(own(metadata, 'name')) || textOf(own(metadata, 'generateName')),
    labels: fieldsAt(own(metadata, 'labels') ?? {}, 'metadata.labels'),
    annotations: fieldsAt(own(metadata, 'annotations') ?? {}, 'metadata.annotations'),
    spec,
    containers: containerLists.flatMap((list) =>
      listAt(own(spec, list), `spec.${list}`).map((fields, index): Container => ({
        path: `spec.${list}[${index}]`,
        list,
        name: textOf(own(fields, 'name')),
        fields,
      })),
    ),
    volumes: listAt(own(spec, 'volumes'), 'spec.volumes'),
    has: {
      annotations: isFields(own(metadata, 'annotations')),
      initContainers: Array.isArray(own(spec, 'initContainers')),
      volumes: Array.isArray(own(spec, 'volumes')),
    },
  };
}

/** A list of objects; absent and null are the empty list. */
export function listAt(value: unknown, path: string): readonly Fields[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new NotAPod(`\`${path}\` is not a list`);
  if (value.length > mostItems) throw new NotAPod(`\`${path}\` has more than ${mostItems} entries`);
  return value.map((item, index) => fieldsAt(item, `${path}[${index}]`));
}

function fieldsAt(value: unknown, path: string): Fields {
  if (!isFields(value)) throw new NotAPod(`\`${path}\` is not an object`);
  return value;
}
