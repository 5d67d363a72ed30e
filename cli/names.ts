/** Workloads, ports and hosts by the names people type, with a near miss named. */
import type { MeshIr, ServicePort, Workload } from '../core/ir/ir';
import { nameOf, namespaceOf } from '../core/mesh/ids';
import { hostsOfPort, isAddressed } from '../core/semantics/address';
import { suggest } from '../core/lib/suggest';
import { UsageError } from './command';

/** `bookinfo/productpage`, `productpage.bookinfo`, `productpage` where only one has the name, or a SPIFFE ID. */
export function findWorkload(ir: MeshIr, text: string): Workload {
  const matches = ir.workloads.filter(
    ({ key, principal, id }) =>
      key === text || principal === text || id === text || nameOf(key) === text || `${nameOf(key)}.${namespaceOf(key)}` === text,
  );
  return only(
    matches,
    (workload) => workload.key,
    text,
    'workload',
    ir.workloads.flatMap(({ key }) => [key, nameOf(key)]),
  );
}

/** `reviews.bookinfo:9080`, `bookinfo/reviews.web`, `bookinfo/reviews:9080`, `reviews:9080`, `reviews:web`, or `reviews` where it has one port. */
export function findPort(ir: MeshIr, text: string): ServicePort {
  const ports = ir.services.flatMap((service) => service.ports.map((port) => ({ port, service })));
  const names = ({ port, service }: (typeof ports)[number]): readonly string[] => {
    const hosts = [
      service.key,
      nameOf(service.key),
      `${nameOf(service.key)}.${namespaceOf(service.key)}`,
      `${nameOf(service.key)}.${namespaceOf(service.key)}.svc.cluster.local`,
    ];
    if (service.outside) return [port.key, `${nameOf(service.key)}:${port.name}`, ...hostsOfPort(service, port, null)];
    return [
      port.key,
      ...hosts.flatMap((host) => [`${host}:${port.number}`, `${host}:${port.name}`, ...(service.ports.length === 1 ? [host] : [])]),
    ];
  };
  const named = ports.filter((one) => names(one).includes(text));
  const matches = named.length > 0 ? named : ports.filter(({ port, service }) => isAddressed(ir, service, port, null, text.toLowerCase()));
  return only(matches, ({ port }) => port.key, text, 'service port', ports.flatMap(names)).port;
}

function only<T>(matches: readonly T[], nameIt: (one: T) => string, text: string, noun: string, known: readonly string[]): T {
  const [first, second] = matches;
  if (first !== undefined && second === undefined) return first;
  if (first !== undefined) throw new UsageError(`\`${text}\` may be ${matches.map((one) => `\`${nameIt(one)}\``).join(' or ')}: say which`);
  const near = suggest(text, known);
  throw new UsageError(`there is no ${noun} \`${text}\`${near === undefined ? '' : `; did you mean \`${near}\`?`}`);
}
