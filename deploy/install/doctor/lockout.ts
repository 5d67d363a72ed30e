/** Whether the webhook configurations can lock the cluster or themselves out, leave something unreviewed, or outlive what they call. */
import { meshNamespace, plurals } from '../../../core/bundle/custom-resource';
import type { Diagnostic } from '../../../core/diagnostics/diagnostic';
import { install } from '../../../core/diagnostics/install';
import { entryNames, installationName } from '../names';
import { at, covers, entriesOf, isOurs, isRead, listAt, numberAt, ofKind, selects, type ClusterSnapshot, type Entry } from './snapshot';

const startedFirst = [meshNamespace, 'kube-system'] as const;
/** Requests of controllers and kubelets give up after ten seconds or more; two rounds of a webhook have to fit in. */
const longestTimeout = 10;

export function examineLockout(snapshot: ClusterSnapshot): readonly Diagnostic[] {
  if (!isRead(snapshot, 'ValidatingWebhookConfiguration') || !isRead(snapshot, 'MutatingWebhookConfiguration')) return [];
  const entries = entriesOf(snapshot);
  const ours = entries.filter(isOurs);
  return [
    ...[...ours, ...entries.filter((entry) => !isOurs(entry) && entry.service?.startsWith(`${meshNamespace}/`))].flatMap((entry) =>
      startedFirst
        .filter((namespace) => holdsBack(entry, namespace, snapshot))
        .map((namespace) => install.lockout({ entry: entry.name, namespace })),
    ),
    ...ours.flatMap(entryFindings),
    ...(snapshot.live ? answering(snapshot, ours) : []),
    ...coverage(snapshot, ours),
    ...installations(snapshot, ours),
  ];
}

/** Whether pods of the namespace wait for the entry. Conditions are not evaluated: what excludes a namespace by CEL is taken for no exclusion. */
function holdsBack(entry: Entry, namespace: string, snapshot: ClusterSnapshot): boolean {
  if (!entry.failsClosed) return false;
  const startsPods = [
    ['', 'pods'],
    ['apps', 'deployments'],
    ['apps', 'replicasets'],
    ['apps', 'daemonsets'],
  ] as const;
  if (!startsPods.some(([group, resource]) => covers(entry, group, resource, 'CREATE'))) return false;
  const known = ofKind(snapshot, 'Namespace').find(({ metadata }) => metadata.name === namespace);
  const labels = { ...known?.metadata.labels, 'kubernetes.io/metadata.name': namespace };
  if (!selects(at(entry.webhook, 'namespaceSelector'), labels)) return false;
  // A selector of the objects themselves excludes pods that do not carry its label: ours carry none of injection's.
  return selects(at(entry.webhook, 'objectSelector'), { 'app.kubernetes.io/name': 'meshwright' });
}

function entryFindings(entry: Entry): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  const name = `${entry.place} ${entry.name}`;
  const seconds = numberAt(entry.webhook, 'timeoutSeconds') ?? 10;
  if (seconds > longestTimeout) found.push(install.timeout({ entry: name, seconds }));
  if (!entry.failsClosed) {
    const injects = entry.name.endsWith(entryNames.injection);
    found.push(
      install.failsOpen({ entry: name, what: injects ? 'pods start without their proxy' : 'everything that it covers is admitted unseen' }),
    );
  }
  return found;
}

