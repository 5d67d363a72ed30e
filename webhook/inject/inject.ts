/** Injection, pure: a pod and what is known about its namespace in, a JSON Patch (RFC 6902) or a refusal out. */
import { inject as says } from '../../core/diagnostics/inject';
import { meshNamespace } from '../../core/bundle/custom-resource';
import { podAnnotations, podLabels, workloadNameOf } from '../../core/mesh/pod';
import { conflict } from './conflicts';
import { difference, sidecarDifference } from './difference';
import { isFields, NotAPod, own, readPod, textOf, type Container, type Pod } from './pod';
import { isFault, podSettings, userOf, type Fault, type InjectionSettings } from './settings';
import { captureName, isContainerOfOurs, isVolumeOfOurs, render, templateVersion, type Injected } from './template';

export interface InjectionContext {
  readonly settings: InjectionSettings;
  /** The review's: a pod that is being made may not say it itself. */
  readonly namespace: string;
  /** Labels of the namespace; null when it is not known. */
  readonly namespaceLabels: { readonly [key: string]: string } | null;
}
export type PatchOperation =
  { readonly op: 'add' | 'replace'; readonly path: string; readonly value: unknown } | { readonly op: 'remove'; readonly path: string };
export type Injection =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'patch'; readonly patch: readonly PatchOperation[]; readonly warnings: readonly string[] }
  /** `message` is `MW81xx: Pod <namespace>/<name>: <field>: <why>; <repair>`. */
  | { readonly kind: 'refused'; readonly message: string; readonly fault: Fault };

/** Never touched: what the cluster needs to start, and what the webhook itself needs. */
export const untouched: readonly string[] = ['kube-system', meshNamespace];

/** Decides on a pod that is being made. */
export function inject(value: unknown, context: InjectionContext): Injection {
  const { namespace } = context;
  if (untouched.includes(namespace)) return { kind: 'unchanged' };
  let pod: Pod;
  try {
    pod = readPod(value);
  } catch (error) {
    if (!(error instanceof NotAPod)) throw error;
    return refused('', context, { field: 'the object', diagnostic: says.notAPod({ reason: error.message }) });
  }
  try {
    const asked = asksForSidecar(pod, context);
    if (asked === false) return { kind: 'unchanged' };
    if (typeof asked === 'object') return refused(pod.name, context, asked);
    const wanted = wantedFor(pod, context);
    if (isFault(wanted)) return refused(pod.name, context, wanted);
    const faulty = conflict(pod, wanted.podSettings, isOurs(pod, wanted), userOf(context.settings));
    if (faulty !== null) return refused(pod.name, context, faulty);
    return patchFor(pod, wanted);
  } catch (error) {
    if (!(error instanceof NotAPod)) throw error;
    return refused(pod.name, context, { field: 'spec', diagnostic: says.notAPod({ reason: error.message }) });
  }
}

export interface Wanted extends Injected {
  readonly podSettings: Exclude<ReturnType<typeof podSettings>, Fault>;
  readonly version: string;
}

/** Whether a pod asks for a sidecar: its own label decides, else its namespace's. */
export function asksForSidecar(pod: Pod, { namespace, namespaceLabels }: InjectionContext): boolean | Fault {
  const label = own(pod.labels, podLabels.inject);
  if (label === 'true' || label === 'false') return label === 'true';
  if (namespaceLabels === null) return { field: 'metadata.namespace', diagnostic: says.namespaceUnknown({ namespace }) };
  return Object.hasOwn(namespaceLabels, podLabels.inject) && namespaceLabels[podLabels.inject] === 'true';
}

/** The sidecar that a pod is to have, or why it cannot have one. */
export function wantedFor(pod: Pod, { settings, namespace }: InjectionContext): Wanted | Fault {
  const name = workloadNameOf(pod.labels);
  if (name === undefined) {
    const given = textOf(own(pod.labels, podLabels.workload) ?? own(pod.labels, podLabels.app)).slice(0, 80);
    return { field: `metadata.labels['${podLabels.workload}']`, diagnostic: says.noWorkload({ given }) };
  }
  const forPod = podSettings(pod.annotations, settings);
  if (isFault(forPod)) return forPod;
  return { ...render(settings, forPod, `${namespace}/${name}`), podSettings: forPod, version: templateVersion(settings) };
}

