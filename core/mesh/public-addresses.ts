/**
 * Addresses that lead into a network of one's own, to the machine itself, or to nobody: where a name that somebody else writes must not lead a proxy
 * (IANA: "IPv4 Special-Purpose Address Registry", "IPv6 Special-Purpose Address Registry"). Of IPv6 all but global unicast, RFC 4291 section 2.4.
 */
export const notPublic: readonly string[] = [
  '0.0.0.0/8', // this network (RFC 791)
  '10.0.0.0/8', // private (RFC 1918)
  '100.64.0.0/10', // shared with a carrier (RFC 6598); the metadata of some clouds
  '127.0.0.0/8', // the machine itself (RFC 1122)
  '168.63.129.16/32', // of a virtual machine's own platform (Microsoft: "What is IP address 168.63.129.16")
  '169.254.0.0/16', // of the link (RFC 3927); the metadata of most clouds
  '172.16.0.0/12', // private (RFC 1918)
  '192.0.0.0/24', // protocol assignments (RFC 6890); the metadata of some clouds
  '192.0.2.0/24', // documentation (RFC 5737)
  '192.31.196.0/24', // AS112 (RFC 7535)
  '192.52.193.0/24', // AMT (RFC 7450)
  '192.88.99.0/24', // 6to4 relays (RFC 7526)
  '192.168.0.0/16', // private (RFC 1918)
  '192.175.48.0/24', // AS112 (RFC 7534)
  '198.18.0.0/15', // benchmarks (RFC 2544)
  '198.51.100.0/24', // documentation (RFC 5737)
  '203.0.113.0/24', // documentation (RFC 5737)
  '224.0.0.0/4', // many machines (RFC 5771)
  '240.0.0.0/4', // reserved, and broadcast (RFC 1112, RFC 919)
  '::/3', // the machine itself, IPv4 in other spellings (mapped, NAT64), discard
  '2001::/23', // protocol assignments, Teredo among them (RFC 2928)
  '2001:db8::/32', // documentation (RFC 3849)
  '2002::/16', // IPv4 addresses in another spelling (6to4, RFC 3056)
  '2620:4f:8000::/48', // AS112 (RFC 7534)
  '3fff::/20', // documentation (RFC 9637)
  '4000::/2', // not given out
  '8000::/1', // unique local (RFC 4193), of the link, many machines, and not given out
];
