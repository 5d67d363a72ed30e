/** A holder of an SVID: enrols with a token, renews before two thirds of its life are over by the SVID itself (a pod: by its token), and says so to who listens. */
import { Client, type MethodDefinition } from '@grpc/grpc-js';
import { reasonOf } from '../../core/lib/reason';
import { jittered } from '../../platform/jitter';
import type { Log } from '../../platform/log';
import type { Clock } from '../../platform/clock';
import { channelOptions, clientCredentials, type KeyMaterial } from '../rpc/credentials';
import { newKeyAndCsr, type KeyAndCsr } from './authority';
import { caMethods, isServiceAccountToken, type CertificateAnswer } from './protocol';
import { caPrincipal } from './spiffe';

export interface Svid extends KeyMaterial {
  /** Milliseconds since the epoch. */
  readonly obtained: number;
  readonly notAfter: number;
}
export interface HolderConfig {
  readonly trustDomain: string;
  /** `host:port` of the CA. */
  readonly address: string;
  /** The roots to begin with, PEM. */
  readonly trust: string;
  /** The token to use: a join token, or a pod's service-account token (read anew: it is rotated). null when there is none now. */
  readonly token: () => Promise<string | null>;
  /** An SVID kept from before, if it has not lapsed. */
  readonly kept?: Svid | null;
}
export interface Holder {
  current(): Svid;
  /** Called after each rotation. Answers how to stop. */
  onRotation(listener: (svid: Svid) => void): () => void;
  /** A serving certificate by name, from the CA, with a key of its own. */
  serving(name: string): Promise<Svid>;
  /** Rotates now instead of later. */
  renew(): Promise<void>;
  /** Resolves with one line when the SVID has lapsed (the machine slept, the CA was away too long) and there is no join token to begin anew with. */
  readonly lapsed: Promise<string>;
  close(): void;
}

/** How long the CA may take. One to which thousands come at once takes longer, and who leaves it then comes again and makes it longer still. */
const callMs = { first: 10_000, longest: 60_000 };
const longestRetryMs = 30_000;
/** Who was given a certificate in the same second is not to come for the next one in the same second, nor to its control plane with it. */
const spread = 0.1;

/** Gets the first SVID, trying for ever with back-off (or until the signal), then keeps it fresh until closed. */
export async function holdIdentity(
  config: HolderConfig,
  { clock, log, signal }: { readonly clock: Clock; readonly log: Log; readonly signal?: AbortSignal },
): Promise<Holder> {
  const ca = caPrincipal(config.trustDomain);
  const stop = new AbortController();
  const ended = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const listeners = new Set<(svid: Svid) => void>();
  let giveUp: (why: string) => void = () => undefined;
  const lapsed = new Promise<string>((resolve) => (giveUp = resolve));
  /** The key of an enrolment by join token that was not answered: the CA may have spent the token for it, and gives nobody else anything. */
  let unanswered: KeyAndCsr | null = null;
  let current: Svid | null = config.kept && config.kept.notAfter > clock.now() ? config.kept : null;

  const ask = async <Request>(
    method: MethodDefinition<Request, CertificateAnswer>,
    own: KeyMaterial | null,
    request: (csr: string) => Request,
    withinMs = callMs.first,
    made?: KeyAndCsr,
  ): Promise<Svid> => {
    const { key, csr } = made ?? (await newKeyAndCsr());
    const client = new Client(config.address, clientCredentials(current?.trust ?? config.trust, ca, own), channelOptions);
    try {
      const obtained = clock.now();
      const { chain, trust, notAfter } = await call(client, method, request(csr), withinMs);
      return { key, chain, trust, notAfter, obtained };
    } finally {
      client.close();
    }
  };
  const obtain = async (withinMs?: number): Promise<void> => {
    const own = current !== null && current.notAfter > clock.now() ? current : null;
    const token = await config.token();
    // A pod proves itself anew each time, so that its certificates end with it; a join token is spent at the first.
    if (own && (token === null || !isServiceAccountToken(token))) current = await ask(caMethods.renew, own, (csr) => ({ csr }), withinMs);
    else {
      if (token === null) {
        if (current !== null) giveUp('the certificate has lapsed and there is no join token: start again with another');
        throw new Error('there is no join token to enrol with');
      }
      if (!isServiceAccountToken(token)) unanswered ??= await newKeyAndCsr();
      current = await ask(caMethods.enrol, null, (csr) => ({ csr, token }), withinMs, unanswered ?? undefined);
      unanswered = null;
    }
    const made = current;
    for (const listener of listeners) listener(made);
  };
  const insist = async (): Promise<void> => {
    for (let failures = 0; !ended.aborted; failures += 1) {
      try {
        return await obtain(Math.min(callMs.first * 2 ** failures, callMs.longest));
      } catch (error) {
        const left = current === null ? Infinity : Math.max(100, (current.notAfter - clock.now()) / 4);
        const wait = jittered(Math.min(100 * 2 ** failures, longestRetryMs, left));
        log.warn({ reason: reasonOf(error), retryMs: Math.round(wait) }, 'no certificate from the CA');
        await clock.sleep(wait, { signal: ended, unref: true });
      }
    }
    throw ended.reason;
  };
  const rotate = async (): Promise<void> => {
    while (!ended.aborted) {
      const held = current;
      if (held === null) return;
      const due = held.obtained + (held.notAfter - held.obtained) * (2 / 3) * (1 - spread * Math.random());
      await clock.sleep(Math.max(50, due - clock.now()), { signal: ended, unref: true });
      if (current === held) await insist();
    }
  };

  if (current === null) await insist();
  rotate().catch((error: unknown) => {
    if (!ended.aborted) log.error({ err: error }, 'rotation ended');
  });
  return {
    current() {
      if (current === null) throw new Error('internal: no SVID');
      return current;
    },
    onRotation(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    serving: (name) => ask(caMethods.serving, current, (csr) => ({ csr, name })),
    renew: () => obtain(),
    lapsed,
    close: () => stop.abort(new Error('closed')),
  };
}

function call<Request, Response>(
  client: Client,
  method: MethodDefinition<Request, Response>,
  request: Request,
  withinMs: number,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      { deadline: Date.now() + withinMs },
      (error, response) => {
        if (error) reject(new Error(error.details || error.message));
        else if (response === undefined) reject(new Error('the CA answered nothing'));
        else resolve(response);
      },
    );
  });
}