/** Where a pod's sidecar or its volumes differ from what they are to be; null when it is as it came from the template. */
export function firstDifference(pod: Pod, { containers, volumes, version }: Wanted): string | null {
  const ours = pod.containers.filter(({ list, name }) => list === 'initContainers' && isContainerOfOurs(name));
  if (ours.length !== containers.length) return 'spec.initContainers';
  for (const [index, wanted] of containers.entries()) {
    const there = ours[index];
    if (there?.name !== wanted.name) return 'spec.initContainers';
    const different = sidecarDifference(wanted, there.fields, there.path);
    if (different !== null) return different;
  }
  for (const volume of volumes) {
    const found = pod.volumes.flatMap((one, index) => (own(one, 'name') === volume.name ? [index] : []));
    const [index] = found;
    if (index === undefined || found.length > 1) return 'spec.volumes';
    const place = difference(volume, pod.volumes[index], `spec.volumes[${index}]`);
    if (place !== null) return place;
  }
  return own(pod.annotations, podAnnotations.injected) === version ? null : `metadata.annotations['${podAnnotations.injected}']`;
}

/** Our annotation says that what has our names is ours: an older template's, or one that somebody edited. So does the exact sidecar without it. */
function isOurs(pod: Pod, wanted: Wanted): boolean {
  return (
    Object.hasOwn(pod.annotations, podAnnotations.injected) ||
    firstDifference(pod, wanted) === `metadata.annotations['${podAnnotations.injected}']`
  );
}

function patchFor(pod: Pod, wanted: Wanted): Injection {
  const different = firstDifference(pod, wanted);
  if (different === null) return { kind: 'unchanged' };
  const { containers, volumes, version } = wanted;
  const initContainers = pod.containers.filter(({ list }) => list === 'initContainers');
  const stale = initContainers.some(({ name }) => isContainerOfOurs(name));
  const patch: PatchOperation[] = [
    ...removals(
      '/spec/initContainers',
      initContainers.map(({ name }) => name),
      isContainerOfOurs,
    ),
    ...removals(
      '/spec/volumes',
      pod.volumes.map((volume) => textOf(own(volume, 'name'))),
      isVolumeOfOurs,
    ),
    // First: what comes after it, the pod's own init containers too, has the mesh already.
    ...(pod.has.initContainers
      ? containers.map((value, index): PatchOperation => ({ op: 'add', path: `/spec/initContainers/${index}`, value }))
      : [{ op: 'add', path: '/spec/initContainers', value: containers } as const]),
    ...(pod.has.volumes
      ? volumes.map((value): PatchOperation => ({ op: 'add', path: '/spec/volumes/-', value }))
      : [{ op: 'add', path: '/spec/volumes', value: volumes } as const]),
    pod.has.annotations
      ? { op: 'add', path: `/metadata/annotations/${escaped(podAnnotations.injected)}`, value: version }
      : { op: 'add', path: '/metadata/annotations', value: { [podAnnotations.injected]: version } },
  ];
  const warnings = [
    ...(stale ? [`meshwright: the sidecar in this pod was replaced: \`${different}\` is not what the template gives`] : []),
    ...(own(pod.spec, 'shareProcessNamespace') === true
      ? ['meshwright: with `shareProcessNamespace` the containers of this pod see the processes of its proxy']
      : []),
    ...(wanted.podSettings.capture
      ? pod.containers.filter(mayLeave).map(({ path }) => `meshwright: ${path} has rights to undo capture (\`privileged\`, or NET_ADMIN)`)
      : []),
  ];
  return { kind: 'patch', patch, warnings };
}

/** Whether a container that is not ours could take the rules of capture away again. */
function mayLeave({ name, list, fields }: Container): boolean {
  if (list === 'initContainers' && name === captureName) return false;
  const security = own(fields, 'securityContext');
  if (!isFields(security)) return false;
  const capabilities = own(security, 'capabilities');
  const added = isFields(capabilities) ? own(capabilities, 'add') : undefined;
  return (
    own(security, 'privileged') === true || (Array.isArray(added) && ['NET_ADMIN', 'ALL', 'SYS_ADMIN'].some((one) => added.includes(one)))
  );
}

/** From the end, so that an index means what it meant. */
function removals(list: string, names: readonly string[], isGone: (name: string) => boolean): readonly PatchOperation[] {
  return names
    .flatMap((name, index): readonly PatchOperation[] => (isGone(name) ? [{ op: 'remove', path: `${list}/${index}` }] : []))
    .reverse();
}

/** RFC 6901. */
const escaped = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1');

function refused(name: string, { namespace }: InjectionContext, fault: Fault): Injection {
  return { kind: 'refused', fault, message: lineOf(name, namespace, fault) };
}

/** `MW8103: Pod shop/front: spec.hostNetwork: <why>; <repair>` */
function lineOf(name: string, namespace: string, { field, diagnostic }: Fault): string {
  return `${diagnostic.code}: Pod ${namespace}/${name}: ${field}: ${diagnostic.message}; ${diagnostic.help ?? ''}`;
}
