/** The root in a Secret, so that replicas of the CA hold nothing of their own. Whoever creates it first founds the mesh; the others read what is there. */
import { reasonOf } from '../../core/lib/reason';
import { resources, KubeError, type Kube, type KubeObject } from '../../platform/kube';
import { fieldsOf, textOf } from '../rpc/decode';
import { authorityOf, foundRoot, type Authority, type RootMaterial } from './authority';

const keyName = 'root.key';
const certificateName = 'root.crt';

/** Opens the authority whose root is in the Secret, or founds one there. Rejects with one line. */
export async function openAuthorityInSecret(
  kube: Kube,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  trustDomain: string,
  now: () => number,
): Promise<Authority> {
  const place = `Secret ${namespace}/${name}`;
  const ref = { namespace, name };
  let kept = await kube.get(resources.secrets, ref);
  if (kept === null) {
    const root = await foundRoot(trustDomain, now);
    try {
      kept = await kube.create(resources.secrets, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { ...ref, labels: { 'app.kubernetes.io/part-of': 'meshwright' } },
        // Nobody changes it afterwards, by mistake or otherwise: a new root is a new Secret.
        immutable: true,
        type: 'Opaque',
        data: { [keyName]: encoded(root.key), [certificateName]: encoded(root.certificate) },
      });
    } catch (error) {
      if (!(error instanceof KubeError) || error.reason !== 'AlreadyExists') throw error;
      kept = await kube.get(resources.secrets, ref); // another replica was faster
    }
  }
  if (kept === null) throw new Error(`${place} goes away while it is read: find out who deletes it`);
  return authorityOf(materialIn(kept, place), trustDomain, now, place);
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
