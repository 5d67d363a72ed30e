/** Networks by address and prefix length (RFC 4632, RFC 4291), in one spelling each. An IPv4 address that came as IPv6 (`::ffff:192.0.2.1`, `::ffff:c000:201`) is the IPv4 address. */

interface Network {
  readonly bytes: readonly number[];
  readonly bits: number;
}

/** `10.1.2.3/8` -> `10.0.0.0/8`; IPv6 in eight groups. null: it is no network. */
export function canonicalNetwork(text: string): string | null {
  const network = parseNetwork(text);
  if (!network) return null;
  const { bytes, bits } = network;
  const masked = bytes.map((byte, index) => byte & maskOf(bits, index));
  return `${textOf(masked)}/${bits}`;
}
/** Whether an address lies in a network; an address that is none lies in nothing. */
export function isInNetwork(address: string, network: string): boolean {
  const [bytes, wide] = [parseAddress(address), parseNetwork(network)];
  return bytes !== null && wide !== null && covers(wide, bytes);
}
/** Whether every address of `narrow` is one of `wide`. */
export function isWithinNetwork(narrow: string, wide: string): boolean {
  const [inner, outer] = [parseNetwork(narrow), parseNetwork(wide)];
  return inner !== null && outer !== null && inner.bits >= outer.bits && covers(outer, inner.bytes);
}
/** Whether the addresses of IPv4, as they come where IPv6 is spoken, lie within what is written for a network of IPv6; to nobody here do they lie in it. */
export function holdsMapped(network: string): boolean {
  const found = parseNetwork(network);
  return found?.bytes.length === 16 && found.bits < 96 && covers(found, mappedBytes([0, 0, 0, 0]));
}
/**
 * Of many networks those that one lies in, itself among them, from the widest to the narrowest, without a look at each: thousands of ranges and of addresses are
 * not compared one with one. What is no network is none; of one that is given in two spellings the last is answered.
 */
export function networksAround(networks: Iterable<string>): (narrow: string) => readonly string[] {
  const known = new Map<string, string>();
  const lengths = new Map<number, Set<number>>();
  for (const network of networks) {
    const found = parseNetwork(network);
    if (!found) continue;
    known.set(maskedText(found.bytes, found.bits), network);
    const ofFamily = lengths.get(found.bytes.length);
    if (ofFamily) ofFamily.add(found.bits);
    else lengths.set(found.bytes.length, new Set([found.bits]));
  }
  const ascending = new Map([...lengths].map(([family, of]) => [family, [...of].sort((a, b) => a - b)] as const));
  return (narrow) => {
    const inner = parseNetwork(narrow);
    if (!inner) return [];
    return (ascending.get(inner.bytes.length) ?? []).flatMap((bits) =>
      bits > inner.bits ? [] : (known.get(maskedText(inner.bytes, bits)) ?? []),
    );
  };
}
/** The addresses of a network of IPv4 as they come where IPv6 is spoken; null: it is one of IPv6. */
export function mappedNetwork(network: string): string | null {
  const found = parseNetwork(network);
  return found?.bytes.length === 4 ? `${groups(mappedBytes(found.bytes))}/${96 + found.bits}` : null;
}
/** A network as Envoy reads it (envoy.config.core.v3.CidrRange), in the spelling that it is given in. */
export function cidrRange(network: string): { readonly addressPrefix: string; readonly prefixLen: number } {
  const [addressPrefix = '', length] = network.split('/');
  return { addressPrefix, prefixLen: Number(length) };
}
/** The limited broadcast address (RFC 919), from which and to which there is no connection: what is matched by it takes nothing. */
export const nowhere = cidrRange('255.255.255.255/32');
/** How many leading bits the addresses of a network share; -1 for what is none. */
export const prefixLength = (network: string): number => parseNetwork(network)?.bits ?? -1;
/** The network of one address alone; null: it is no address. */
export const networkOf = (address: string): string | null => {
  const bytes = parseAddress(address);
  return bytes && `${textOf(bytes)}/${8 * bytes.length}`;
};
/** The addresses where a network begins and ends, and those right before and after it, where there are any. */
export function edgesOf(network: string): readonly string[] {
  const parsed = parseNetwork(network);
  if (!parsed) return [];
  const wide = 8 * parsed.bytes.length;
  const first = parsed.bytes.reduce((sum, byte, index) => sum * 256n + BigInt(byte & maskOf(parsed.bits, index)), 0n);
  const size = 1n << BigInt(wide - parsed.bits);
  return [...new Set([first - 1n, first, first + size - 1n, first + size])]
    .filter((value) => value >= 0n && value < 1n << BigInt(wide))
    .map((value) => textOf(Array.from({ length: wide / 8 }, (_, index) => Number((value >> BigInt(wide - 8 - 8 * index)) & 0xffn))));
}
/** An address of it. */
export const addressIn = (network: string): string => network.replace(/\/.*$/, '');

