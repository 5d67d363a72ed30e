/** The pod in a workload: where each kind keeps it, and what of it rules read. */
import { podLabels, workloadNameOf } from '../../core/mesh/pod';
import { isFields, memberOf, sameJson } from '../review/json';

export interface PodImage {
  /** `spec.template.spec.containers[0].image` */
  readonly field: string;
  readonly image: string;
}
export interface PodFacts {
  /** Where the pod stands in the object: empty for a Pod itself. */
  readonly path: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly annotations: ReadonlyMap<string, string>;
  readonly serviceAccount: string;
  /** Of containers, init containers and ephemeral ones, and those that are mounted as volumes. */
  readonly images: readonly PodImage[];
  /** Everything that any rule might read of it, for comparing with what was. */
  readonly spec: unknown;
}

/** Path of the pod template by `<group>/<kind>`; a Pod is its own. */
const templates: ReadonlyMap<string, readonly string[]> = new Map([
  ['/Pod', []],
  ['apps/Deployment', ['spec', 'template']],
  ['apps/StatefulSet', ['spec', 'template']],
  ['apps/DaemonSet', ['spec', 'template']],
  ['apps/ReplicaSet', ['spec', 'template']],
  ['batch/Job', ['spec', 'template']],
  ['batch/CronJob', ['spec', 'jobTemplate', 'spec', 'template']],
  ['/ReplicationController', ['spec', 'template']],
]);
/** The version of what a workload runs, by the usual convention. */
export const versionLabel = 'app.kubernetes.io/version';
/**
 * The labels and annotations of a pod that decide anything here: these, and all that begin with the prefix. Others are notes of those who write them (a
 * network plugin's addresses, the role that a database's pods agree on, the time of a restart).
 */
export const readKeys: readonly string[] = [podLabels.app, podLabels.version, versionLabel];
export const readPrefix = 'meshwright.dev/';

const containerLists = ['initContainers', 'containers', 'ephemeralContainers'] as const;

/** What rules read of the pod in an object; null where it has none (a ReplicationController may lack its template). */
export function podIn(group: string, kind: string, object: unknown): PodFacts | null {
  const path = templates.get(`${group}/${kind}`);
  if (path === undefined || !isFields(object)) return null;
  let pod: unknown = object;
  for (const name of path) pod = memberOf(pod, name);
  if (!isFields(pod)) return null;
  const metadata = memberOf(pod, 'metadata');
  const spec = memberOf(pod, 'spec');
  const prefix = path.map((name) => `${name}.`).join('');
  const account = memberOf(spec, 'serviceAccountName') ?? memberOf(spec, 'serviceAccount');
  return {
    path: prefix,
    labels: texts(memberOf(metadata, 'labels')),
    annotations: texts(memberOf(metadata, 'annotations')),
    serviceAccount: typeof account === 'string' && account !== '' ? account : 'default',
    images: [...containerLists.flatMap((list) => imagesIn(spec, list, `${prefix}spec.${list}`)), ...mountedIn(spec, prefix)],
    spec,
  };
}

function imagesIn(spec: unknown, list: string, path: string): readonly PodImage[] {
  const containers = memberOf(spec, list);
  if (!Array.isArray(containers)) return [];
  return containers.map((container: unknown, index) => {
    const image = memberOf(container, 'image');
    return { field: `${path}[${index}].image`, image: typeof image === 'string' ? image : '' };
  });
}

/** Images that are mounted rather than run: what is in them can be run all the same. */
function mountedIn(spec: unknown, prefix: string): readonly PodImage[] {
  const volumes = memberOf(spec, 'volumes');
  if (!Array.isArray(volumes)) return [];
  return volumes.flatMap((volume: unknown, index) => {
    const source = memberOf(volume, 'image');
    if (!isFields(source)) return [];
    const reference = memberOf(source, 'reference');
    return [{ field: `${prefix}spec.volumes[${index}].image.reference`, image: typeof reference === 'string' ? reference : '' }];
  });
}

/** Whether nothing that a rule could read is different. */
export const isSamePod = (a: PodFacts, b: PodFacts): boolean =>
  sameJson(a.spec, b.spec) && sameWhereRead(a.labels, b.labels) && sameWhereRead(a.annotations, b.annotations);

function sameWhereRead(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  const isRead = (name: string): boolean => name.startsWith(readPrefix) || readKeys.includes(name);
  return [...a.keys(), ...b.keys()].every((name) => !isRead(name) || a.get(name) === b.get(name));
}

/** Labels and annotations by name, whatever the names are: `constructor` is a legal one. */
export function texts(value: unknown): ReadonlyMap<string, string> {
  const result = new Map<string, string>();
  if (isFields(value)) for (const [name, text] of Object.entries(value)) if (typeof text === 'string') result.set(name, text);
  return result;
}

/** The workload that a pod says it is of: our label, or the usual `app`; null when it says none that a workload can have. */
export const workloadOf = (labels: ReadonlyMap<string, string>): string | null => workloadNameOf(Object.fromEntries(labels)) ?? null;
