/** The kinds that the API server has to know before anything else: they stay when the servers are removed, and what is stored in them with them. */
import { customResourceDefinitions as generated } from '../crds/index';
import { labels } from './names';
import type { KubernetesObject } from './object';

export function customResourceDefinitions(): readonly KubernetesObject[] {
  return generated().map((definition) => {
    const { apiVersion, kind, metadata, ...rest } = definition as KubernetesObject; // a definition by its own generator and test
    return {
      apiVersion,
      kind,
      metadata: { ...metadata, labels: { ...labels }, annotations: { 'helm.sh/resource-policy': 'keep' } },
      ...rest,
    };
  });
}
