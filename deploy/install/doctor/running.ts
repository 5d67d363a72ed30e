/** Whether what is installed is whole, redundant, of one version, and has a release in force that its trust root stands for. */
import semver from 'semver';
import { meshNamespace } from '../../../core/bundle/custom-resource';
import { parseTrust } from '../../../core/bundle/trust';
import type { Diagnostic } from '../../../core/diagnostics/diagnostic';
import { install } from '../../../core/diagnostics/install';
import { customResourceDefinitions } from '../crds';
import { selectorOf, shared, type Server } from '../names';
import type { KubernetesObject } from '../object';
import { at, isRead, listAt, numberAt, ofKind, selects, textAt, type ClusterSnapshot } from './snapshot';

/** Of the API server. `matchConditions` and native sidecars are on by default from 1.30 on; 1.34 is what the product's own tests run on. */
export const supportedServers = '>=1.30.0 <1.37.0-0';
/** As webhook/inject names it. */
const sidecarName = 'meshwright-proxy';
const servers: readonly Server[] = ['control-plane', 'webhook', 'ca'];

export function examineRunning(snapshot: ClusterSnapshot): readonly Diagnostic[] {
  return [...serverVersion(snapshot), ...wholeness(snapshot), ...redundancy(snapshot), ...images(snapshot), ...releases(snapshot)];
}

function serverVersion({ serverVersion: version }: ClusterSnapshot): readonly Diagnostic[] {
  if (version === null) return [];
  const parsed = semver.coerce(version);
  return parsed !== null && semver.satisfies(parsed, supportedServers) ? [] : [install.serverVersion({ version, range: supportedServers })];
}

const ours = (snapshot: ClusterSnapshot, kind: 'Deployment' | 'Service' | 'ConfigMap', name: string): KubernetesObject | undefined =>
  ofKind(snapshot, kind).find(({ metadata }) => metadata.namespace === meshNamespace && metadata.name === name);

function wholeness(snapshot: ClusterSnapshot): readonly Diagnostic[] {
  const missing: string[] = [];
  if (isRead(snapshot, 'CustomResourceDefinition')) {
    const there = new Set(ofKind(snapshot, 'CustomResourceDefinition').map(({ metadata }) => metadata.name));
    for (const { metadata } of customResourceDefinitions())
      if (!there.has(metadata.name)) missing.push(`customresourcedefinition/${metadata.name}`);
  }
  for (const server of servers) {
    for (const kind of ['Deployment', 'Service'] as const)
      if (isRead(snapshot, kind) && !ours(snapshot, kind, server)) missing.push(`${kind.toLowerCase()}/${meshNamespace}/${server}`);
  }
  if (isRead(snapshot, 'ConfigMap') && !ours(snapshot, 'ConfigMap', shared.trustRoot))
    missing.push(`configmap/${meshNamespace}/${shared.trustRoot}`);
  if (
    isRead(snapshot, 'ValidatingWebhookConfiguration') &&
    ofKind(snapshot, 'ValidatingWebhookConfiguration').every(({ metadata }) => metadata.name !== 'meshwright')
  )
    missing.push('validatingwebhookconfiguration/meshwright');
  return missing.map((object) => install.missing({ object }));
}

function redundancy(snapshot: ClusterSnapshot): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const server of servers) {
    const deployment = ours(snapshot, 'Deployment', server);
    if (deployment === undefined) continue;
    const name = `deployment/${meshNamespace}/${server}`;
    const replicas = numberAt(deployment, 'spec', 'replicas') ?? 1;
    if (replicas < 2) found.push(install.replicas({ deployment: name, replicas }));
    if (!isRead(snapshot, 'PodDisruptionBudget')) continue;
    const budgets = ofKind(snapshot, 'PodDisruptionBudget').filter(
      (budget) => budget.metadata.namespace === meshNamespace && selects(at(budget, 'spec', 'selector'), selectorOf(server)),
    );
    if (budgets.length === 0)
      found.push(install.disruptionBudget({ deployment: name, reason: 'is not there: a drain may take every replica at once' }));
    for (const budget of budgets) {
      const reason = holdsDrains(at(budget, 'spec'), replicas);
      if (reason !== null) found.push(install.disruptionBudget({ deployment: name, reason }));
    }
  }
  return found;
}

/** Whether a budget forbids every eviction while all replicas are there. Percentages round up, as the disruption controller does. */
function holdsDrains(spec: unknown, replicas: number): string | null {
  const count = (value: unknown): number | null =>
    typeof value === 'number'
      ? value
      : typeof value === 'string' && value.endsWith('%')
        ? Math.ceil((parseInt(value, 10) / 100) * replicas)
        : null;
  const least = count(at(spec, 'minAvailable'));
  if (least !== null && least >= replicas) return `keeps ${least} of ${replicas} replicas: no node that runs one can be drained`;
  if (count(at(spec, 'maxUnavailable')) === 0) return 'lets no replica go: no node that runs one can be drained';
  return null;
}

