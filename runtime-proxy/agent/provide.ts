/**
 * What an agent gives its Envoy beside its own identity: certificates of gateways, and authorities that certificates of others are verified by. From files, and
 * certificates that are no files from the CA. All of it is looked at again and again, for it is replaced in place, and what is wrong with it is said.
 */
import * as path from 'node:path';
import { getCACertificates } from 'node:tls';
import type { SecretTrouble } from '../../core/bundle/status';
import { canonicalJson } from '../../core/lib/json';
import { reasonOf } from '../../core/lib/reason';
import type { Clock } from '../../platform/clock';
import { readTextIfThere } from '../../platform/files';
import type { Log } from '../../platform/log';
import type { Holder } from '../ca/client';
import type { Secret } from './secrets';
import { assessAuthorities, assessCertificate, type Assessed, timeOf } from './secret-state';

export interface Provider {
  /** Envoy asks for a secret: it is provided from now on. */
  want(name: string): void;
  /** Envoy does not take what it was given. */
  refused(name: string, reason: string): void;
  /** What is wrong with those that Envoy has a use for, in order of name. */
  troubles(): readonly SecretTrouble[];
  close(): void;
}
interface Parts {
  /** `<folder>/<namespace>/<name>/tls.crt`, `tls.key`, `ca.crt`. */
  readonly folder: string | undefined;
  readonly holder: Pick<Holder, 'serving'>;
  readonly secrets: { set(name: string, secret: Secret): void; isWanted(name: string): boolean };
}
interface Wanted {
  readonly kind: SecretTrouble['kind'];
  readonly name: string;
  trouble: Pick<SecretTrouble, 'state' | 'reason'> | null;
  /** What Envoy was given last, and until when it is good. `again`: it was asked a second time. */
  given: { readonly secret: Secret; readonly until: number; readonly again: boolean } | null;
  refused: string | null;
}
interface Found extends Assessed {
  readonly secret: Secret;
  readonly againMs: number;
}

const againMs = 10_000;
/** Files that are replaced one after the other do not fit for a moment. */
const soonAgainMs = 2_000;
const longestReason = 200;

export function provideSecrets({ folder, holder, secrets }: Parts, { clock, log }: { readonly clock: Clock; readonly log: Log }): Provider {
  const wanted = new Map<string, Wanted>();
  const stop = new AbortController();
  const read = (one: Wanted): Promise<Found> =>
    one.kind === 'authorities' ? authoritiesOf(one.name, folder, clock.now()) : certificateOf(one.name, folder, holder, clock.now());
  const give = (secretName: string, one: Wanted, { secret, until }: Found): void => {
    if (until === null || (one.given && canonicalJson(one.given.secret) === canonicalJson(secret))) return;
    one.given = { secret, until, again: false };
    one.refused = null;
    secrets.set(secretName, secret);
    for (const [otherName, other] of wanted) if (other !== one) askAgain(otherName, other);
  };
  /**
   * Envoy refuses the secret that came last of those that are used together, whichever is to blame: after a change of any it is asked again. To equal bytes it
   * would say yes.
   */
  const askAgain = (secretName: string, one: Wanted): void => {
    if (one.refused === null || one.given === null) return;
    one.given = { ...one.given, again: !one.given.again };
    one.refused = null;
    secrets.set(secretName, one.given.again ? inOtherBytes(one.given.secret) : one.given.secret);
  };
  const note = (one: Wanted, trouble: Wanted['trouble']): void => {
    if (trouble && trouble.reason !== one.trouble?.reason)
      log[trouble.state === 'ending' ? 'warn' : 'error'](
        { secret: one.name, kind: one.kind, state: trouble.state, reason: trouble.reason },
        'a secret that a listener or a host outside needs does not serve, or soon will not',
      );
    if (!trouble && one.trouble) log.info({ secret: one.name, kind: one.kind }, 'a secret is as it should be again');
    one.trouble = trouble;
  };
  /** Answers when to look again. */
  const look = async (secretName: string, one: Wanted): Promise<number> => {
    const before = (): string =>
      one.given && one.given.until > clock.now() ? `; the one before is used until ${timeOf(one.given.until)}` : '';
    try {
      const found = await read(one);
      give(secretName, one, found);
      note(one, found.until === null && found.trouble ? { ...found.trouble, reason: `${found.trouble.reason}${before()}` } : found.trouble);
      return found.trouble ? Math.min(soonAgainMs, found.againMs) : found.againMs;
    } catch (error) {
      const state = error instanceof MissingSecret ? 'missing' : 'unusable';
      note(one, { state, reason: `${reasonOf(error).slice(0, longestReason)}${before()}` });
      return soonAgainMs;
    }
  };
  const keepLooking = async (secretName: string, one: Wanted): Promise<void> => {
    while (!stop.signal.aborted)
      await clock.sleep(await look(secretName, one), { signal: stop.signal, unref: true }).catch(() => undefined);
  };
  return {
    want(secretName) {
      const [kind, ...rest] = secretName.split('/');
      if (wanted.has(secretName)) return;
      if (kind !== 'certificate' && kind !== 'authorities')
        return log.warn({ secret: secretName }, 'Envoy asks for a certificate of no known kind');
      const one: Wanted = { kind, name: rest.join('/'), trouble: null, given: null, refused: null };
      wanted.set(secretName, one);
      void keepLooking(secretName, one);
    },
    refused(secretName, reason) {
      const one = wanted.get(secretName);
      if (one) one.refused = reason.slice(0, longestReason);
    },
    troubles: () =>
      [...wanted]
        .filter(([secretName]) => secrets.isWanted(secretName))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .flatMap(([, { kind, name, trouble, refused }]): SecretTrouble | readonly [] => {
          const found = trouble?.state !== 'ending' && trouble ? trouble : refused === null ? trouble : refusedAs(refused);
          return found ? { kind, name, ...found } : [];
        }),
    close: () => stop.abort(),
  };
}
/** PEM may end with as many lines as it likes. */
const inOtherBytes = (secret: Secret): Secret =>
  secret.kind === 'trust' ? { ...secret, roots: `${secret.roots}\n` } : { ...secret, chain: `${secret.chain}\n` };
