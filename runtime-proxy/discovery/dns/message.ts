/**
 * DNS messages, as far as discovery asks: one question of class IN, answers of types A, AAAA, SRV and CNAME (RFC 1035, 2782, 3596), the negative TTL of a SOA
 * (RFC 2308). A response comes from the network: every length and pointer in it is checked.
 */
export type RecordType = 'A' | 'AAAA' | 'SRV';
export type RecordData =
  | { readonly type: 'A' | 'AAAA'; readonly address: string }
  | { readonly type: 'SRV'; readonly priority: number; readonly weight: number; readonly port: number; readonly target: string };
export interface DnsRecord {
  readonly ttlSeconds: number;
  readonly data: RecordData;
}
/** What a server said: records, that there are none (`why`), or that it cannot say. */
export type DnsResponse =
  | { readonly kind: 'records'; readonly records: readonly DnsRecord[] }
  | { readonly kind: 'none'; readonly why: 'NXDOMAIN' | 'NODATA'; readonly ttlSeconds: number | null }
  | { readonly kind: 'failed'; readonly why: string }
  /** Too long for a datagram: ask again by TCP. */
  | { readonly kind: 'truncated' };

/** A response that is not one, or not one to this question. */
export class BadMessage extends Error {
  override readonly name = 'BadMessage';
}

const typeNumbers = { A: 1, CNAME: 5, SOA: 6, AAAA: 28, SRV: 33 } as const;
const rcodes: readonly string[] = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];
const classIn = 1;
/** Records looked at in one response, aliases followed, and pointers followed in one name. */
const most = { records: 4_096, aliases: 16, jumps: 64 } as const;

/** Whether a name can be asked for: labels of 1 to 63 letters, digits, `-` and `_`, 253 in all; a dot at the end or none. */
export const isDnsName = (name: string): boolean =>
  name.length <= 254 && /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i.test(name);

/** A query that asks the server to look further (RD). */
export function encodeQuery(id: number, name: string, type: RecordType): Buffer {
  const labels = plain(name)
    .split('.')
    .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')]));
  const head = Buffer.alloc(12);
  head.writeUInt16BE(id, 0);
  head.writeUInt16BE(0x0100, 2);
  head.writeUInt16BE(1, 4);
  const tail = Buffer.alloc(5);
  tail.writeUInt16BE(typeNumbers[type], 1);
  tail.writeUInt16BE(classIn, 3);
  return Buffer.concat([head, ...labels, tail]);
}

/** Reads the response to a query. Throws BadMessage when it is malformed or about something else. */
export function decodeResponse(bytes: Buffer, id: number, name: string, type: RecordType): DnsResponse {
  if (bytes.length < 12) throw new BadMessage('it is shorter than a header');
  const flags = bytes.readUInt16BE(2);
  if (bytes.readUInt16BE(0) !== id || (flags & 0x8000) === 0 || (flags & 0x7800) !== 0)
    throw new BadMessage('it is no response to this query');
  if (bytes.readUInt16BE(4) !== 1) throw new BadMessage('it repeats no question');
  const reader = new Reader(bytes);
  reader.at = 12;
  const asked = reader.name();
  if (asked !== plain(name) || reader.u16() !== typeNumbers[type] || reader.u16() !== classIn)
    throw new BadMessage('it answers another question');
  if ((flags & 0x0200) !== 0) return { kind: 'truncated' };
  const rcode = flags & 0xf;
  const why = rcodes[rcode] ?? `rcode ${rcode}`;
  if (why !== 'NOERROR' && why !== 'NXDOMAIN') return { kind: 'failed', why };
  const answers = section(reader, bytes.readUInt16BE(6));
  const records = recordsOf(answers, asked, type);
  if (records.length > 0 && why === 'NOERROR') return { kind: 'records', records };
  const authority = section(reader, bytes.readUInt16BE(8));
  const soa = authority.find((one) => one.type === typeNumbers.SOA);
  return { kind: 'none', why: why === 'NXDOMAIN' ? why : 'NODATA', ttlSeconds: soa ? Math.min(soa.ttl, soa.minimum) : null };
}

/** In lower case, without the dot of the root. */
const plain = (name: string): string => name.toLowerCase().replace(/\.$/, '');

