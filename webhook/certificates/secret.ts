/** The certificates in a Secret of type kubernetes.io/tls. Every write says which version it replaces: of two replicas one wins and the other reads. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { resources, KubeError, type Kube, type KubeObject, type Ref } from '../../platform/kube';
import { isFields, memberOf } from '../review/json';
import type { Issued } from './issue';
import { bundleOf, type Certificates } from './rotation';

export type Kept =
  | { readonly kind: 'nothing'; readonly secret: KubeObject | null }
  | { readonly kind: 'certificates'; readonly secret: KubeObject; readonly certificates: Certificates }
  /** Somebody else wrote it. `reason` is one line. */
  | { readonly kind: 'foreign'; readonly reason: string };

const keys = { leaf: 'tls.crt', leafKey: 'tls.key', bundle: 'ca.crt', authorities: 'authorities.json' } as const;

export async function readKept(kube: Kube, ref: Ref): Promise<Kept> {
  const secret = await kube.get(resources.secrets, ref);
  const data = secret?.['data'];
  if (secret === null || !isFields(data) || Object.values(data).every((value) => value === '')) return { kind: 'nothing', secret };
  try {
    return { kind: 'certificates', secret, certificates: certificatesIn(data) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return {
      kind: 'foreign',
      reason: `Secret ${ref.namespace}/${ref.name} is not what this webhook wrote: ${why}; delete it, and it is made anew`,
    };
  }
}

/** Writes over what was read. False when somebody was faster. */
export async function writeKept(kube: Kube, ref: Ref, over: KubeObject | null, certificates: Certificates): Promise<boolean> {
  const object: KubeObject = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      ...(over?.metadata ?? { name: ref.name, ...(ref.namespace === undefined ? {} : { namespace: ref.namespace }) }),
    },
    type: over === null ? 'kubernetes.io/tls' : over['type'],
    data: dataOf(certificates),
  };
  try {
    await (over === null ? kube.create(resources.secrets, object) : kube.replace(resources.secrets, object));
    return true;
  } catch (error) {
    if (error instanceof KubeError && (error.status === 409 || error.status === 404)) return false;
    throw error;
  }
}

function dataOf(certificates: Certificates): { readonly [key: string]: string } {
  const { leaf, issuing, next, retired } = certificates;
  const { issued, notAfter } = leaf;
  return {
    [keys.leaf]: encoded(leaf.certificate),
    [keys.leafKey]: encoded(leaf.key),
    [keys.bundle]: encoded(bundleOf(certificates)),
    [keys.authorities]: encoded(JSON.stringify({ leaf: { issued, notAfter }, issuing, next, retired })),
  };
}

/** Throws with why it is none of ours: a part is missing, or the parts do not belong together. */
function certificatesIn(data: object): Certificates {
  const text = (key: string): string => {
    const value = memberOf(data, key);
    if (typeof value !== 'string' || value === '') throw new Error(`it has no \`${key}\``);
    return Buffer.from(value, 'base64').toString('utf8');
  };
  let kept: unknown;
  try {
    kept = JSON.parse(text(keys.authorities));
  } catch (error) {
    if (error instanceof SyntaxError) throw new Error(`\`${keys.authorities}\` is not JSON`, { cause: error });
    throw error;
  }
  const times = memberOf(kept, 'leaf');
  const issuing = issuedIn(memberOf(kept, 'issuing'));
  const coming = memberOf(kept, 'next');
  const retired = memberOf(kept, 'retired');
  const carried = memberOf(coming, 'carried');
  const leaf: Issued = {
    certificate: text(keys.leaf),
    key: text(keys.leafKey),
    issued: numberIn(times, 'issued'),
    notAfter: numberIn(times, 'notAfter'),
  };
  assertIssuedBy(leaf, issuing);
  return {
    issuing,
    leaf,
    next: coming === null ? null : { ...issuedIn(coming), carried: carried === null ? null : numberIn(coming, 'carried') },
    retired: (Array.isArray(retired) ? retired : []).map((one: unknown) => ({
      certificate: textIn(one, 'certificate'),
      until: numberIn(one, 'until'),
    })),
  };
}

function assertIssuedBy(leaf: Issued, ca: Issued): void {
  let why = '';
  try {
    const certificate = new X509Certificate(leaf.certificate);
    const authority = new X509Certificate(ca.certificate);
    if (!certificate.checkIssued(authority) || !certificate.verify(authority.publicKey)) why = 'is not of the authority beside it';
    else if (!certificate.checkPrivateKey(createPrivateKey(leaf.key))) why = 'is not that of the key beside it';
    else if (!authority.checkPrivateKey(createPrivateKey(ca.key))) why = 'has an authority without its key';
  } catch {
    why = 'cannot be read';
  }
  if (why !== '') throw new Error(`its certificate ${why}`);
}

const issuedIn = (value: unknown): Issued => ({
  certificate: textIn(value, 'certificate'),
  key: textIn(value, 'key'),
  issued: numberIn(value, 'issued'),
  notAfter: numberIn(value, 'notAfter'),
});
function textIn(value: unknown, key: string): string {
  const text = memberOf(value, key);
  if (typeof text !== 'string') throw new Error(`\`${keys.authorities}\` has no \`${key}\` where one belongs`);
  return text;
}
function numberIn(value: unknown, key: string): number {
  const number = memberOf(value, key);
  if (typeof number !== 'number') throw new Error(`\`${keys.authorities}\` has no \`${key}\` where one belongs`);
  return number;
}
const encoded = (text: string): string => Buffer.from(text).toString('base64');
