/** Who may do more than it needs, and who may switch admission off. */
import { meshNamespace } from '../../../core/bundle/custom-resource';
import type { Diagnostic } from '../../../core/diagnostics/diagnostic';
import { install } from '../../../core/diagnostics/install';
import type { Server } from '../names';
import type { KubernetesObject } from '../object';
import { permissions } from '../permissions';
import { at, isRead, listAt, ofKind, textAt, textsAt, type ClusterSnapshot } from './snapshot';

const servers: readonly Server[] = ['control-plane', 'webhook', 'ca', 'gitops'];
const shownAtMost = 12;

export function examineRights(snapshot: ClusterSnapshot): readonly Diagnostic[] {
  if (!isRead(snapshot, 'ClusterRole') || !isRead(snapshot, 'ClusterRoleBinding')) return [];
  return [...servers.flatMap((server) => wider(snapshot, server)), ...switchers(snapshot)];
}

interface Grant {
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
  readonly names: readonly string[];
}
/** A role's rules, one grant for each verb and resource. */
const grantsOf = (role: KubernetesObject | undefined): readonly Grant[] =>
  listAt(role, 'rules').flatMap((rule) =>
    textsAt(rule, 'apiGroups').flatMap((group) =>
      textsAt(rule, 'resources').flatMap((resource) =>
        textsAt(rule, 'verbs').map((verb) => ({ group, resource, verb, names: textsAt(rule, 'resourceNames') })),
      ),
    ),
  );

function wider(snapshot: ClusterSnapshot, server: Server): readonly Diagnostic[] {
  const account = `${meshNamespace}/${server}`;
  const extra = new Set<string>();
  for (const binding of [...ofKind(snapshot, 'ClusterRoleBinding'), ...ofKind(snapshot, 'RoleBinding')]) {
    if (!listAt(binding, 'subjects').some((subject) => isAccount(subject, server))) continue;
    const namespaced = binding.kind === 'RoleBinding';
    const role = roleOf(snapshot, binding);
    const name = textAt(binding, 'roleRef', 'name') ?? '';
    if (role === undefined) continue;
    for (const grant of grantsOf(role)) {
      if (!isNeeded(grant, server, namespaced && binding.metadata.namespace === meshNamespace))
        extra.add(`\`${grant.verb} ${grant.resource}${grant.group === '' ? '' : `.${grant.group}`}\` by \`${role.kind}/${name}\``);
    }
  }
  return extra.size === 0 ? [] : [install.widerRights({ account, what: cut([...extra]) })];
}

/** Subjects that are this account; those that are every account are left out: what they may do is the cluster's own choice. */
const isAccount = (subject: unknown, server: Server): boolean =>
  (textAt(subject, 'kind') === 'ServiceAccount' && textAt(subject, 'name') === server && textAt(subject, 'namespace') === meshNamespace) ||
  (textAt(subject, 'kind') === 'User' && textAt(subject, 'name') === `system:serviceaccount:${meshNamespace}:${server}`) ||
  (textAt(subject, 'kind') === 'Group' && textAt(subject, 'name') === `system:serviceaccounts:${meshNamespace}`);

function isNeeded({ group, resource, verb, names }: Grant, server: Server, namespaced: boolean): boolean {
  return permissions.some(
    (row) =>
      row.server === server &&
      (row.scope === 'cluster' || namespaced) &&
      row.apiGroup === group &&
      row.resource === resource &&
      row.verbs.some((one) => one === verb) &&
      (row.names === undefined || (names.length > 0 && names.every((name) => row.names?.includes(name)))),
  );
}

function roleOf(snapshot: ClusterSnapshot, binding: KubernetesObject): KubernetesObject | undefined {
  const [kind, name] = [textAt(binding, 'roleRef', 'kind'), textAt(binding, 'roleRef', 'name')];
  return kind === 'Role'
    ? ofKind(snapshot, 'Role').find(({ metadata }) => metadata.name === name && metadata.namespace === binding.metadata.namespace)
    : ofKind(snapshot, 'ClusterRole').find(({ metadata }) => metadata.name === name);
}

/** Everybody who is bound cluster-wide to a role that may write webhook configurations, our own webhook excepted: it may patch ours. */
function switchers(snapshot: ClusterSnapshot): readonly Diagnostic[] {
  const dangerous = new Set(
    ofKind(snapshot, 'ClusterRole')
      .filter((role) =>
        grantsOf(role).some(
          ({ group, resource, verb }) =>
            ['admissionregistration.k8s.io', '*'].includes(group) &&
            ['validatingwebhookconfigurations', 'mutatingwebhookconfigurations', '*'].includes(resource) &&
            ['update', 'patch', 'delete', 'deletecollection', '*'].includes(verb),
        ),
      )
      .map(({ metadata }) => metadata.name),
  );
  const who = new Set<string>();
  for (const binding of ofKind(snapshot, 'ClusterRoleBinding')) {
    const role = textAt(binding, 'roleRef', 'name') ?? '';
    if (!dangerous.has(role)) continue;
    for (const subject of listAt(binding, 'subjects')) {
      if (isAccount(subject, 'webhook') && textAt(subject, 'kind') !== 'Group') continue;
      const namespace = at(subject, 'namespace');
      who.add(
        `${textAt(subject, 'kind') ?? ''} \`${typeof namespace === 'string' ? `${namespace}/` : ''}${textAt(subject, 'name') ?? ''}\` (${role})`,
      );
    }
  }
  return who.size === 0 ? [] : [install.whoMayEdit({ who: cut([...who].sort()) })];
}

const cut = (list: readonly string[]): string =>
  list.length <= shownAtMost ? list.join(', ') : `${list.slice(0, shownAtMost).join(', ')} and ${list.length - shownAtMost} more`;
