import { networkInterfaces } from 'node:os';

/**
 * An address of this machine that is not loopback: Kubernetes refuses loopback in EndpointSlices ("may not be in the loopback range"), so whatever stands for
 * pods beside a real API server listens on this one, each on ports of its own. Throws one line when the machine has none.
 */
export function hostAddress(): string {
  const found = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .find(({ family, internal, address }) => family === 'IPv4' && !internal && !address.startsWith('169.254.'));
  if (!found)
    throw new Error(
      'this machine has no IPv4 address but loopback, and Kubernetes takes none of those for a pod: bring up a network interface, a dummy one will do',
    );
  return found.address;
}
