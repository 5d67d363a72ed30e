import { applyCapture } from './apply';
import { faultIn, rulesetOf, type CaptureRules } from './rules';

const rules: CaptureRules = {
  inboundPort: 15006,
  outboundPort: 15005,
  uid: 15021,
  openInbound: [15021],
  nameServers: ['10.96.0.10', 'fd00::a'],
  refuseUdp: false,
};

test('one transaction that takes the place of an earlier one', () => {
  const text = rulesetOf(rules);
  expect(text.split('\n').slice(0, 3)).toEqual([
    'add table inet meshwright_capture',
    'delete table inet meshwright_capture',
    'table inet meshwright_capture {',
  ]);
  expect(text).toContain('ip daddr { 10.96.0.10 } tcp dport 53 return');
  expect(text).toContain('ip6 daddr { fd00::a } tcp dport 53 return');
  expect(text).not.toContain('udp');
  expect(rulesetOf({ ...rules, refuseUdp: true })).toContain('ip daddr { 10.96.0.10 } udp dport 53 return');
});
test("the proxy's own connections are told apart before anything is redirected", () => {
  const [, outbound = ''] = rulesetOf({ ...rules, gid: 7 }).split('chain outbound');
  expect(outbound.indexOf('meta skuid 15021 goto own')).toBeLessThan(outbound.indexOf('redirect'));
  expect(outbound.indexOf('meta skgid 7 goto own')).toBeLessThan(outbound.indexOf('redirect'));
});
test.each<readonly [Partial<CaptureRules>, string]>([
  [{ uid: 0 }, 'must not run as root'],
  [{ gid: 0 }, 'nor in its group'],
  [{ outboundPort: 15006 }, 'a port each'],
  [{ openInbound: [0] }, '`0` is no port'],
  [{ openInbound: [15005] }, "the proxy's own"],
  [{ uid: 4_294_967_295 }, 'no user or group id'],
  [{ nameServers: ['dns.example; flush ruleset'] }, 'is not an IP address'],
])('refuses %j', (change, why) => {
  expect(faultIn({ ...rules, ...change })).toContain(why);
});
test('without user and group nothing tells the proxy apart', () => {
  const { uid: _uid, ...nobody } = rules;
  expect(faultIn(nobody)).toContain('--uid');
});
test('a machine without the program is told in one line what to install', async () => {
  await expect(applyCapture(rules, '/nonexistent/nft')).rejects.toThrow('install the package `nftables`');
});
