/**
 * The root in a Secret, so that replicas of the CA hold nothing of their own. Whoever creates it first founds the mesh; the others read what is there, and
 * whoever runs puts back what is deleted: the next replica to start would found another mesh beside it.
 */
import { reasonOf } from '../../core/lib/reason';
import { resources, KubeError, type Kube, type KubeObject } from '../../platform/kube';
import { fieldsOf, textOf } from '../rpc/decode';
import { authorityOf, foundRoot, type Authority, type RootMaterial } from './authority';

const keyName = 'root.key';
const certificateName = 'root.crt';

/** An authority by what a Secret held when it was opened. */
export interface KeptAuthority {
  readonly authority: Authority;
  /**
   * Compares with what is there now, and puts it back where nothing is; says whether it was put back, and why this authority counts no more (one line, null
   * while it does). Rejects when the API server does not answer.
   */
  look(): Promise<{ readonly putBack: boolean; readonly overtaken: string | null }>;
}

/** Opens the authority whose root is in the Secret, or founds one there. Rejects with one line. */
export async function openAuthorityInSecret(
  kube: Kube,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  trustDomain: string,
  now: () => number,
): Promise<KeptAuthority> {
  const place = `Secret ${namespace}/${name}`;
  const ref = { namespace, name };
  /** False: another replica was faster. */
  const put = async ({ key, certificate }: RootMaterial): Promise<boolean> => {
    try {
      await kube.create(resources.secrets, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { ...ref, labels: { 'app.kubernetes.io/part-of': 'meshwright' } },
        // Nobody changes it afterwards, by mistake or otherwise: a new root is a new Secret.
        immutable: true,
        type: 'Opaque',
        data: { [keyName]: encoded(key), [certificateName]: encoded(certificate) },
      });
      return true;
    } catch (error) {
      if (error instanceof KubeError && error.reason === 'AlreadyExists') return false;
      throw error;
    }
  };
  let there = await kube.get(resources.secrets, ref);
  if (there === null) {
    await put(await foundRoot(trustDomain, now));
    there = await kube.get(resources.secrets, ref);
  }
  if (there === null) throw new Error(`${place} goes away while it is read: find out who deletes it`);
  const material = materialIn(there, place);
  return {
    authority: await authorityOf(material, trustDomain, now, place),
    async look() {
      let found = await kube.get(resources.secrets, ref);
      const putBack = found === null && (await put(material));
      if (found === null) found = await kube.get(resources.secrets, ref);
      const isOther = found !== null && certificateIn(found) !== material.certificate;
      return { putBack, overtaken: isOther ? `${place} holds another root than the one that this CA started with` : null };
    },
  };
}

function certificateIn({ data }: KubeObject): string | null {
  try {
    return decoded(textOf(fieldsOf(data, '`data`'), certificateName, 64 * 1024));
  } catch {
    return null;
  }
}

function materialIn(secret: KubeObject, place: string): RootMaterial {
  try {
    const data = fieldsOf(secret['data'], '`data`');
    return { key: decoded(textOf(data, keyName, 64 * 1024)), certificate: decoded(textOf(data, certificateName, 64 * 1024)) };
  } catch (error) {
    throw new Error(`${place} does not hold a root: ${reasonOf(error)}; put back what was there, or delete it to found the mesh anew`, {
      cause: error,
    });
  }
}

const encoded = (text: string): string => Buffer.from(text).toString('base64');
const decoded = (text: string): string => Buffer.from(text, 'base64').toString('utf8');
