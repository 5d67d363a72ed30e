/** The webhook's certificates after some time, without that time: the Secret says that months have passed, and the replicas do by themselves what is due. */
import { KubeError, resources, type Kube, type KubeObject, type Ref } from '../../platform/kube';
import { present } from './present';

/** `authorities.json` in the Secret. */
export interface Authorities {
  readonly leaf: object;
  readonly issuing: object;
  readonly next: { readonly carried: number | null } | null;
  readonly retired: readonly object[];
}
export interface AgedCertificates {
  kept(): Promise<Authorities>;
  /** A leaf that is due to be renewed. */
  leaf(): Promise<void>;
  /** An authority whose successor is due. */
  authority(): Promise<void>;
  /** The next authority is carried for long. */
  carried(): Promise<void>;
  /** Nothing of the authorities before can be alive. */
  retired(): Promise<void>;
}

const day = 24 * 3600_000;

export function agedCertificates(kube: Kube, secret: Ref): AgedCertificates {
  const read = async (): Promise<KubeObject> => present(await kube.get(resources.secrets, secret));
  const change = async (edit: (authorities: Authorities) => Authorities): Promise<void> => {
    for (;;) {
      const object = await read();
      const text = JSON.stringify(edit(authoritiesIn(object)));
      const data = Object.assign({}, object['data'], { 'authorities.json': Buffer.from(text).toString('base64') });
      try {
        await kube.replace(resources.secrets, { ...object, data });
        return;
      } catch (error) {
        if (!(error instanceof KubeError && error.status === 409)) throw error;
      }
    }
  };
  return {
    kept: async () => authoritiesIn(await read()),
    leaf: () => change(({ leaf, ...rest }) => ({ ...rest, leaf: { ...leaf, issued: Date.now() - 300 * day } })),
    authority: () => change(({ issuing, ...rest }) => ({ ...rest, issuing: { ...issuing, issued: Date.now() - 3_000 * day } })),
    carried: () => change(({ next, ...rest }) => ({ ...rest, next: next === null ? null : { ...next, carried: Date.now() - day } })),
    retired: () => change((all) => ({ ...all, retired: all.retired.map((one) => ({ ...one, until: Date.now() - 1 })) })),
  };
}

const authoritiesIn = (object: KubeObject): Authorities => {
  const { data } = object as KubeObject & { readonly data: Record<string, string> };
  return JSON.parse(Buffer.from(data['authorities.json'] ?? '', 'base64').toString());
};

/** How many certificates a bundle has. */
export const certificatesIn = (bundle: string): number => bundle.split('BEGIN CERTIFICATE').length - 1;
