/**
 * Ranges of addresses outside, for generated meshes: wherever a captured application dials, the chains that its proxy has let it in where the definition does. A
 * chain is found here as Envoy finds one: by number, then by the narrowest prefix, then by the source.
 */
import { emitEnvoy } from '../../compiler/emit/envoy';
import { lower } from '../../compiler/lower';
import type { DeclarationValue } from '../../core/declarations/declaration';
import type { JsonObject } from '../../core/lib/json';
import { edgesOf, isInNetwork } from '../../core/lib/network';
import { portKey, workloadKey } from '../../core/mesh/ids';
import { reservedNetworks } from '../../core/mesh/reserved-networks';
import { decideDialled } from '../../core/semantics/decide-connection';
import { bindOutbound, unbind } from '../../runtime-proxy/bind/bind';
import { addressesOfMesh } from '../../runtime-proxy/bind/ranges';
import type { Instance, Inventory } from '../../runtime-proxy/inventory';
import { canonicalJson } from '../../core/lib/json';
import { evaluatedWith, named } from '../kit/declarations';
import { present } from '../kit/present';
import { type Random, seeded } from '../kit/random';

const page = workloadKey('bookinfo', 'productpage');
const captured: Instance = {
  ...{ id: 'page-1', workload: page, app: {}, inbound: { web: { host: '10.0.0.4', port: 9080 } } },
  capture: { inbound: { host: '0.0.0.0', port: 15_006 }, outbound: { host: '127.0.0.1', port: 15_005 } },
};
const inventory: Inventory = {
  instances: [captured, { ...captured, id: 'page-2', inbound: { web: { host: '2001:db8::4', port: 9080 } } }],
  virtual: { [portKey(workloadKey('bookinfo', 'reviews'), 'web')]: [{ host: '10.1.0.1', port: 80 }] },
};

/** Ranges that lie in each other, hosts among them, of which the page may call some, and is denied some. */
function declarations(random: Random): { readonly [id: string]: DeclarationValue } {
  const made: { [id: string]: DeclarationValue } = {};
  const [roots, taken] = [
    ['0.0.0.0/0', '10.0.0.0/8', '10.0.0.0/29', '10.1.0.0/16', '169.0.0.0/8', '::/0', '2001:db8::/32', '2001:db8::/125'],
    new Set<string>(),
  ];
  for (let index = 0; index < 6; index += 1) {
    const name = `x${index}`;
    const number = [5432, 5433][random.below(2)] ?? 5432;
    const where = [...new Set([roots[random.below(roots.length)] ?? '', roots[random.below(roots.length)] ?? ''])].filter(
      (range) => !taken.has(`${range} ${number}`),
    );
    const common = { kind: 'external', name, team: 'books', ports: { it: { protocol: 'tcp', number } } } as const;
    const host = `10.0.0.${random.below(8)}`;
    if (where.length > 0 && random.below(4) > 0) made[`books/${name}`] = { ...common, addresses: where };
    else if (!taken.has(host)) made[`books/${name}`] = { ...common, hosts: [host] };
    else continue;
    for (const range of where) taken.add(`${range} ${number}`);
    taken.add(host);
    const rule = { port: { ref: `books/${name}`, port: 'it' }, from: [named('books/productpage')], requests: 'any', because: 'x' } as const;
    if (random.below(3) > 0) made[`books/${name}In`] = { kind: 'access', action: 'allow', ...rule };
    if (random.below(4) === 0) made[`books/${name}Out`] = { kind: 'access', action: 'deny', ...rule };
  }
  return made;
}

