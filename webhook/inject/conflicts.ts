/** What of a pod stands in the way of its sidecar: names and ports that the sidecar needs, and mounts of what only it may see. */
import { inject } from '../../core/diagnostics/inject';
import { agentHealthPort, podAnnotations, podCapture } from '../../core/mesh/pod';
import { captureName, isContainerOfOurs, isVolumeOfOurs } from './template';
import { isFields, listAt, own, textOf, type Container, type Fields, type Pod } from './pod';
import type { Fault, PodSettings } from './settings';

/** The first conflict, null when there is none. `isOurs`: whether what has our names is ours, so that it is no conflict. `user`: whom the sidecar runs as. */
export function conflict(pod: Pod, settings: PodSettings, isOurs: boolean, user: number): Fault | null {
  for (const field of ['hostNetwork', 'hostPID', 'hostIPC'] as const)
    if (own(pod.spec, field) === true) return { field: `spec.${field}`, diagnostic: inject.hostNamespace({ what: `\`${field}\`` }) };
  if (!isOurs)
    for (const [index, volume] of pod.volumes.entries())
      if (isVolumeOfOurs(own(volume, 'name')))
        return taken(
          `spec.volumes[${index}].name`,
          `\`${textOf(own(volume, 'name'))}\``,
          'a volume of the sidecar',
          'name the volume otherwise',
        );
  for (const container of pod.containers) {
    const named = isContainerOfOurs(container.name);
    if (named && isOurs && container.list === 'initContainers') continue;
    if (named)
      return taken(
        `${container.path}.name`,
        `\`${container.name}\``,
        container.name === captureName ? 'what captures connections' : 'the sidecar',
        'name the container otherwise',
      );
    const found = portTaken(container, settings) ?? mountTaken(container) ?? (settings.capture ? userTaken(pod, container, user) : null);
    if (found !== null) return found;
  }
  return null;
}

/** Whose connections are not captured is told by the user: an application of the same one would not be either. */
function userTaken(pod: Pod, { path, fields }: Container, user: number): Fault | null {
  const at = (of: Fields, place: string): string | null => {
    const security = own(of, 'securityContext');
    if (!isFields(security)) return null;
    return own(security, 'runAsUser') === user ? `${place}.securityContext.runAsUser` : null;
  };
  const stated = isFields(own(fields, 'securityContext')) && own(Object(own(fields, 'securityContext')), 'runAsUser') !== undefined;
  const field = stated ? at(fields, path) : at(pod.spec, 'spec');
  return field === null
    ? null
    : taken(field, `user ${user}`, 'the proxy, whose connections are not captured', 'run the application as another user');
}

function portTaken({ path, fields }: Container, { outbound, capture }: PodSettings): Fault | null {
  for (const [index, port] of listAt(own(fields, 'ports'), `${path}.ports`).entries()) {
    const number = own(port, 'containerPort');
    const field = `${path}.ports[${index}].containerPort`;
    if ((own(port, 'protocol') ?? 'TCP') !== 'TCP') continue;
    if (number === agentHealthPort)
      return taken(field, `port ${agentHealthPort}`, "the agent's probes", 'have the application listen on another port');
    if (capture && (number === podCapture.inboundPort || number === podCapture.outboundPort))
      return taken(field, `port ${String(number)}`, 'captured connections', 'have the application listen on another port');
    if (outbound !== null && number === outbound.port)
      return taken(
        field,
        `port ${outbound.port}`,
        "the proxy's outbound listener",
        `have the application listen on another port, or move the listener by the annotation \`${podAnnotations.outbound}\``,
      );
  }
  return null;
}

/** A container that mounts the sidecar's folders reaches the workload's key. */
export function mountTaken({ path, fields }: Container): Fault | null {
  for (const [index, mount] of listAt(own(fields, 'volumeMounts'), `${path}.volumeMounts`).entries())
    if (isVolumeOfOurs(own(mount, 'name')))
      return taken(
        `${path}.volumeMounts[${index}].name`,
        `\`${textOf(own(mount, 'name'))}\``,
        'the sidecar alone',
        'mount a volume of your own',
      );
  return null;
}

const taken = (field: string, what: string, use: string, repair: string): Fault => ({
  field,
  diagnostic: inject.taken({ what, use, repair }),
});
