/** What of a pod stands in the way of its sidecar: names and ports that the sidecar needs, and mounts of what only it may see. */
import { inject } from '../../core/diagnostics/inject';
import { agentHealthPort, podAnnotations } from '../../core/mesh/pod';
import { isVolumeOfOurs, sidecarName } from './template';
import { listAt, own, textOf, type Container, type Pod } from './pod';
import type { Fault, PodSettings } from './settings';

/** The first conflict, null when there is none. `isOurs`: whether what has our names is ours, so that it is no conflict. */
export function conflict(pod: Pod, settings: PodSettings, isOurs: boolean): Fault | null {
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
    const named = container.name === sidecarName;
    if (named && isOurs && container.list === 'initContainers') continue;
    if (named) return taken(`${container.path}.name`, `\`${sidecarName}\``, 'the sidecar', 'name the container otherwise');
    const found = portTaken(container, settings) ?? mountTaken(container);
    if (found !== null) return found;
  }
  return null;
}

function portTaken({ path, fields }: Container, { outbound }: PodSettings): Fault | null {
  for (const [index, port] of listAt(own(fields, 'ports'), `${path}.ports`).entries()) {
    const number = own(port, 'containerPort');
    const field = `${path}.ports[${index}].containerPort`;
    if ((own(port, 'protocol') ?? 'TCP') !== 'TCP') continue;
    if (number === agentHealthPort)
      return taken(field, `port ${agentHealthPort}`, "the agent's probes", 'have the application listen on another port');
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
