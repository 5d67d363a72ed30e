/** The webhook configurations that the API server calls us by, as far as certificates go: what they trust, and how they are told. */
import { resources, KubeError, type Kube, type KubeObject, type Resource } from '../../platform/kube';
import { memberOf } from '../review/json';

export interface Configuration {
  readonly resource: Resource;
  readonly name: string;
  readonly resourceVersion: string;
  /** PEM, one for each of its webhooks; empty where there is none. */
  readonly bundles: readonly string[];
}

/** Those of the names that are there. */
export async function readConfigurations(
  kube: Kube,
  names: { readonly validating: readonly string[]; readonly mutating: readonly string[] },
): Promise<readonly Configuration[]> {
  const wanted = [
    ...names.validating.map((name) => ({ resource: resources.validatingWebhooks, name })),
    ...names.mutating.map((name) => ({ resource: resources.mutatingWebhooks, name })),
  ];
  const found = await Promise.all(
    wanted.map(async ({ resource, name }) => {
      const object = await kube.get(resource, { name });
      return object === null ? [] : [configurationOf(resource, object)];
    }),
  );
  return found.flat();
}

/** Gives a configuration this bundle wherever it has another, and says what it is then. Null when somebody wrote it meanwhile, or it went away. */
export async function publish(kube: Kube, configuration: Configuration, bundle: string): Promise<Configuration | null> {
  const { resource, name, resourceVersion, bundles } = configuration;
  const value = Buffer.from(bundle).toString('base64');
  const changes = bundles.flatMap((one, index) =>
    one === bundle ? [] : [{ op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value }],
  );
  if (changes.length === 0) return configuration;
  try {
    // The version that was read: an index means what it meant, and a bundle that is newer than ours is not overwritten.
    const patch = [{ op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion }, ...changes];
    return configurationOf(resource, await kube.patch(resource, { name }, patch, { type: 'json' }));
  } catch (error) {
    if (error instanceof KubeError && (error.status === 409 || error.status === 404 || error.status === 422)) return null;
    throw error;
  }
}

/** Whether every webhook of every configuration trusts this authority. */
export const isCarriedBy = (configurations: readonly Configuration[], certificate: string): boolean =>
  configurations.every(({ bundles }) => bundles.every((bundle) => bundle.includes(certificate.trim())));

function configurationOf(resource: Resource, object: KubeObject): Configuration {
  const webhooks = object['webhooks'];
  const bundles = (Array.isArray(webhooks) ? webhooks : []).map((webhook: unknown) => {
    const bundle = memberOf(memberOf(webhook, 'clientConfig'), 'caBundle');
    return typeof bundle === 'string' ? Buffer.from(bundle, 'base64').toString('utf8') : '';
  });
  return { resource, name: object.metadata.name, resourceVersion: object.metadata.resourceVersion ?? '', bundles };
}