const refusedAs = (reason: string): Pick<SecretTrouble, 'state' | 'reason'> => ({
  state: 'unusable',
  reason: `Envoy does not take it: ${reason}`,
});

/** Nobody has it. */
class MissingSecret extends Error {
  override readonly name = 'MissingSecret';
}

/** Those of the system (Node's own list where there is none), or `<folder>/<namespace>/<name>/ca.crt`. */
async function authoritiesOf(name: string, folder: string | undefined, now: number): Promise<Found> {
  if (name === 'system') {
    const system = getCACertificates('system');
    const roots = (system.length > 0 ? system : getCACertificates('bundled')).join('\n');
    return { secret: { kind: 'trust', roots }, againMs, trouble: null, until: Infinity };
  }
  if (folder === undefined) throw new MissingSecret('the agent has no folder of certificates: set `certificatesDir`');
  if (!isSecretName(name)) throw new MissingSecret('not of the form `namespace/name`');
  const roots = await readTextIfThere(path.join(folder, name, 'ca.crt'));
  if (roots === null) throw new MissingSecret(`the agent's folder of certificates has no \`${name}/ca.crt\``);
  return { secret: { kind: 'trust', roots }, againMs, ...assessAuthorities(roots, now) };
}

/** From the folder if it is there, else from the CA, and then a new one before it lapses. */
async function certificateOf(name: string, folder: string | undefined, holder: Parts['holder'], now: number): Promise<Found> {
  if (folder !== undefined && isSecretName(name)) {
    const file = (part: string): Promise<string | null> => readTextIfThere(path.join(folder, name, part));
    const [key, chain] = [await file('tls.key'), await file('tls.crt')];
    if (key !== null && chain !== null)
      return { secret: { kind: 'certificate', key, chain }, againMs, ...assessCertificate({ key, chain }, now) };
  }
  try {
    const { key, chain, notAfter, obtained } = await holder.serving(name);
    const secret: Secret = { kind: 'certificate', key, chain };
    return { secret, trouble: null, until: notAfter, againMs: Math.max(1_000, ((notAfter - obtained) * 2) / 3) };
  } catch (error) {
    const files =
      folder === undefined ? 'the agent has no folder of certificates' : `the agent's folder of certificates has no \`${name}\``;
    throw new MissingSecret(`${files}, and the CA gives none: ${reasonOf(error)}`);
  }
}
const isSecretName = (name: string): boolean => /^[a-z0-9-]+\/[a-z0-9.-]+$/.test(name) && !name.includes('..');
