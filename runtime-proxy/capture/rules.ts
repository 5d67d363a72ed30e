/** The kernel's part of capture as one nftables ruleset: pure, and applied in one transaction. What each rule is for is in README.md beside this file. */
import { isIP } from 'node:net';

/** What is captured in a network namespace, and what is not. */
export interface CaptureRules {
  /** Where the proxy takes captured connections: ports of `Instance.capture`. */
  readonly inboundPort: number;
  readonly outboundPort: number;
  /** Whose connections are the proxy's own and go as they are: a user, a group, or either. At least one. */
  readonly uid?: number;
  readonly gid?: number;
  /** Ports on which callers reach this machine without the proxy: where the agent answers probes, ssh on a machine of its own. */
  readonly openInbound: readonly number[];
  /** Addresses whose port 53 the application asks by TCP without the proxy: its name servers. */
  readonly nameServers: readonly string[];
  /** Whether datagrams to others than the name servers are refused too; else UDP is not looked at. */
  readonly refuseUdp: boolean;
}

/** Nothing else on a machine has a table of this name. */
export const captureTable = 'inet meshwright_capture';

/** Why rules cannot be made of what is given; one line, null when they can. */
export function faultIn(rules: CaptureRules): string | null {
  const { inboundPort, outboundPort, uid, gid, openInbound, nameServers } = rules;
  if (uid === undefined && gid === undefined)
    return "without `--uid` or `--gid` the proxy's own connections would come back to it for ever: say which user or group it runs as";
  if (uid === 0 || gid === 0) return 'the proxy must not run as root, nor in its group: whatever else does would not be captured';
  if (inboundPort === outboundPort) return 'inbound and outbound need a port each';
  for (const port of [inboundPort, outboundPort, ...openInbound])
    if (!Number.isInteger(port) || port < 1 || port > 65_535) return `\`${port}\` is no port`;
  for (const id of [uid, gid])
    if (id !== undefined && (!Number.isInteger(id) || id < 0 || id > 4_294_967_294)) return `\`${id}\` is no user or group id`;
  const taken = openInbound.find((port) => port === inboundPort || port === outboundPort);
  if (taken !== undefined) return `port ${taken} is the proxy's own, and cannot be open beside it`;
  const name = nameServers.find((address) => isIP(address) === 0);
  return name === undefined ? null : `the name server \`${name}\` is not an IP address`;
}

/** The ruleset for `nft -f`: takes the place of an earlier one at once, so that there is no moment without. */
export function rulesetOf(rules: CaptureRules): string {
  const own = [
    ...(rules.uid === undefined ? [] : [`meta skuid ${rules.uid} goto own`]),
    ...(rules.gid === undefined ? [] : [`meta skgid ${rules.gid} goto own`]),
  ];
  const open = rules.openInbound.length === 0 ? [] : [`tcp dport ${set(rules.openInbound.map(String))} return`];
  return `${[
    `add table ${captureTable}`,
    `delete table ${captureTable}`,
    `table ${captureTable} {`,
    ...chain('inbound', 'type nat hook prerouting priority -100; policy accept;', [
      'fib daddr type != local return',
      ...open,
      `meta l4proto tcp redirect to :${rules.inboundPort}`,
    ]),
    ...chain('outbound', 'type nat hook output priority -100; policy accept;', [
      'meta l4proto != tcp return',
      ...own,
      'fib daddr type local return',
      ...toNameServers('tcp', rules.nameServers).map((match) => `${match} return`),
      `meta l4proto tcp redirect to :${rules.outboundPort}`,
    ]),
    ...chain('own', null, [
      'ip daddr 127.0.0.0/8 return',
      'ip6 daddr ::1 return',
      'fib daddr type != local return',
      ...open,
      `meta l4proto tcp redirect to :${rules.inboundPort}`,
    ]),
    ...chain('strays', 'type filter hook prerouting priority -150; policy accept;', ['meta l4proto tcp ct state invalid drop']),
    ...(rules.refuseUdp
      ? chain('datagrams', 'type filter hook output priority 0; policy accept;', [
          'meta l4proto != udp return',
          'fib daddr type local return',
          ...own.map((match) => match.replace('goto own', 'return')),
          ...toNameServers('udp', rules.nameServers).map((match) => `${match} return`),
          'reject',
        ])
      : []),
    '}',
  ].join('\n')}\n`;
}

/** The ruleset that takes capture away, whether it is there or not. */
export const removal = `add table ${captureTable}\ndelete table ${captureTable}\n`;

function chain(name: string, hook: string | null, rules: readonly string[]): readonly string[] {
  return [`  chain ${name} {`, ...[...(hook === null ? [] : [hook]), ...rules].map((line) => `    ${line}`), '  }'];
}
const set = (values: readonly string[]): string => `{ ${[...new Set(values)].join(', ')} }`;

function toNameServers(protocol: 'tcp' | 'udp', addresses: readonly string[]): readonly string[] {
  const of = (family: number): readonly string[] => addresses.filter((address) => isIP(address) === family);
  return [
    ...(of(4).length === 0 ? [] : [`ip daddr ${set(of(4))} ${protocol} dport 53`]),
    ...(of(6).length === 0 ? [] : [`ip6 daddr ${set(of(6))} ${protocol} dport 53`]),
  ];
}
