/** Follows the names of an inventory: each is asked for again when its answer may not be kept any longer. */
import { isIP } from 'node:net';
import { canonicalJson } from '../../../core/lib/json';
import type { Diagnostic } from '../../../core/diagnostics/diagnostic';
import type { Clock } from '../../../platform/clock';
import type { Instance } from '../../inventory';
import { asker, type NameServer } from './client';
import { Names, type KeptNames } from './names';
import { resolveSource, type DnsSource } from './source';

/** How names are looked up. */
export interface DnsSettings {
  /** `<IP address>` or `<IP address>:<port>` (IPv6 in brackets then), asked in this order; default: those of /etc/resolv.conf. */
  readonly servers?: readonly string[];
  /** An answer is kept at least so long, whatever its TTL; default 5,000 ms. */
  readonly minTtlMs?: number;
  /** And at most so long; default 300,000 ms. */
  readonly maxTtlMs?: number;
  /** How long one server may take; default 2,000 ms. */
  readonly timeoutMs?: number;
}
export interface FollowOptions {
  readonly servers: readonly NameServer[];
  readonly settings: DnsSettings;
  readonly kept: KeptNames;
  readonly clock: Clock;
  /** Called with all endpoints when they are others than before. */
  readonly onChange: (instances: readonly Instance[], kept: KeptNames) => void;
  /** Called once for each thing that goes wrong, and again only after it had been right. */
  readonly say: (diagnostic: Diagnostic) => void;
}
export interface DnsFollower {
  /** Follows these and no others. Resolves when each was looked up once, or could not be. */
  follow(sources: readonly DnsSource[]): Promise<void>;
  instances(): readonly Instance[];
  close(): void;
}

/** Names with one TTL come due together, and their answers come one by one: so long the first waits for the others. */
export const gatherMs = 100;
/** A timer that is set for longer ends at once. */
const longestSleepMs = 2 ** 31 - 1;

export function followDns({ servers, settings, kept, clock, onChange, say }: FollowOptions): DnsFollower {
  const { minTtlMs = 5_000, maxTtlMs = 300_000, timeoutMs = 2_000 } = settings;
  const names = new Names(asker(servers, timeoutMs), { minTtlMs, maxTtlMs }, clock.now, kept);
  let round = new AbortController();
  let followed = canonicalJson([]);
  let looked: Promise<void> = Promise.resolve();
  let found: readonly (readonly Instance[])[] = [];
  let published = canonicalJson([]);
  const said = new Map<string, ReadonlySet<string>>();

  const all = (): readonly Instance[] => [...new Map(found.flat().map((one) => [one.id, one])).values()];
  const publish = (): void => {
    const text = canonicalJson(all());
    if (text === published) return;
    published = text;
    onChange(all(), names.kept());
  };
  /** Whoever is told looks at the whole mesh: many answers make one telling. */
  let gathering: AbortSignal | null = null;
  const publishSoon = (signal: AbortSignal): void => {
    if (gathering === signal) return;
    gathering = signal;
    clock.sleep(gatherMs, { signal, unref: true }).then(
      () => ((gathering = null), publish()),
      () => undefined, // others are followed, and they are published
    );
  };
  const tell = (key: string, diagnostics: readonly Diagnostic[]): void => {
    const before = said.get(key) ?? new Set();
    for (const diagnostic of diagnostics) if (!before.has(diagnostic.message)) say(diagnostic);
    said.set(key, new Set(diagnostics.map(({ message }) => message)));
  };
  return {
    follow(sources) {
      const text = canonicalJson(sources);
      if (text !== followed) looked = begin(sources);
      followed = text;
      return looked;
    },
    instances: all,
    close: () => round.abort(new Error('closed')),
  };
  async function begin(sources: readonly DnsSource[]): Promise<void> {
    round.abort(new Error('other names are followed'));
    const own = (round = new AbortController());
    const look = async (source: DnsSource): Promise<{ readonly instances: readonly Instance[]; readonly until: number }> => {
      const { instances, diagnostics, until } = await resolveSource(source, names);
      if (!own.signal.aborted) tell(canonicalJson(source), diagnostics);
      return { instances, until };
    };
    const first = await Promise.all(sources.map(look));
    if (own.signal.aborted) return;
    found = first.map(({ instances }) => instances);
    publish();
    names.forget(10 * maxTtlMs);
    let forgotten = clock.now();
    for (const [index, source] of sources.entries()) {
      const again = async (): Promise<void> => {
        for (let until = first[index]?.until ?? clock.now(); ;) {
          await clock.sleep(Math.min(Math.max(1, until - clock.now()), longestSleepMs), { signal: own.signal, unref: true });
          const next = await look(source);
          if (own.signal.aborted) return;
          until = next.until;
          // The targets of a name may be others each time: what nobody asks for any more is not known for ever.
          if (clock.now() - forgotten >= maxTtlMs) {
            names.forget(10 * maxTtlMs);
            forgotten = clock.now();
          }
          // Of thousands of names one says something new: the others are not compared again.
          if (canonicalJson(next.instances) === canonicalJson(found[index] ?? [])) continue;
          found = found.with(index, next.instances);
          publishSoon(own.signal);
        }
      };
      again().catch(() => undefined); // it is followed no longer
    }
  }
}

/** `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[2001:db8::1]:5353`; null for what is none. */
export function nameServerFrom(text: string): NameServer | null {
  const [, bracketed, plain, digits = '53'] =
    /^(?:\[([0-9a-f:.]+)\]|([0-9.]+|[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = bracketed ?? plain ?? '';
  const port = Number(digits);
  return isIP(host) !== 0 && port >= 1 && port <= 65_535 ? { host, port } : null;
}
