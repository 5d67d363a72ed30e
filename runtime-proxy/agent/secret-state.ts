/** What a secret can be seen to be worth before anybody uses it: whether its parts fit together, and how long it lasts. Pure. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { SecretTrouble } from '../../core/bundle/status';

type Trouble = Pick<SecretTrouble, 'state' | 'reason'>;
export interface Assessed {
  readonly trouble: Trouble | null;
  /** When it ends, milliseconds since the epoch. null: nothing can be done with it, and Envoy is not given it. */
  readonly until: number | null;
}

const dayMs = 86_400_000;
/**
 * What renews itself does so with a third of its life left (cert-manager, our own CA): who has less than a quarter was forgotten, or cannot be renewed.
 * Of a long life the last fourteen days are said.
 */
const soonMs = (life: number): number => Math.min(14 * dayMs, life / 4);
/** As people read it, by the minute and without what changes from look to look. */
export const timeOf = (milliseconds: number): string => `${new Date(milliseconds).toISOString().slice(0, 16)}Z`;

const unusable = (reason: string): Assessed => ({ trouble: { state: 'unusable', reason }, until: null });

/** A key and the chain of its certificate, PEM. */
export function assessCertificate({ key, chain }: { readonly key: string; readonly chain: string }, now: number): Assessed {
  const certificates = certificatesIn(chain);
  const [leaf] = certificates ?? [];
  if (!certificates || !leaf) return unusable('`tls.crt` has no certificate that can be read');
  const fits = keyFits(leaf, key);
  if (fits !== true) return unusable(fits);
  // who ends a chain by itself is not asked for its age
  const counted = certificates.filter((one) => one === leaf || one.issuer !== one.subject);
  return within(Math.max(...counted.map(from)), Math.min(...counted.map(until)), now);
}

/** Authorities, PEM. Several are what a change of one for another looks like: the last to end counts. */
export function assessAuthorities(roots: string, now: number): Assessed {
  const certificates = certificatesIn(roots);
  if (!certificates || certificates.length === 0) return unusable('`ca.crt` has no certificate that can be read');
  const last = certificates.reduce((longest, one) => (until(one) > until(longest) ? one : longest));
  return within(Math.min(...certificates.map(from)), until(last), now);
}

const from = ({ validFrom }: X509Certificate): number => Date.parse(validFrom);
const until = ({ validTo }: X509Certificate): number => Date.parse(validTo);

function within(begins: number, ends: number, now: number): Assessed {
  const trouble = ((): Trouble | null => {
    if (now < begins) return { state: 'unusable', reason: `not valid before ${timeOf(begins)}` };
    if (now >= ends) return { state: 'unusable', reason: `ended ${timeOf(ends)}` };
    return ends - now < soonMs(ends - begins) ? { state: 'ending', reason: `ends ${timeOf(ends)}, and nobody has renewed it` } : null;
  })();
  return { trouble, until: ends };
}

/** null: one of them cannot be read. */
function certificatesIn(pem: string): readonly X509Certificate[] | null {
  try {
    return [...pem.matchAll(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g)].map(([text]) => new X509Certificate(text));
  } catch {
    return null;
  }
}
/** True, or why it does not. What the key says of itself is nobody's business. */
function keyFits(leaf: X509Certificate, key: string): true | string {
  try {
    return leaf.checkPrivateKey(createPrivateKey(key)) || 'the key in `tls.key` is not that of the certificate in `tls.crt`';
  } catch {
    return '`tls.key` has no private key that can be read';
  }
}
