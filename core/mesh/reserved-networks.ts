/**
 * Networks that are nowhere outside, or another for each machine (RFC 6890, RFC 4291): what it finds on itself, on its link, or of the cloud that it runs in. No
 * range of addresses takes them in by the way, no host is in one of the first kind, and none in any through a gateway, whose own they would be.
 */
import { canonicalNetwork, isInNetwork, isWithinNetwork } from '../lib/network';

interface ReservedNetwork {
  /** Canonical. */
  readonly network: string;
  /** `nowhere`: nothing there is outside. `machine`: services of the link and of the cloud, metadata and credentials among them. */
  readonly kind: 'nowhere' | 'machine';
  readonly what: string;
}

type Written = readonly [network: string, kind: ReservedNetwork['kind'], what: string];
const v4: readonly Written[] = [
  ['0.0.0.0/8', 'nowhere', 'it is no address of a machine'],
  ['127.0.0.0/8', 'nowhere', 'it is the machine itself, whichever asks'],
  ['224.0.0.0/4', 'nowhere', 'it is of many machines'],
  ['240.0.0.0/4', 'nowhere', "it is nobody's"],
  ['169.254.0.0/16', 'machine', 'it is of the link, where clouds hand out credentials'],
  ['100.100.100.200/32', 'machine', 'a cloud hands out credentials there'],
  ['168.63.129.16/32', 'machine', 'a cloud speaks to its machines there'],
];
const v6: readonly Written[] = [
  ['::/96', 'nowhere', 'it is the machine itself, none, or an IPv4 address in another spelling'],
  ['ff00::/8', 'nowhere', 'it is of many machines'],
  ['fe80::/10', 'machine', 'it is of the link'],
  ['fec0::/10', 'nowhere', "it is nobody's"],
  ['fd00:ec2::/32', 'machine', 'a cloud hands out credentials there'],
  ['fd20:ce::254/128', 'machine', 'a cloud hands out credentials there'],
];

/** What an IPv4 network is called by those who translate (RFC 6052 section 2.1) or wrap (RFC 3056) it. */
function inIpv6([network, kind, what]: Written): readonly Written[] {
  const [address = '', length = ''] = network.split('/');
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  const [high, low] = [(a * 256 + b).toString(16), (c * 256 + d).toString(16)];
  const again = `${what}, in another spelling`;
  return [
    [`64:ff9b::${high}:${low}/${96 + Number(length)}`, kind, again],
    [`2002:${high}:${low}::/${16 + Number(length)}`, kind, again],
  ];
}

export const reservedNetworks: readonly ReservedNetwork[] = [...v4, ...v6, ...v4.flatMap(inIpv6)].map(([network, kind, what]) => {
  const canonical = canonicalNetwork(network);
  if (canonical === null) throw new Error(`internal: ${network} is no network`);
  return { network: canonical, kind, what };
});

/** What an address is kept for; undefined where nothing is. */
export const reservedAt = (address: string): ReservedNetwork | undefined =>
  reservedNetworks.find(({ network }) => isInNetwork(address, network));
/** What all of a network is kept for. */
export const reservedAround = (narrow: string): ReservedNetwork | undefined =>
  reservedNetworks.find(({ network }) => isWithinNetwork(narrow, network));