interface Chain {
  readonly filters?: readonly unknown[];
  readonly filterChainMatch?: {
    readonly destinationPort?: number;
    readonly prefixRanges?: readonly { readonly addressPrefix: string; readonly prefixLen: number }[];
    readonly sourcePrefixRanges?: readonly unknown[];
  };
}
/** Whether a connection finds a chain that takes it. */
function finds(listeners: readonly JsonObject[], address: string, number: number): boolean {
  const at = (listener: JsonObject): boolean => {
    const { address: own } = JSON.parse(JSON.stringify(listener)) as {
      readonly address: { readonly socketAddress: { readonly address: string; readonly portValue: number } };
    };
    return own.socketAddress.address === address && own.socketAddress.portValue === number;
  };
  if (listeners.some(at)) return true;
  const receiver: { readonly filterChains: readonly Chain[] } = JSON.parse(
    JSON.stringify(present(listeners.find(({ name }) => name === 'capture/outbound'))),
  );
  const here = receiver.filterChains.flatMap(({ filterChainMatch: match, filters = [] }) =>
    match?.destinationPort === number
      ? (match.prefixRanges ?? [])
          .filter(({ addressPrefix, prefixLen }) => isInNetwork(address, `${addressPrefix}/${prefixLen}`))
          .map(({ prefixLen }) => ({ prefixLen, takes: match.sourcePrefixRanges === undefined && filters.length > 0 }))
      : [],
  );
  return here.sort((a, b) => b.prefixLen - a.prefixLen)[0]?.takes ?? false;
}

test('what is dialled is let in as the definition says, the addresses of the mesh apart', () => {
  const seen = { allow: 0, deny: 0, mesh: 0 };
  for (let seed = 1; seed <= 8; seed += 1) {
    const { value: ir, diagnostics } = lower(evaluatedWith(declarations(seeded(seed))), 'prod');
    if (!ir) throw new Error(`${seed}: ${JSON.stringify(diagnostics)}`);
    const { services, proxies } = present(emitEnvoy(ir).value);
    const proxy = present(proxies.find(({ spec }) => spec.workload === page));
    const own = services.filter(({ metadata }) => proxy.spec.outbound.services.includes(`${metadata.namespace}/${metadata.name}`));
    const bound = bindOutbound(proxy, own, captured, [], inventory.virtual, addressesOfMesh(inventory)).listeners;
    const listeners = bound.map(({ json }) => json);
    const networks = [
      ...ir.services.flatMap(({ outside }) => [...(outside?.addresses ?? []), ...(outside?.hosts ?? []).map((one) => `${one}/32`)]),
      ...reservedNetworks.map(({ network }) => network),
    ];
    const ofMesh = ['10.0.0.4', '2001:db8:0:0:0:0:0:4', '10.1.0.1'];
    const wrong: (readonly [string, number])[] = [];
    for (const number of [5432, 5433, 5434])
      for (const address of [...new Set([...networks.flatMap(edgesOf), ...ofMesh])]) {
        const { outcome } = decideDialled(ir, { from: page, address, number });
        const host = ir.services.some(
          ({ outside, ports }) => outside?.hosts.includes(address) && ports.some((port) => port.number === number),
        );
        const mesh = ofMesh.includes(address) && !host;
        seen[mesh ? 'mesh' : outcome === 'allow' ? 'allow' : 'deny'] += 1;
        // a listener of a host that denies has no chain that takes anything
        if (host) continue;
        if (finds(listeners, address, number) !== (!mesh && outcome === 'allow')) wrong.push([address, number]);
      }
    expect([seed, wrong]).toEqual([seed, []]);
    // Envoy refuses a listener with two chains for one thing
    const chains: readonly Chain[] = JSON.parse(JSON.stringify(listeners)).flatMap(
      ({ filterChains = [] }: { filterChains?: Chain[] }) => filterChains,
    );
    const prefixes = chains.flatMap(({ filterChainMatch: match }) =>
      (match?.destinationPort === undefined ? [] : (match.prefixRanges ?? [])).map(
        (prefix) => `${match?.destinationPort} ${JSON.stringify(prefix)}`,
      ),
    );
    expect(prefixes).toHaveLength(new Set(prefixes).size);
    const signed = new Map(
      [...proxy.spec.outbound.listeners, ...own.flatMap(({ spec }) => spec.listeners ?? [])].map((one) => [one['name'], one]),
    );
    for (const one of bound) {
      const json = unbind(one);
      expect(canonicalJson(json)).toBe(canonicalJson(present(signed.get(json['name']))));
    }
  }
  expect(Object.values(seen).every((count) => count > 10)).toBe(true);
});
