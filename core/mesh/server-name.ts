import { nameOf, nameOfPort, namespaceOf, serviceOfPort, type PortKey } from './ids';

/**
 * The server name (RFC 6066 section 3) by which a proxy asks for the endpoints of a port, or of one version of it: `web.reviews.shop`,
 * `v2.web.reviews.shop`. Lower case, as a server name has none. The last three labels are port, service and namespace, none of which has a dot.
 */
export function serverNameOf(port: PortKey, version: string | null): string {
  const service = serviceOfPort(port);
  const name = `${nameOfPort(port)}.${nameOf(service)}.${namespaceOf(service)}`;
  return version === null ? name : `${version.toLowerCase()}.${name}`;
}

/** The route that answers 421 where a connection does not serve a host, and the virtual host of all that a connection does not serve. */
export const misdirectedName = 'meshwright.misdirected';