const covers = ({ bytes, bits }: Network, address: readonly number[]): boolean =>
  address.length === bytes.length &&
  bytes.every((byte, index) => (byte & maskOf(bits, index)) === ((address[index] ?? 0) & maskOf(bits, index)));
const maskOf = (bits: number, index: number): number => (0xff << (8 - Math.min(8, Math.max(0, bits - 8 * index)))) & 0xff;
const maskedText = (bytes: readonly number[], bits: number): string =>
  `${bytes.map((byte, index) => byte & maskOf(bits, index)).join('.')}/${bits}`;
const textOf = (bytes: readonly number[]): string => (bytes.length === 4 ? bytes.join('.') : groups(bytes));
const groups = (bytes: readonly number[]): string =>
  [0, 2, 4, 6, 8, 10, 12, 14].map((at) => ((bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0)).toString(16)).join(':');

function parseNetwork(text: string): Network | null {
  const [, address = '', length = ''] = /^([^/]+)\/([0-9]{1,3})$/.exec(text) ?? [];
  const bytes = parseBytes(address);
  const bits = Number(length);
  if (bytes === null || bits > 8 * bytes.length || length === '') return null;
  if (isMapped(bytes) && bits >= 96) return { bytes: bytes.slice(12), bits: bits - 96 };
  // who writes an IPv4 address so means no network around all of them
  return address.includes('.') && bytes.length === 16 ? null : { bytes, bits };
}

function parseAddress(text: string): readonly number[] | null {
  const bytes = parseBytes(text);
  return bytes && isMapped(bytes) ? bytes.slice(12) : bytes;
}
/** RFC 4291 section 2.5.5.2. */
const mappedBytes = (four: readonly number[]): readonly number[] => [...Array.from({ length: 10 }, () => 0), 0xff, 0xff, ...four];
const isMapped = (bytes: readonly number[]): boolean =>
  bytes.length === 16 && bytes.slice(0, 12).every((byte, index) => byte === (index < 10 ? 0 : 0xff));

/** As it is spelled: four bytes, or sixteen. */
function parseBytes(text: string): readonly number[] | null {
  const four = /^([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})$/.exec(text);
  if (four) {
    const bytes = four.slice(1).map(Number);
    return bytes.every((byte) => byte < 256) ? bytes : null;
  }
  const mapped = /^::ffff:([0-9.]+)$/i.exec(text)?.[1];
  if (mapped !== undefined && mapped.includes('.')) {
    const bytes = parseBytes(mapped);
    return bytes && mappedBytes(bytes);
  }
  if (!/^[0-9a-f:]+$/i.test(text) || text.includes(':::')) return null;
  const halves = text.split('::').map((half) => (half === '' ? [] : half.split(':')));
  const [head = [], tail = []] = halves;
  const missing = 8 - head.length - tail.length;
  if (halves.length > 2 || (halves.length === 2 ? missing < 1 : missing !== 0)) return null;
  const all = [...head, ...Array.from({ length: missing }, () => '0'), ...tail];
  if (!all.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return null;
  return all.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]);
}