interface RawRecord {
  readonly owner: string;
  readonly type: number;
  readonly ttl: number;
  readonly alias: string;
  readonly minimum: number;
  readonly data: RecordData | null;
}

function section(reader: Reader, count: number): readonly RawRecord[] {
  if (count > most.records) throw new BadMessage(`it has ${count} records, more than ${most.records}`);
  return Array.from({ length: count }, () => reader.record());
}

/** The records of the question's type at its name, or at the end of its aliases; none lives longer than the shortest alias. */
function recordsOf(answers: readonly RawRecord[], asked: string, type: RecordType): readonly DnsRecord[] {
  let owner = asked;
  let longest = Number.POSITIVE_INFINITY;
  for (let followed = 0; ; followed += 1) {
    const alias = answers.find((one) => one.owner === owner && one.type === typeNumbers.CNAME);
    if (!alias) break;
    if (followed === most.aliases) throw new BadMessage(`it has more than ${most.aliases} aliases in a row`);
    owner = alias.alias;
    longest = Math.min(longest, alias.ttl);
  }
  return answers.flatMap(({ owner: at, data, ttl }) =>
    at === owner && data !== null && data.type === type ? [{ ttlSeconds: Math.min(ttl, longest), data }] : [],
  );
}

class Reader {
  at = 0;
  readonly #bytes: Buffer;
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }
  u16(): number {
    return this.#take(2).readUInt16BE(0);
  }
  u32(): number {
    return this.#take(4).readUInt32BE(0);
  }
  #take(length: number): Buffer {
    if (this.at + length > this.#bytes.length) throw new BadMessage('it ends too early');
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }
  /** In lower case, without the dot of the root. Pointers go backwards only, so that none goes in a circle. */
  name(): string {
    const labels: string[] = [];
    let length = 0;
    let back: number | null = null;
    for (let jumps = 0; ;) {
      const start = this.at;
      const size = this.#take(1).readUInt8(0);
      if (size === 0) break;
      if ((size & 0xc0) === 0xc0) {
        const target = ((size & 0x3f) << 8) | this.#take(1).readUInt8(0);
        back ??= this.at;
        jumps += 1;
        if (target >= start || jumps > most.jumps) throw new BadMessage('a name in it points nowhere');
        this.at = target;
        continue;
      }
      if ((size & 0xc0) !== 0) throw new BadMessage('a name in it has a label of an unknown kind');
      length += size + 1;
      if (length > 254) throw new BadMessage('a name in it is too long');
      labels.push(this.#take(size).toString('latin1').toLowerCase());
    }
    if (back !== null) this.at = back;
    return labels.join('.');
  }
  record(): RawRecord {
    const owner = this.name();
    const type = this.u16();
    const isIn = this.u16() === classIn;
    const seconds = this.u32();
    const end = this.u16() + this.at;
    if (end > this.#bytes.length) throw new BadMessage('a record in it ends too late');
    // RFC 2181 section 8: a TTL with the highest bit set counts as 0.
    const common = { owner, type: isIn ? type : 0, ttl: seconds > 0x7fff_ffff ? 0 : seconds };
    const made = { ...common, alias: '', minimum: 0, data: null, ...(isIn ? this.#content(type, end - this.at) : {}) };
    this.at = end;
    return made;
  }
  #content(type: number, length: number): Partial<RawRecord> {
    switch (type) {
      case typeNumbers.A:
        if (length !== 4) throw new BadMessage('an address in it has a wrong length');
        return { data: { type: 'A', address: [...this.#take(4)].join('.') } };
      case typeNumbers.AAAA: {
        if (length !== 16) throw new BadMessage('an address in it has a wrong length');
        const groups = Array.from({ length: 8 }, () => this.u16().toString(16));
        return { data: { type: 'AAAA', address: groups.join(':') } };
      }
      case typeNumbers.SRV: {
        const [priority, weight, port] = [this.u16(), this.u16(), this.u16()];
        return { data: { type: 'SRV', priority, weight, port, target: this.name() } };
      }
      case typeNumbers.CNAME:
        return { alias: this.name() };
      case typeNumbers.SOA: {
        this.name();
        this.name();
        this.#take(16);
        return { minimum: this.u32() };
      }
      default:
        return {};
    }
  }
}
