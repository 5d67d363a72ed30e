/** Names outside the mesh that come to be a port's or cease to be, by its own word or since somebody names them closer: what a comparison asks of them. */
import type { MeshIr, Service } from '../ir/ir';
import { isHttp } from '../ir/layers';
import { portIn } from '../ir/lookup';
import { sortedUnique } from '../lib/order';
import type { PortKey } from '../mesh/ids';
import { isAddressed, isWildcard, namedCloser } from './address';
import type { Probe } from './probes';

/** What of the mesh says which names outside are a service's: itself, and under a wildcard all that may be named closer. */
export function saidOfNames(ir: MeshIr, service: Service): readonly Service[] {
  const wild = service.outside?.hosts.some(isWildcard) === true;
  return wild ? ir.services.filter(({ key, outside }) => key === service.key || outside !== undefined) : [service];
}

/** As an application says a host outside, with the number: without, a name is of one port at most. */
export function withNumbers(ir: MeshIr, key: PortKey, probes: readonly Probe[]): readonly Probe[] {
  const found = portIn(ir, key);
  if (found?.service.outside === undefined) return probes;
  const { number } = found.port;
  return probes.map((probe): Probe => {
    const host = probe.headers['host'];
    return host === undefined || host.includes(':') ? probe : { ...probe, headers: { ...probe.headers, host: `${host}:${number}` } };
  });
}

/** Each of these probes that says nothing but a path, of each name that is a port's in one of two meshes and not in the other. Of a port that one of them does not have, none. */
export function probesOfNames(before: MeshIr | null, after: MeshIr, key: PortKey, probes: readonly Probe[]): readonly Probe[] {
  if (before === null) return [];
  const names = namesOf(before, after, key).filter((name) => isOf(before, key, name) !== isOf(after, key, name));
  const plain = probes.filter(({ headers, claims }) => Object.keys(headers).length === 0 && claims === undefined);
  return names
    .slice(0, mostNames)
    .flatMap((host) => plain.map((probe): Probe => ({ ...probe, text: `${probe.text} at ${host}`, headers: { host } })));
}
const mostNames = 50;

/** Example names, with the number: a host as it is, a wildcard by a name under it. */
function namesOf(before: MeshIr, after: MeshIr, key: PortKey): readonly string[] {
  const [was, is] = [portIn(before, key), portIn(after, key)];
  if (was === null || is === null) return [];
  const hosts = [...knownOutside(before, was.service), ...knownOutside(after, is.service)];
  return sortedUnique(hosts.map((host) => `${host.replace(/^\*/, 'any')}:${is.port.number}`));
}
function knownOutside({ services }: MeshIr, service: Service): readonly string[] {
  return service.outside ? [...service.outside.hosts, ...namedCloser(services, service)] : [];
}

function isOf(ir: MeshIr, key: PortKey, name: string): boolean {
  const found = portIn(ir, key);
  return found !== null && isHttp(found.port.layer) && isAddressed(ir, found.service, found.port, null, name);
}
