/**
 * The keys of issuers that are fetched: each address followed for itself, the last good keys kept for as long as there are no newer ones, whatever the issuer
 * answers meanwhile. What is asked for is in signed releases only; what comes is parsed into public keys and nothing else of it goes on.
 */
import { reasonOf } from '../../core/lib/reason';
import { fetchedKeys, longestKeySet, whyNoKeysAddress } from '../../core/mesh/jwk-set';
import type { Clock } from '../../platform/clock';
import { httpsDocument } from '../../platform/https-document';
import type { Log } from '../../platform/log';
import { reachableAddresses } from '../../platform/reachable-address';

/** How keys are fetched: a part of the control plane's configuration. */
export interface IssuerKeysSettings {
  /** PEM of the authorities that issuers' certificates are verified by; those of the system if not said, or if there is nothing in the file. */
  readonly trustFile?: string;
  /** Networks that issuers may be in although they are not of the internet: `10.1.0.0/16`. */
  readonly networks?: readonly string[];
  /** 300 if not said. */
  readonly everySeconds?: number;
}
export interface KeysOfIssuer {
  readonly url: string;
  /** Milliseconds since the epoch; null: never. */
  readonly hadAt: number | null;
  /** Why there are no newer ones; null: there are. */
  readonly problem: string | null;
}
export interface IssuerKeys {
  /** Follows these addresses from now on, and no others. */
  want(urls: readonly string[]): void;
  /** By address, as JSON. */
  current(): ReadonlyMap<string, string>;
  state(): readonly KeysOfIssuer[];
  close(): void;
}
export interface IssuerKeysParts {
  readonly settings: IssuerKeysSettings;
  readonly readTrust: (file: string) => Promise<string>;
  /** Of an earlier run. */
  readonly kept: ReadonlyMap<string, string>;
  /** Writes them. Nobody is told of keys before it has resolved or rejected. */
  readonly keep: (keys: ReadonlyMap<string, string>) => Promise<void>;
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

const timeoutMs = 10_000;
const firstRetryMs = 1_000;
const mostAddresses = 64;

/** Rejects nothing; throws with one line when a network of the settings is none, or they are to be had more often than each second. */
export function followIssuerKeys({ settings, readTrust, kept, keep, onChange, clock, log }: IssuerKeysParts): IssuerKeys {
  const mayReach = reachableAddresses(settings.networks ?? []);
  const everyMs = (settings.everySeconds ?? 300) * 1_000;
  if (!(everyMs >= 1_000 && everyMs <= 86_400_000)) throw new Error('`issuerKeys.everySeconds` is a number from 1 to 86400');
  const keys = new Map<string, string>();
  /** What was had last, of addresses too that no release names just now: one that is named again must not begin with what it had long ago. */
  const last = new Map(kept);
  let written = true;
  const states = new Map<string, KeysOfIssuer>();
  const followed = new Map<string, AbortController>();

  /**
   * Keeps what was fetched. Before anybody is told: who is killed in between would bring back, to all who heard of it, the keys before. Where nothing can be written
   * they are told all the same: keys that were taken back must go.
   */
  const note = async (url: string, jwks: string): Promise<void> => {
    if (written && last.get(url) === jwks) return;
    last.set(url, jwks);
    for (const known of last.keys()) if (last.size > mostAddresses && !followed.has(known)) last.delete(known);
    written = false;
    try {
      await keep(new Map(last));
      written = true;
    } catch (error) {
      log.error({ err: error }, "cannot keep issuers' keys");
    }
  };
  const turn = async (url: string, signal: AbortSignal): Promise<string | null> => {
    try {
      const authorities = settings.trustFile === undefined ? '' : (await readTrust(settings.trustFile)).trim();
      const ca = authorities === '' ? null : authorities;
      const read = fetchedKeys(await httpsDocument(url, { ca, mayReach, maxBytes: longestKeySet, timeoutMs }));
      if ('why' in read) throw new Error(read.why);
      if (signal.aborted) return null;
      await note(url, read.jwks);
      if (signal.aborted) return null;
      states.set(url, { url, hadAt: clock.now(), problem: null });
      if (keys.get(url) === read.jwks) return null;
      keys.set(url, read.jwks);
      log.info({ url }, "have an issuer's keys");
      onChange();
      return null;
    } catch (error) {
      return reasonOf(error);
    }
  };
  const follow = async (url: string, { signal }: AbortController): Promise<void> => {
    let retryMs = firstRetryMs;
    while (!signal.aborted) {
      const problem = await turn(url, signal);
      if (signal.aborted) return;
      if (problem !== null && states.get(url)?.problem !== problem)
        log.warn({ url, reason: problem, kept: keys.has(url) }, "cannot fetch an issuer's keys");
      if (problem !== null) states.set(url, { url, hadAt: states.get(url)?.hadAt ?? null, problem });
      retryMs = problem === null ? firstRetryMs : Math.min(retryMs * 2, everyMs);
      await clock.sleep(problem === null ? everyMs : retryMs, { signal, unref: true }).catch(() => undefined);
    }
  };
  return {
    want(urls) {
      // what a release names was read by the compiler; it is looked at again, for it comes by a file
      const wanted = new Set(urls.filter((url) => whyNoKeysAddress(url) === null).slice(0, mostAddresses));
      for (const [url, stop] of followed) {
        if (wanted.has(url)) continue;
        stop.abort();
        followed.delete(url);
        states.delete(url);
        keys.delete(url);
      }
      for (const url of wanted) {
        if (followed.has(url)) continue;
        const stop = new AbortController();
        followed.set(url, stop);
        states.set(url, { url, hadAt: null, problem: 'they were not fetched yet' });
        const before = last.get(url);
        const read = before === undefined ? null : fetchedKeys(before);
        if (read && 'jwks' in read) keys.set(url, read.jwks);
        if (keys.has(url)) onChange();
        void follow(url, stop);
      }
    },
    current: () => keys,
    state: () => [...states.values()],
    close() {
      for (const stop of followed.values()) stop.abort();
      followed.clear();
    },
  };
}