function answering(snapshot: ClusterSnapshot, ours: readonly Entry[]): readonly Diagnostic[] {
  if (!isRead(snapshot, 'Service')) return [];
  const services = new Set(ofKind(snapshot, 'Service').map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name}`));
  const found = new Map<string, Diagnostic>();
  for (const { service, place } of ours) {
    if (service === null) continue;
    if (!services.has(service)) found.set(`${place} ${service}`, install.leftover({ configuration: place, service }));
    else if (isRead(snapshot, 'EndpointSlice') && !isReady(snapshot, service))
      found.set(`${place} ${service}`, install.nobodyAnswers({ configuration: place, service }));
  }
  return [...found.values()];
}

function isReady(snapshot: ClusterSnapshot, service: string): boolean {
  return ofKind(snapshot, 'EndpointSlice').some(
    (slice) =>
      `${slice.metadata.namespace ?? ''}/${slice.metadata.labels?.['kubernetes.io/service-name'] ?? ''}` === service &&
      listAt(slice, 'endpoints').some(
        (endpoint) => at(endpoint, 'conditions', 'ready') !== false && listAt(endpoint, 'addresses').length > 0,
      ),
  );
}

/** Our own kinds are reviewed in every namespace and whatever their labels are: a selector or a condition that leaves some out is a way in. */
function coverage(snapshot: ClusterSnapshot, ours: readonly Entry[]): readonly Diagnostic[] {
  const validating = ours.filter(({ configuration }) => configuration.kind === 'ValidatingWebhookConfiguration');
  const installed = ofKind(snapshot, 'Namespace').some(({ metadata }) => metadata.name === meshNamespace);
  if (!installed) return [];
  const found: Diagnostic[] = [];
  const everything = (entry: Entry): boolean =>
    [at(entry.webhook, 'namespaceSelector'), at(entry.webhook, 'objectSelector')].every((selector) => isEmpty(selector)) &&
    listAt(entry.webhook, 'matchConditions').length === 0;
  for (const plural of Object.values(plurals)) {
    const covering = validating.filter((entry) =>
      ['CREATE', 'UPDATE', 'DELETE'].every((operation) => covers(entry, 'meshwright.dev', plural, operation)),
    );
    const what = `\`${plural}.meshwright.dev\``;
    if (covering.length === 0)
      found.push(install.notReviewed({ what, reason: `no entry of \`validatingwebhookconfiguration/${installationName}\` covers it` }));
    else if (!covering.some(everything))
      found.push(install.notReviewed({ what, reason: `\`${covering[0]?.name ?? ''}\` leaves some out by a selector or a condition` }));
  }
  if (!validating.some((entry) => covers(entry, 'apiextensions.k8s.io', 'customresourcedefinitions', 'DELETE')))
    found.push(
      install.notReviewed({
        what: 'the deletion of the kinds, and of all objects with them,',
        reason: `no entry of \`validatingwebhookconfiguration/${installationName}\` covers it`,
      }),
    );
  if (!validating.some((entry) => covers(entry, '', 'pods', 'CREATE') && covers(entry, 'apps', 'deployments', 'CREATE')))
    found.push(
      install.notReviewed({
        what: 'what runs in the cluster',
        reason: `no entry of \`validatingwebhookconfiguration/${installationName}\` covers pods and deployments`,
      }),
    );
  return found;
}

const isEmpty = (selector: unknown): boolean =>
  listAt(selector, 'matchExpressions').length === 0 && Object.keys(at(selector, 'matchLabels') ?? {}).length === 0;

function installations(snapshot: ClusterSnapshot, ours: readonly Entry[]): readonly Diagnostic[] {
  const configurations = new Set(
    ours.filter(({ configuration }) => configuration.kind === 'ValidatingWebhookConfiguration').map(({ place }) => place),
  );
  const namespaces = new Set(
    ofKind(snapshot, 'Deployment')
      .filter(
        ({ metadata }) =>
          metadata.labels?.['app.kubernetes.io/name'] === 'meshwright' && metadata.labels['app.kubernetes.io/component'] === 'webhook',
      )
      .map(({ metadata }) => `deployment ${metadata.namespace ?? ''}/${metadata.name}`),
  );
  const places = [configurations, namespaces].filter(({ size }) => size > 1).flatMap((set) => [...set].sort());
  return places.length === 0 ? [] : [install.twoInstallations({ places: places.map((place) => `\`${place}\``).join(', ') })];
}
