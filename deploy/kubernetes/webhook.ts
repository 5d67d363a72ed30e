/** meshwright itself in a cluster, as Pulumi resources: what the chart installs, from the same source (`deploy/install`). */
import { getVersion } from '@pulumi/kubernetes/utilities';
import * as pulumi from '@pulumi/pulumi';
import { checkValues } from '../install/check';
import { installObjects } from '../install/install';
import { objectKey, type KubernetesObject } from '../install/object';
import type { InstallValues } from '../install/values';

/** Values that differ from the chart's own (`deploy/chart/values.yaml`); what is left out takes its default. */
export type WebhookArgs = PartialValues<InstallValues> &
  Pick<InstallValues, 'environment' | 'trustDomain' | 'image' | 'trustRoot' | 'deployers'>;
type PartialValues<T> = T extends readonly unknown[] ? T : T extends object ? { readonly [key in keyof T]?: PartialValues<T[key]> } : T;

/** Any object of the API, as the vendor's classes are: their type is the group, the version and the kind. */
class ApiObject extends pulumi.CustomResource {
  constructor(name: string, object: KubernetesObject, options: pulumi.CustomResourceOptions) {
    const group = object.apiVersion.includes('/') ? object.apiVersion : `core/${object.apiVersion}`;
    super(`kubernetes:${group}:${object.kind}`, name, { ...object }, { ...options, version: getVersion() });
  }
}

/**
 * The admission webhook with all that belongs to it: kinds, control plane, certificate authority, injection. The configurations that make the API server ask
 * come last, when what they ask is up, and go first. The namespace stays when this is destroyed: the releases live in it.
 */
export class Webhook extends pulumi.ComponentResource {
  /** Throws RunError with every value that is wrong. */
  constructor(name: string, args: WebhookArgs, options: pulumi.ComponentResourceOptions = {}) {
    super('meshwright:kubernetes:Webhook', name, {}, options);
    const { value, diagnostics } = checkValues(args);
    if (!value) throw new pulumi.RunError(diagnostics.map((one) => `${one.code}: ${one.message}`).join('\n'));
    const made: { readonly kind: string; readonly resource: pulumi.Resource }[] = [];
    for (const object of installObjects(value)) {
      const { kind, metadata } = object;
      const resource = new ApiObject(objectKey(object), object, {
        parent: this,
        dependsOn: made.filter((before) => asksOthers(kind) || before.kind === 'Namespace').map((before) => before.resource),
        ...(metadata.annotations?.['helm.sh/resource-policy'] === 'keep' ? { retainOnDelete: true } : {}),
      });
      made.push({ kind, resource });
    }
    this.registerOutputs({});
  }
}

const asksOthers = (kind: string): boolean => kind === 'ValidatingWebhookConfiguration' || kind === 'MutatingWebhookConfiguration';