/** Images of our containers: servers by their Deployments, sidecars by the pods that run them. */
function images(snapshot: ClusterSnapshot): readonly Diagnostic[] {
  const users = new Map<string, Set<string>>();
  const add = (image: string | undefined, user: string): void => {
    if (image !== undefined) users.set(image, (users.get(image) ?? new Set()).add(user));
  };
  for (const server of [...servers, 'gitops'] as const)
    for (const container of listAt(ours(snapshot, 'Deployment', server), 'spec', 'template', 'spec', 'containers'))
      add(textAt(container, 'image'), server);
  for (const pod of ofKind(snapshot, 'Pod')) {
    for (const container of listAt(pod, 'spec', 'initContainers'))
      if (textAt(container, 'name') === sidecarName) add(textAt(container, 'image'), `sidecars of ${pod.metadata.namespace ?? ''}`);
  }
  if (users.size < 2) return [];
  return [install.skew({ images: [...users].map(([image, by]) => `\`${image}\` (${[...by].sort().join(', ')})`).join(', ') })];
}

function releases(snapshot: ClusterSnapshot): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  const environment = environmentOf(snapshot);
  const release = ofKind(snapshot, 'Release').find(({ metadata }) => metadata.namespace === meshNamespace && metadata.name === environment);
  if (snapshot.live && environment !== undefined && isRead(snapshot, 'Release') && isRead(snapshot, 'CustomResourceDefinition')) {
    const state = release === undefined ? 'is not there: nothing was deployed yet' : stateOf(release);
    if (state !== null) found.push(install.releaseNotConverged({ release: `${meshNamespace}/${environment}`, state }));
  }
  const domains = new Set(rulesNamedBy(release, snapshot).flatMap((rules) => textAt(rules, 'spec', 'trustDomain') ?? []));
  const installation = textAt(webhookConfig(snapshot), 'injection', 'trustDomain');
  for (const policies of domains)
    if (installation !== undefined && policies !== installation) found.push(install.trustDomain({ policies, installation }));
  const text = textAt(ours(snapshot, 'ConfigMap', shared.trustRoot), 'data', 'trust.json');
  if (text === undefined || environment === undefined) return found;
  const bad = (reason: string): void => void found.push(install.trustFloor({ environment, reason }));
  const trust = parseTrust(text);
  if (trust.value === undefined) {
    bad(trust.diagnostics[0]?.message ?? 'it cannot be read');
    return found;
  }
  const trusted = Object.hasOwn(trust.value.environments, environment) ? trust.value.environments[environment] : undefined;
  const generation = numberAt(release, 'spec', 'generation');
  if (trusted === undefined || trusted.keys.length === 0) bad('it knows no key: nothing is admitted');
  else if (generation !== undefined && trusted.generationFloor >= generation)
    bad(
      `its floor ${trusted.generationFloor} is not below the live generation ${generation}: a release restored from a backup would be refused`,
    );
  else if (generation !== undefined && generation - trusted.generationFloor > 100)
    bad(
      `its floor ${trusted.generationFloor} is far below the live generation ${generation}: if the Release is ever lost, an old one can be put in its place`,
    );
  return found;
}

function stateOf(release: KubernetesObject): string | null {
  const condition = (type: string): unknown => listAt(release, 'status', 'conditions').find((one) => textAt(one, 'type') === type);
  const message = textAt(release, 'status', 'message');
  if (textAt(condition('Aborted'), 'status') === 'True')
    return `was aborted: ${message ?? textAt(condition('Aborted'), 'message') ?? 'no reason given'}`;
  if (textAt(condition('Converged'), 'status') === 'True') return null;
  return `has not converged${message === undefined ? ': no control plane has said anything about it' : `: ${message}`}`;
}

/** AdmissionRules of the release's candidate set. */
function rulesNamedBy(release: KubernetesObject | undefined, snapshot: ClusterSnapshot): readonly KubernetesObject[] {
  return ofKind(snapshot, 'AdmissionRules').filter((rules) => {
    const name = `AdmissionRules/${rules.metadata.namespace ?? ''}/${textAt(rules, 'proof', 'name') ?? ''}`;
    return textAt(release, 'spec', 'candidate', name) === textAt(rules, 'proof', 'digest');
  });
}

/** As the webhook's configuration says. */
export const environmentOf = (snapshot: ClusterSnapshot): string | undefined => textAt(webhookConfig(snapshot), 'environment');

function webhookConfig(snapshot: ClusterSnapshot): unknown {
  try {
    return JSON.parse(textAt(ours(snapshot, 'ConfigMap', 'webhook-config'), 'data', 'config.json') ?? 'null');
  } catch {
    return undefined;
  }
}
