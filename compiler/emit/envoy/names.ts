/** The names that Envoy's resources carry on the wire. core/bundle/objects.ts and the README of this folder have the list. */
import { digestOf, shortDigest } from '../../../core/lib/digest';
import {
  type PortKey,
  nameOf,
  nameOfPort,
  namespaceOf,
  outsideNamespace,
  portKey,
  serviceOfPort,
  type WorkloadKey,
} from '../../../core/mesh/ids';

export const inboundListener = (port: PortKey): string => `inbound/${port}`;
export const outboundListener = 'outbound';
/** Where a workload's application opens connections to a port (or to one broker of it); also the symbol of its address. */
export const connectionListener = (port: PortKey, broker: string | null): string => `outbound/${clusterName(port, broker)}`;
export const gatewayListener = (listener: string): string => `gateway/${listener}`;
/** `host` null: the routes of all hosts of a listener without TLS. */
export const gatewayRoutes = (listener: string, host: string | null): string =>
  host === null ? gatewayListener(listener) : `gateway/${listener}/${host}`;
/** The one listener of an east-west gateway. */
export const eastWestListener = 'east-west';
/** An exported port, or a version of it, as the gateways of its network reach it. */
export const acrossCluster = (port: PortKey, version: string | null): string => `across/${clusterName(port, version)}`;
/** `reviews.web+across`: no caller has a name without a dot. */
export const acrossConfigName = (port: PortKey): string => `${serviceConfigName(port, null)}+across`;
export const appCluster = (port: PortKey): string => `app/${nameOfPort(port)}`;
export const clusterName = (port: PortKey, version: string | null): string => (version === null ? port : `${port}|${version}`);
/** The cluster of a caller whose retry budget is smaller than the owner's. */
export const variantCluster = (cluster: string, caller: WorkloadKey): string => `${cluster}+${namespaceOf(caller)}.${nameOf(caller)}`;
/** `reviews.web`, or `reviews.web+bookinfo.productpage` for a caller that is stricter than the owner. */
export const serviceConfigName = (port: PortKey, variantFor: WorkloadKey | null): string =>
  `${nameOf(serviceOfPort(port))}.${nameOfPort(port)}${variantFor === null ? '' : `+${namespaceOf(variantFor)}.${nameOf(variantFor)}`}`;
/** `outside.stripe.api+bookinfo.details`, in the caller's namespace: a service there may be called `stripe` too, and three parts are nobody else's. */
export const outsideConfigName = (port: PortKey, caller: WorkloadKey): string => `${outsideNamespace}.${serviceConfigName(port, caller)}`;

/** What a gateway's one way out is called, as a port of it: the name of its address in an inventory, and of the port of its Service. */
export const egressName = 'egress';
export const egressPort = (gateway: WorkloadKey): PortKey => portKey(gateway, egressName);
/** The name that a caller's proxy asks a gateway for: of a port, or of one host of it where nobody reads what is in a connection. */
export const egressServerName = (port: PortKey, host: string | null): string => {
  const service = serviceOfPort(port);
  const name = `${nameOfPort(port)}.${nameOf(service)}.${namespaceOf(service)}`;
  return host === null ? name : `${shortDigest(digestOf(host))}.${name}`;
};

/** Where the control plane puts an instance's own address. */
export const bindAddress = 'meshwright.bind';
/** What the agent serves by SDS. */
export const sdsWorkload = 'workload';
export const sdsTrust = 'trust';
export const sdsCertificate = (certificate: string): string => `certificate/${certificate}`;
/** What a host outside the mesh is verified against. */
export const sdsAuthorities = (trust: string | null): string => `authorities/${trust ?? 'system'}`;
export const agentCluster = 'agent';
/** Where the agent answers with the keys of issuers, whatever host is asked for. */
export const keysCluster = 'keys';

export const guardFilter = 'meshwright.guard';
export const denyFilter = 'meshwright.access.deny';
export const allowFilter = 'meshwright.access.allow';

/** Names of RBAC policies that no user wrote. */
export const notCanonical = 'meshwright.not-canonical';
export const noHost = 'meshwright.no-host';
export const notCallable = 'meshwright.not-callable';
export const noRulesYet = 'meshwright.no-rules-yet';
/** What the log and the body of a 403 name when no rule allows. */
export const defaultDeny = (port: PortKey): string => `${port}/default-deny`;
