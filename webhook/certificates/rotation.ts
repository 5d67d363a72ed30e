/**
 * When certificates are made anew, as one pure step after another. An authority changes in an order in which nobody who trusts what the configurations
 * say can fail: the new one joins the bundle; once every configuration carries it, and some time later, it issues what is served; the old one leaves
 * the bundle when nothing it issued can be alive.
 */
import { X509Certificate } from 'node:crypto';
import { issueCa, issueLeaf, skewMs, type Issued } from './issue';

export interface Lifetimes {
  readonly caMs: number;
  readonly leafMs: number;
  /** Between the moment that every configuration carries a new authority and the first certificate of it: the time for API servers to see it. */
  readonly graceMs: number;
}
export const defaultLifetimes: Lifetimes = { caMs: 365 * 24 * 3600_000, leafMs: 30 * 24 * 3600_000, graceMs: 120_000 };

export interface Certificates {
  readonly issuing: Issued;
  readonly leaf: Issued;
  /** The authority that comes; `carried` since when every configuration has it. */
  readonly next: (Issued & { readonly carried: number | null }) | null;
  /** Authorities that issue no more, until what they issued has lapsed. */
  readonly retired: readonly { readonly certificate: string; readonly until: number }[];
}
export interface Facts {
  readonly now: number;
  readonly dnsNames: readonly string[];
  readonly lifetimes: Lifetimes;
  /** Whether every configuration carries this authority now. */
  readonly isCarried: (certificate: string) => boolean;
}

/** Two thirds of a life: a third is left to get over trouble. */
const due = ({ issued, notAfter }: Issued, now: number): boolean => now >= issued + ((notAfter - issued) * 2) / 3;

/** The first certificates. */
export async function found({ now, dnsNames, lifetimes }: Omit<Facts, 'isCarried'>): Promise<Certificates> {
  const issuing = await issueCa(now, lifetimes.caMs);
  return { issuing, leaf: await issueLeaf(issuing, dnsNames, now, lifetimes.leafMs), next: null, retired: [] };
}

/** What is to be next: the same value when nothing is to be done. */
export async function step(certificates: Certificates, facts: Facts): Promise<Certificates> {
  const { now, dnsNames, lifetimes, isCarried } = facts;
  const { issuing, leaf, next, retired } = certificates;
  // Everything has lapsed (the cluster slept): there is nothing to keep whole.
  if (issuing.notAfter <= now) return found(facts);
  const alive = retired.filter(({ until }) => until > now);
  if (alive.length < retired.length) return { ...certificates, retired: alive };
  if (next === null && due(issuing, now)) return { ...certificates, next: { ...(await issueCa(now, lifetimes.caMs)), carried: null } };
  if (next !== null && next.carried === null && isCarried(next.certificate)) return { ...certificates, next: { ...next, carried: now } };
  if (next !== null && next.carried !== null && now >= next.carried + lifetimes.graceMs && isCarried(next.certificate)) {
    const { carried: _, ...coming } = next;
    return {
      issuing: coming,
      leaf: await issueLeaf(coming, dnsNames, now, lifetimes.leafMs),
      next: null,
      // Other replicas serve the old certificate until they see the new one.
      retired: [...retired, { certificate: issuing.certificate, until: leaf.notAfter + skewMs }],
    };
  }
  if (due(leaf, now) || !isFor(leaf, dnsNames)) {
    const made = await issueLeaf(issuing, dnsNames, now, lifetimes.leafMs);
    // At the end of an authority's life a new leaf gains nothing over the old one.
    if (made.notAfter > leaf.notAfter || !isFor(leaf, dnsNames)) return { ...certificates, leaf: made };
  }
  return certificates;
}

/** The authorities that the API server has to trust, PEM: what issues first. */
export const bundleOf = ({ issuing, next, retired }: Certificates): string =>
  [issuing, ...(next === null ? [] : [next]), ...retired].map(({ certificate }) => `${certificate.trim()}\n`).join('');

function isFor({ certificate }: Issued, dnsNames: readonly string[]): boolean {
  const names = new X509Certificate(certificate).subjectAltName ?? '';
  return dnsNames.every((name) => names.split(', ').includes(`DNS:${name}`));
}
