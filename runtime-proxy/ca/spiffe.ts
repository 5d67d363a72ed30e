/** Who a certificate speaks for. SPIFFE: one URI SAN, `spiffe://<trust domain>/<path>` (https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md). */
import { createHash, X509Certificate } from 'node:crypto';
import type { Principal, WorkloadKey } from '../../core/mesh/ids';
import { principalOf } from '../../core/mesh/ids';

/** What the CA vouches for: the principal by the URI SAN, the instance by the subject's common name, the workload by its organisational unit. */
export interface Identity {
  readonly principal: Principal;
  readonly workload: WorkloadKey;
  /** Unique in the mesh: `reviews-v1-1`. */
  readonly instance: string;
  /** It was proved by a pod's service-account token, and is proved so again for each further certificate. Absent: by a join token. */
  readonly proof?: 'pod';
}
/** An identity read from a certificate whose chain was verified. */
export interface PeerIdentity extends Identity {
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
}

/** The subject's organisation says how the identity was proved. */
const organisations = { token: 'meshwright', pod: 'meshwright pods' } as const;
export const organisationOf = ({ proof }: Identity): string => organisations[proof ?? 'token'];

/** Namespace `meshwright` is the mesh's own: no policy may declare it, no join token for a workload may name it. */
export const controlPlanePrincipal = (trustDomain: string): Principal => principalOf(trustDomain, 'meshwright', 'control-plane');
export const caPrincipal = (trustDomain: string): Principal => principalOf(trustDomain, 'meshwright', 'ca');

const label = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';
const domain = `${label}(\\.${label})*`;
const principalPattern = new RegExp(`^spiffe://${domain}/ns/${label}/sa/${label}(\\.${label})*$`);
const workloadPattern = new RegExp(`^${label}/${label}(\\.${label})*$`);
const instancePattern = /^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$/;

export const isPrincipal = (text: string): text is Principal => text.length <= 512 && principalPattern.test(text);
export const isWorkloadKey = (text: string): text is WorkloadKey => workloadPattern.test(text);
/** Lower-case letters, digits, `-` and `.`: at most 64, the limit of a common name. */
export const isInstanceId = (text: string): boolean => instancePattern.test(text);
export const isTrustDomain = (text: string): boolean => text.length <= 255 && new RegExp(`^${domain}$`).test(text);

const longestInstanceId = 64;
const hashDigits = 20;

/**
 * The instance that a pod is: `<pod>.<namespace>`, or where that is too long for a common name its beginning, `..` and a hash of the whole.
 * No two pods are one instance: a namespace has no dot in it and a pod's name does not end with one.
 */
export function instanceIdOf(podName: string, namespace: string): string {
  const whole = `${podName}.${namespace}`;
  if (whole.length <= longestInstanceId) return whole;
  const hash = createHash('sha256').update(whole).digest('hex').slice(0, hashDigits);
  return `${podName.slice(0, longestInstanceId - hashDigits - 2).replace(/[.-]+$/, '')}..${hash}`;
}

/**
 * Reads the identity of a peer from its certificate (DER), which the TLS layer has verified against the mesh's roots. null for anything that
 * is not exactly one SPIFFE URI and nothing else, or lacks instance or workload: such a peer is nobody.
 */
export function identityOf(der: Uint8Array): PeerIdentity | null {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(der);
  } catch {
    return null;
  }
  const principal = uriOf(certificate.subjectAltName);
  const subject = new Map(
    certificate.subject.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  const instance = subject.get('CN') ?? '';
  const workload = subject.get('OU') ?? '';
  if (principal === null || !isInstanceId(instance) || !isWorkloadKey(workload)) return null;
  const proof = subject.get('O') === organisations.pod ? ({ proof: 'pod' } as const) : {};
  return { principal, workload, instance, ...proof, notAfter: Date.parse(certificate.validTo) };
}

/** The one SPIFFE URI of a subjectAltName as Node prints it (`URI:spiffe://...`), null when there is another entry beside it. */
export function uriOf(subjectAltName: string | undefined): Principal | null {
  if (subjectAltName === undefined || !subjectAltName.startsWith('URI:')) return null;
  const uri = subjectAltName.slice('URI:'.length);
  return isPrincipal(uri) ? uri : null;
}
