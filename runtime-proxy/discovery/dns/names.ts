/** What names stand for, as far as name servers have said: each answer for as long as it may be kept, the last good one for as long as nobody answers. */
import { isIP } from 'node:net';
import { DecodeError, fieldsOf, numberOf, recordOf, textOf } from '../../rpc/decode';
import type { Ask } from './client';
import type { DnsRecord, RecordData, RecordType } from './message';

export interface NameLimits {
  /** An answer is kept at least and at most so long, whatever its TTL: a TTL of 0 would have us ask without end, one of a week would never be corrected. */
  readonly minTtlMs: number;
  readonly maxTtlMs: number;
}
export interface Known {
  /** In an order of their own, each once; none where there are none, or nothing was ever heard. */
  readonly records: readonly RecordData[];
  /** How many there were: of more than `mostRecords` the first are looked at. */
  readonly heard: number;
  /** When to ask again, milliseconds since the epoch. */
  readonly until: number;
  /** Why there are none, by the name server's own word. */
  readonly none: 'NXDOMAIN' | 'NODATA' | null;
  /** Why it could not be asked: then `records` are the last good ones. */
  readonly failure: string | null;
}
interface State extends Known {
  readonly failures: number;
}
/** The last good records, by type and name: to begin with after a restart. */
export type KeptNames = { readonly [question: string]: readonly RecordData[] };

/** Records of one answer. More endpoints than these are not taken of a name, and whoever answers for a few dozen names could keep us at nothing else. */
export const mostRecords = 256;
/** Names that are kept: whoever answers for one may name others each time, and the file must be read again. */
const mostKept = 100_000;

/** Reads what `kept` gave, from a file. Throws DecodeError. */
export function keptNamesFrom(value: unknown): KeptNames {
  const read = (records: unknown, question: string): readonly RecordData[] => {
    if (!Array.isArray(records) || records.length > 4_096) throw new DecodeError(`\`${question}\` must be a list`);
    return records.map((record): RecordData => {
      const fields = fieldsOf(record, question);
      const type = textOf(fields, 'type');
      if (type === 'SRV')
        return {
          type,
          priority: numberOf(fields, 'priority', 0, 65_535),
          weight: numberOf(fields, 'weight', 0, 65_535),
          port: numberOf(fields, 'port', 0, 65_535),
          target: typeof fields['target'] === 'string' ? fields['target'] : '',
        };
      const address = textOf(fields, 'address');
      if ((type !== 'A' && type !== 'AAAA') || isIP(address) === 0) throw new DecodeError(`\`${question}\` has no address`);
      return { type, address };
    });
  };
  return recordOf({ names: value }, 'names', read, mostKept);
}

export class Names {
  readonly #ask: Ask;
  readonly #limits: NameLimits;
  readonly #now: () => number;
  readonly #states = new Map<string, State>();
  readonly #asking = new Map<string, Promise<Known>>();
  constructor(ask: Ask, limits: NameLimits, now: () => number, kept: KeptNames = {}) {
    this.#ask = ask;
    this.#limits = limits;
    this.#now = now;
    for (const [question, records] of Object.entries(kept))
      this.#states.set(question, { ...firstOf(records), until: 0, none: null, failure: null, failures: 0 });
  }

  /** What is known of a name now; asks when it is time to. Never rejects. */
  lookup(name: string, type: RecordType): Promise<Known> {
    const question = `${type} ${name.toLowerCase().replace(/\.$/, '')}`;
    const known = this.#states.get(question);
    if (known && known.until > this.#now()) return Promise.resolve(known);
    const asking = this.#asking.get(question);
    if (asking) return asking;
    const started = this.#askFor(question, name, type).finally(() => this.#asking.delete(question));
    this.#asking.set(question, started);
    return started;
  }

  /** The last good records of every name that has some, of those asked for latest. */
  kept(): KeptNames {
    const good = [...this.#states].filter(([, state]) => state.records.length > 0);
    const latest = good.length <= mostKept ? good : good.toSorted(([, a], [, b]) => b.until - a.until).slice(0, mostKept);
    return Object.fromEntries(latest.map(([question, { records }]) => [question, records]));
  }

  /** Forgets what was not asked for lately. */
  forget(olderThanMs: number): void {
    for (const [question, { until }] of this.#states) if (until + olderThanMs < this.#now()) this.#states.delete(question);
  }

  async #askFor(question: string, name: string, type: RecordType): Promise<Known> {
    const said = await this.#ask(name, type);
    const before = this.#states.get(question);
    const { minTtlMs, maxTtlMs } = this.#limits;
    const after = (seconds: number): number => this.#now() + Math.min(Math.max(seconds * 1_000, minTtlMs), maxTtlMs);
    let state: State;
    switch (said.kind) {
      case 'records':
        state = { ...firstOf(inOrder(said.records)), until: after(shortest(said.records)), none: null, failure: null, failures: 0 };
        break;
      case 'none':
        state = { records: [], heard: 0, until: after(said.ttlSeconds ?? 0), none: said.why, failure: null, failures: 0 };
        break;
      case 'failed': {
        const failures = (before?.failures ?? 0) + 1;
        const waitMs = Math.min(minTtlMs * 2 ** Math.min(failures - 1, 10), maxTtlMs);
        const { records = [], heard = 0 } = before ?? {};
        state = { records, heard, until: this.#now() + waitMs, none: null, failure: said.why, failures };
        break;
      }
    }
    this.#states.set(question, state);
    return state;
  }
}

const shortest = (records: readonly DnsRecord[]): number => Math.min(...records.map(({ ttlSeconds }) => ttlSeconds));

/** Name servers turn the order about; that changes nothing. */
function inOrder(records: readonly DnsRecord[]): readonly RecordData[] {
  const byText = new Map(records.map(({ data }) => [textOfRecord(data), data]));
  return [...byText.keys()].sort().flatMap((text) => byText.get(text) ?? []);
}
const textOfRecord = (data: RecordData): string =>
  data.type === 'SRV' ? `${data.port} ${data.priority} ${data.target} ${data.weight}` : `${data.address} ${data.type}`;
const firstOf = (records: readonly RecordData[]): Pick<Known, 'records' | 'heard'> => ({
  records: records.slice(0, mostRecords),
  heard: records.length,
});
