/** The validating side: whether a pod that must have a sidecar has it, unaltered, after all that changes pods has run. */
import { inject as says } from '../../core/diagnostics/inject';
import { workloadNameOf } from '../../core/mesh/pod';
import { conflict, mountTaken } from './conflicts';
import { difference } from './difference';
import { asksForSidecar, firstDifference, untouched, wantedFor, type InjectionContext } from './inject';
import { NotAPod, readPod, type Container, type Pod } from './pod';
import { isFault, userOf, type Fault } from './settings';
import { isContainerOfOurs } from './template';

export interface CheckContext extends InjectionContext {
  /** Whether policy declares the pod's workload as injected: then the pod may not do without. Of an update: whether it is of such a workload from now on. */
  readonly required: boolean;
}

/**
 * What is wrong with a pod's sidecar; null when nothing is. Give `old` on an update: a running pod may have the sidecar of an earlier template, and then
 * all that is asked is that nobody changes it.
 */
export function checkInjected(value: unknown, context: CheckContext, old?: unknown): Fault | null {
  if (untouched.includes(context.namespace)) return null;
  try {
    const pod = readPod(value);
    return old === undefined ? checkMade(pod, context) : checkChanged(pod, readPod(old), context);
  } catch (error) {
    if (error instanceof NotAPod) return { field: 'the object', diagnostic: says.notAPod({ reason: error.message }) };
    throw error;
  }
}

/**
 * Where the images of a pod's sidecar stand, as `checkInjected` has found them good: no rule of its workload is about those. Of what has the sidecar's names
 * in a pod that is made and asks for none, nothing was looked at.
 */
export function sidecarImages(value: unknown, context: InjectionContext, isUpdate: boolean): readonly string[] {
  if (untouched.includes(context.namespace)) return [];
  try {
    const pod = readPod(value);
    return isUpdate || asksForSidecar(pod, context) === true ? oursIn(pod).map(({ path }) => `${path}.image`) : [];
  } catch (error) {
    if (error instanceof NotAPod) return [];
    throw error;
  }
}

function checkMade(pod: Pod, context: CheckContext): Fault | null {
  const asked = asksForSidecar(pod, context);
  if (typeof asked === 'object') return asked;
  if (!asked) {
    return context.required ? notInjected(pod, context) : null;
  }
  const wanted = wantedFor(pod, context);
  if (isFault(wanted)) return wanted;
  const place = firstDifference(pod, wanted);
  return place === null
    ? conflict(pod, wanted.podSettings, true, userOf(context.settings))
    : { field: place, diagnostic: says.altered({}) };
}

function notInjected(pod: Pod, { namespace }: CheckContext): Fault {
  const workload = `${namespace}/${workloadNameOf(pod.labels) ?? '?'}`;
  return { field: 'spec.initContainers', diagnostic: says.notInjected({ workload }) };
}

/** Of a running pod's sidecar only the image can be changed at all; a container that comes later may not mount what is the sidecar's. */
function checkChanged(pod: Pod, old: Pod, context: CheckContext): Fault | null {
  if (context.required && oursIn(pod).length === 0) return notInjected(pod, context);
  for (const container of oursIn(old)) {
    const now = oursIn(pod).find(({ name }) => name === container.name);
    const place = difference(container.fields, now?.fields, now?.path ?? container.path);
    if (place !== null) return { field: place, diagnostic: says.altered({}) };
  }
  for (const container of pod.containers) {
    const faulty = oursIn(old).length > 0 && !isContainerOfOurs(container.name) ? mountTaken(container) : null;
    if (faulty !== null) return faulty;
  }
  return null;
}

const oursIn = (pod: Pod): readonly Container[] =>
  pod.containers.filter(({ list, name }) => list === 'initContainers' && isContainerOfOurs(name));
