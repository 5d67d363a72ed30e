/** What `doctor` looks at: objects of a cluster, or those that a chart would make. Decoding is lenient: what is not of the form is as if it was not there. */
import type { KubernetesObject } from '../object';

export interface ClusterSnapshot {
  /** False: these are the chart's objects, so what servers and controllers add is not expected. */
  readonly live: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** `v1.34.4`; null when it is not known. */
  readonly serverVersion: string | null;
  /** Of all kinds that `kindsRead` names. */
  readonly objects: readonly KubernetesObject[];
  /** What could not be read, and why. What it would have shown is not examined. */
  readonly unread: readonly { readonly kind: string; readonly reason: string }[];
}

export const kindsRead = [
  'Namespace',
  'Service',
  'EndpointSlice',
  'Deployment',
  'PodDisruptionBudget',
  'ConfigMap',
  'Secret',
  'Pod',
  'CustomResourceDefinition',
  'ValidatingWebhookConfiguration',
  'MutatingWebhookConfiguration',
  'ClusterRole',
  'ClusterRoleBinding',
  'Role',
  'RoleBinding',
  'Release',
  'AdmissionRules',
] as const;
export type KindRead = (typeof kindsRead)[number];

export const ofKind = ({ objects }: ClusterSnapshot, kind: KindRead): readonly KubernetesObject[] =>
  objects.filter((object) => object.kind === kind);
/** Whether objects of the kind are known: what was not read is not missing. */
export const isRead = ({ unread }: ClusterSnapshot, kind: KindRead): boolean => !unread.some((one) => one.kind === kind);

/** The member at a path, undefined where there is none. */
export const at = (value: unknown, ...path: readonly (string | number)[]): unknown =>
  path.reduce<unknown>(
    (node, name) => (typeof node === 'object' && node !== null && Object.hasOwn(node, name) ? Reflect.get(node, name) : undefined),
    value,
  );
export const listAt = (value: unknown, ...path: readonly (string | number)[]): readonly unknown[] => {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
};
export const textAt = (value: unknown, ...path: readonly (string | number)[]): string | undefined => {
  const found = at(value, ...path);
  return typeof found === 'string' ? found : undefined;
};
export const textsAt = (value: unknown, ...path: readonly (string | number)[]): readonly string[] =>
  listAt(value, ...path).filter((one): one is string => typeof one === 'string');
export const numberAt = (value: unknown, ...path: readonly (string | number)[]): number | undefined => {
  const found = at(value, ...path);
  return typeof found === 'number' ? found : undefined;
};

/** `metav1.LabelSelector`: an absent or empty one selects everything, an operator that is not known nothing. */
export function selects(selector: unknown, labels: Readonly<Record<string, string>>): boolean {
  const has = (key: string): string | undefined => (Object.hasOwn(labels, key) ? labels[key] : undefined);
  const equal = Object.entries(at(selector, 'matchLabels') ?? {}).every(([key, value]) => has(key) === value);
  return (
    equal &&
    listAt(selector, 'matchExpressions').every((expression) => {
      const value = has(textAt(expression, 'key') ?? '');
      const values = textsAt(expression, 'values');
      switch (textAt(expression, 'operator')) {
        case 'In':
          return value !== undefined && values.includes(value);
        case 'NotIn':
          return value === undefined || !values.includes(value);
        case 'Exists':
          return value !== undefined;
        case 'DoesNotExist':
          return value === undefined;
        default:
          return false;
      }
    })
  );
}

/** One webhook of a configuration. */
export interface Entry {
  readonly configuration: KubernetesObject;
  /** `validatingwebhookconfiguration/meshwright`, as kubectl takes it. */
  readonly place: string;
  readonly name: string;
  readonly webhook: unknown;
  /** `namespace/name` of the service that is called; null for an address. */
  readonly service: string | null;
  readonly failsClosed: boolean;
}

export function entriesOf(snapshot: ClusterSnapshot): readonly Entry[] {
  return [...ofKind(snapshot, 'ValidatingWebhookConfiguration'), ...ofKind(snapshot, 'MutatingWebhookConfiguration')].flatMap(
    (configuration) =>
      listAt(configuration, 'webhooks').map((webhook): Entry => {
        const service = at(webhook, 'clientConfig', 'service');
        return {
          configuration,
          place: `${configuration.kind.toLowerCase()}/${configuration.metadata.name}`,
          name: textAt(webhook, 'name') ?? '',
          webhook,
          service: service === undefined ? null : `${textAt(service, 'namespace') ?? ''}/${textAt(service, 'name') ?? ''}`,
          failsClosed: (textAt(webhook, 'failurePolicy') ?? 'Fail') === 'Fail',
        };
      }),
  );
}
/** Ours by the name of the entry: whoever renamed the configuration did not rename these. */
export const isOurs = ({ name }: Entry): boolean => name.endsWith('.meshwright.dev');

/** Whether a rule of the entry covers a resource and an operation; `*` covers subresources with `*` + `/*` only, as the API server has it. */
export function covers({ webhook }: Entry, group: string, resource: string, operation: string): boolean {
  const [, subresource] = resource.split('/');
  return listAt(webhook, 'rules').some((rule) => {
    const among = (member: string, ...wanted: readonly string[]): boolean => textsAt(rule, member).some((one) => wanted.includes(one));
    const resources =
      subresource === undefined ? [resource, '*', '*/*'] : [resource, '*/*', `${resource.split('/')[0] ?? ''}/*`, `*/${subresource}`];
    return among('apiGroups', group, '*') && among('operations', operation, '*') && among('resources', ...resources);
  });
}
