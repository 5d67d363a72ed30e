/** Certificates that the webhook makes and rotates by itself, alike in all its replicas: the Secret is the truth, the configurations follow it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../platform/clock';
import type { Kube } from '../../platform/kube';
import type { Log } from '../../platform/log';
import type { CertificatePair, CertificateSource } from '../server/certificate';
import { isCarriedBy, publish, readConfigurations, type Configuration } from './configurations';
import { handshake, type Place, type Shake } from './probe';
import { after, notAskedYet } from './readiness';
import { bundleOf, defaultLifetimes, found, step, type Certificates, type Facts, type Lifetimes } from './rotation';
import { readKept, writeKept } from './secret';

export interface ManagedOptions {
  readonly kube: Kube;
  readonly namespace: string;
  readonly secret: string;
  /** What the API server calls us, the Service's name first: `webhook.meshwright.svc`. */
  readonly dnsNames: readonly string[];
  /** Names of the configurations whose `caBundle` is kept. One that is not there (yet) is no trouble. */
  readonly validating: readonly string[];
  readonly mutating: readonly string[];
  readonly lifetimes?: Lifetimes;
  readonly clock: Clock;
  readonly log: Log;
  /** Between two looks; default 2,000 ms. */
  readonly everyMs?: number;
}
export interface CertificateManager extends CertificateSource {
  current(): CertificatePair & { readonly caBundle: string; readonly notAfter: number };
  /** Where our own listener is: from then on it is asked. */
  listensAt(place: Place): void;
  /** Whether the API server could talk to us: a handshake by what the configurations say at this moment. One line, null when there is none. */
  trouble(): Promise<string | null>;
  /** The latest answer to that; not null before the first one. */
  problem(): string | null;
  /** Why the Secret is not ours, while it is not. */
  aside(): string | null;
}

const mostTries = 20;

/** Resolves when there is something to serve. Rejects with one line when the Secret holds what somebody else wrote, or cannot be read or written. */
export async function managedCertificates(options: ManagedOptions): Promise<CertificateManager> {
  const { kube, namespace, secret: name, dnsNames, clock, log } = options;
  const [servername] = dnsNames;
  if (servername === undefined) throw new Error('the webhook has no DNS name to have a certificate for');
  const ref = { namespace, name };
  const lifetimes = options.lifetimes ?? defaultLifetimes;
  const listeners = new Set<(pair: CertificatePair) => void>();
  let held: Certificates | null = null;
  let foreign: string | null = null;
  let seen: readonly Configuration[] = [];
  let place: Place | null = null;
  let readiness = notAskedYet;
  let judging: Promise<unknown> = Promise.resolve();

  const adopt = (certificates: Certificates): void => {
    const changed = held !== null && held.leaf.certificate !== certificates.leaf.certificate;
    held = certificates;
    if (!changed) return;
    const { leaf } = certificates;
    log.info({ notAfter: new Date(leaf.notAfter).toISOString() }, 'serves with a new certificate');
    for (const listener of listeners) listener({ cert: leaf.certificate, key: leaf.key });
  };

  /** One look at everything; false when somebody else wrote meanwhile and it has to be looked at again. */
  async function look(): Promise<boolean> {
    // In this order: whoever put a newer bundle into a configuration before we read it had written the Secret before that, so that we see it below;
    // and if it is put there later, our patch of the older version fails.
    const configurations = await readConfigurations(kube, options);
    const kept = await readKept(kube, ref);
    seen = configurations;
    const before = foreign;
    foreign = kept.kind === 'foreign' ? kept.reason : null;
    if (foreign !== null && foreign !== before) log.error({ reason: foreign }, 'nothing is rotated: the Secret with the certificates');
    // What is served goes on for as long as the API server takes it.
    if (kept.kind === 'foreign') return true;
    const facts: Facts = { now: clock.now(), dnsNames, lifetimes, isCarried: (certificate) => isCarriedBy(configurations, certificate) };
    // A Secret that was deleted is put back as it was: what it held is trusted and served.
    const known = kept.kind === 'certificates' ? kept.certificates : held;
    const certificates = known === null ? await found(facts) : await step(known, facts);
    const isKept = kept.kind === 'certificates' && certificates === known;
    if (!isKept && !(await writeKept(kube, ref, kept.secret, certificates))) return false;
    // Only what is in the Secret is served: of two that were made at once, one is nobody's.
    adopt(certificates);
    const bundle = bundleOf(certificates);
    const published = await Promise.all(configurations.map((configuration) => publish(kube, configuration, bundle)));
    // What we gave them is what the API server trusts from now on, not what they had before.
    seen = configurations.map((configuration, index) => published[index] ?? configuration);
    return isKept && published.every((one) => one !== null);
  }
  async function settle(): Promise<void> {
    for (let tries = 0; tries < mostTries; tries += 1) if (await look()) return;
  }
  /** Every bundle verifies, or the first answer that is another. */
  async function shake(at: Place): Promise<Shake> {
    const bundles = new Set(seen.flatMap((configuration) => configuration.bundles));
    if (bundles.size === 0 && held !== null) bundles.add(bundleOf(held));
    for (const bundle of bundles) {
      const answer = await handshake(at, servername ?? '', bundle);
      if (answer.kind !== 'good') return answer;
    }
    return { kind: 'good' };
  }
  async function judgeNow(): Promise<string | null> {
    const before = readiness;
    if (place === null) readiness = { because: 'the own listener is not up', unheard: 0 };
    else readiness = after(before, await shake(place));
    const { because } = readiness;
    if (because !== null && because !== before.because) log.warn({ reason: because }, 'not ready: the certificate');
    return because;
  }
  /** One after the other: an answer from before a later one does not count after it. */
  const judge = (): Promise<string | null> => {
    const one = judging.then(judgeNow);
    judging = one;
    return one;
  };

  await settle();
  if (held === null) throw new Error(foreign ?? `Secret ${namespace}/${name} is written by others all the time`);
  const stop = new AbortController();
  const run = async (): Promise<void> => {
    for (;;) {
      await sleep(options.everyMs ?? 2_000, undefined, { signal: stop.signal, ref: false });
      // While the API server is away, what was seen last is what it trusts.
      await settle().catch((error: unknown) => log.warn({ err: error }, 'cannot look after the certificates'));
      if (place !== null) await judge();
    }
  };
  run().catch((error: unknown) => {
    if (!stop.signal.aborted) log.error({ err: error }, 'the certificates are looked after no more');
  });
  return {
    decidesReadiness: true,
    current() {
      if (held === null) throw new Error('internal: no certificate');
      return { cert: held.leaf.certificate, key: held.leaf.key, caBundle: bundleOf(held), notAfter: held.leaf.notAfter };
    },
    onChange: (listener) => void listeners.add(listener),
    listensAt(given) {
      place = given;
      void judge();
    },
    trouble: judge,
    problem: () => readiness.because,
    aside: () => foreign,
    close: () => stop.abort(),
  };
}
