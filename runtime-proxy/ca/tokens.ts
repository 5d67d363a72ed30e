/**
 * Join tokens: one identity, one use, short. Only their SHA-256 is kept, and a use is on disk before the certificate is made. A use is by a key: whoever
 * lost the answer asks with the same key again, until the token expires, and nobody else gets anything for it.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { reasonOf } from '../../core/lib/reason';
import { DecodeError, type Fields, fieldsOf, listOf, numberOf, textOf } from '../rpc/decode';
import { isPrincipal, isWorkloadKey, type Identity } from './spiffe';

interface Kept {
  readonly hash: string;
  readonly identity: Identity;
  /** Milliseconds since the epoch. */
  readonly expires: number;
  /** The key that spent it, as its fingerprint; null while it is open. */
  readonly spentBy: string | null;
}
export interface TokenStore {
  /** A token for one identity, valid for `ttlMs`. The text exists only in the answer. */
  mint(identity: Identity, ttlMs: number): Promise<{ readonly token: string; readonly expires: number }>;
  /** Spends a token for the key of that fingerprint (64 hexadecimal digits). null when it is unknown, expired, or spent by another key; the caller says no more than that. */
  redeem(token: string, key: string): Promise<Identity | null>;
  /** Whether it is one, open or spent: a stranger's request is worth no look at its key. */
  knows(token: string): boolean;
}
/** Where the hashes are kept. `write` returns when they are durable. */
export interface TokenFile {
  read(): Promise<string | null>;
  write(text: string): Promise<void>;
}

const maxTokens = 100_000;

/** Opens the store. A file that does not decode is refused: guessing could bring a spent token back. */
export async function openTokens(file: TokenFile, now: () => number): Promise<TokenStore> {
  const text = await file.read();
  let kept: readonly Kept[] = text === null ? [] : decode(text);
  let turn: Promise<unknown> = Promise.resolve();
  /** One change at a time, each durable before it is answered. */
  const change = <T>(make: () => readonly [readonly Kept[], T]): Promise<T> => {
    const done = turn.then(async () => {
      const [next, result] = make();
      if (next !== kept) await file.write(encode(next));
      kept = next;
      return result;
    });
    turn = done.catch(() => undefined);
    return done;
  };
  const find = (token: string): Kept | null => {
    const hash = hashOf(token);
    // Every entry is compared, in constant time: neither time nor order tells a guesser anything.
    let found: Kept | null = null;
    for (const one of kept) if (timingSafeEqual(Buffer.from(one.hash, 'hex'), hash)) found = one;
    return found;
  };
  return {
    knows: (token) => find(token) !== null,
    async mint(identity, ttlMs) {
      const token = `mwj_${randomBytes(32).toString('base64url')}`;
      const expires = now() + ttlMs;
      await change(() => {
        const live = kept.filter((one) => one.expires > now());
        if (live.length >= maxTokens) throw new Error('too many join tokens are open');
        return [[...live, { hash: hashOf(token).toString('hex'), identity, expires, spentBy: null }], null] as const;
      });
      return { token, expires };
    },
    redeem: (token, key) =>
      change(() => {
        const found = find(token);
        if (found === null) return [kept, null] as const;
        const { spentBy, expires, identity } = found;
        if (expires <= now()) return [kept.filter((one) => one !== found), null] as const;
        if (spentBy !== null) return [kept, spentBy === key ? identity : null] as const;
        return [kept.map((one) => (one === found ? { ...one, spentBy: key } : one)), identity] as const;
      }),
  };
}

const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest();

/** Spent ones in a list of their own: a CA of the version before, for which a token in `tokens` is open, does not know them. */
const encode = (kept: readonly Kept[]): string =>
  `${JSON.stringify({
    tokens: kept.flatMap(({ spentBy, ...one }) => (spentBy === null ? [one] : [])),
    spent: kept.filter(({ spentBy }) => spentBy !== null),
  })}\n`;

function decode(text: string): readonly Kept[] {
  try {
    const file = fieldsOf(JSON.parse(text), 'the token file');
    const read = (list: string, isSpent: boolean): readonly Kept[] =>
      listOf(file, list, maxTokens).map((entry) => keptFrom(fieldsOf(entry, 'a token'), isSpent));
    return [...read('tokens', false), ...(file['spent'] === undefined ? [] : read('spent', true))];
  } catch (error) {
    throw new Error(`the token file is damaged: ${reasonOf(error)}`, { cause: error });
  }
}

function keptFrom(fields: Fields, isSpent: boolean): Kept {
  const hash = textOf(fields, 'hash');
  const spentBy = isSpent || (fields['spentBy'] ?? null) !== null ? textOf(fields, 'spentBy') : null;
  for (const [name, text] of Object.entries({ hash, spentBy }))
    if (text !== null && !/^[0-9a-f]{64}$/.test(text)) throw new DecodeError(`\`${name}\` must be 64 hexadecimal digits`);
  return { hash, identity: identityFrom(fields['identity']), expires: numberOf(fields, 'expires', 0, Number.MAX_SAFE_INTEGER), spentBy };
}

/** An identity from untrusted JSON: `{ instance, workload, principal }`. */
export function identityFrom(value: unknown): Identity {
  const fields = fieldsOf(value, '`identity`');
  const instance = textOf(fields, 'instance', 64);
  const workload = textOf(fields, 'workload');
  const principal = textOf(fields, 'principal');
  if (!/^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$/.test(instance))
    throw new DecodeError('`instance` must be 1 to 64 lower-case letters, digits, `-` and `.`');
  if (!isWorkloadKey(workload)) throw new DecodeError('`workload` must be `<namespace>/<name>`');
  if (!isPrincipal(principal)) throw new DecodeError('`principal` must be `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`');
  return { instance, workload, principal };
}
