/** Pods and what makes them, by the rules in force. Every rule that covers the old or the new form holds: taking a label off is no way out. */
import { admit } from '../../core/diagnostics/admit';
import type { RuleMode } from '../../core/bundle/admission-rules';
import { podLabels } from '../../core/mesh/pod';
import { checkInjected, sidecarImages } from '../inject/check';
import { isFields, memberOf } from '../review/json';
import type { Review } from '../review/review';
import type { AdmitContext, RulesInForce } from './context';
import { jobOf } from './deployers';
import { isFrom, parseImage, type ParsedImage } from './images';
import { isSamePod, podIn, versionLabel, workloadOf, type PodFacts } from './pods';
import { productFindings, productsIn } from './products';
import type { CompiledDeployRule, NamespaceRules } from './rules-index';
import { allow, deny, undecided, verdictOf, type Finding, type Verdict } from './verdict';
import { isOlder, parseVersion } from './versions';

/**
 * Controllers of Kubernetes itself: what they make for an owner was judged when the owner was written, so they need not be deployers. Everything else
 * is judged again.
 */
const builtIn: ReadonlySet<string> = new Set([
  'system:kube-controller-manager',
  ...['deployment', 'replicaset', 'statefulset', 'daemon-set', 'job', 'cronjob', 'replication'].map(
    (name) => `system:serviceaccount:kube-system:${name}-controller`,
  ),
]);

/** Of one pod; a megabyte of containers would keep every other review waiting. */
const mostImages = 1_000;
/** Of one rule: who reads more has to look at the whole pod anyway. */
const mostImageFindings = 20;

/** The verdict on a workload that is created or changed. */
export function adjudicateWorkload(review: Review, what: string, context: AdmitContext): Verdict {
  const { state } = context;
  if (review.operation === 'DELETE' || review.operation === 'CONNECT') return allow('workload');
  if (!state.synced) return undecided(what, admit.undecided({ reason: 'what is live is not known' }));
  if (review.object === null) return deny('workload', what, 'object', admit.malformed({ reason: 'the review has no object' }));
  const { group, kind } = review.kind;
  const pod = podIn(group, kind, review.object);
  const old = podIn(group, kind, review.oldObject);
  if (pod === null) return allow('workload');
  // Then there is nothing to judge again, and what waits for its end can end.
  if (old !== null && isSamePod(old, pod)) return allow('workload');
  const sidecar = sidecarFindings(review, pod, old, context);
  if (sidecar.length > 0) return verdictOf('injection', what, sidecar);
  return byRules(state.rules, review, what, pod, old, context);
}

/** Whether a pod has the sidecar that it asks for, or that policy wants for its workload, as the injector writes it. */
function sidecarFindings(review: Review, pod: PodFacts, old: PodFacts | null, { state, injection }: AdmitContext): readonly Finding[] {
  if (injection === null || review.kind.group !== '' || review.kind.kind !== 'Pod') return [];
  const name = workloadOf(pod.labels);
  const namespace = state.rules.kind === 'known' ? state.rules.index.namespace(review.namespace) : null;
  // What runs as such a workload already was let in as it is.
  const becomes = old === null || workloadOf(old.labels) !== name;
  const required = name !== null && becomes && (namespace?.workloads.get(name)?.injected ?? false);
  const fault = checkInjected(
    review.object,
    { settings: injection, namespace: review.namespace, namespaceLabels: state.namespaceLabels.get(review.namespace) ?? null, required },
    review.operation === 'UPDATE' ? review.oldObject : undefined,
  );
  return fault === null ? [] : [{ mode: 'deny', ...fault }];
}

function byRules(rules: RulesInForce, review: Review, what: string, pod: PodFacts, old: PodFacts | null, context: AdmitContext): Verdict {
  switch (rules.kind) {
    case 'none':
      return allow('workload');
    case 'unknown':
      return deny('workload', what, 'metadata', admit.rulesUnknown({ reason: rules.reason }));
    case 'known': {
      const namespace = rules.index.namespace(review.namespace);
      const count = pod.images.length;
      if (count > mostImages && (namespace !== null || rules.index.products.length > 0))
        return deny('workload', what, `${pod.path}spec`, admit.tooManyImages({ count, most: mostImages }));
      const deploys = namespace === null ? [] : workloadFindings(namespace, review, pod, old, context);
      const running = context.state.products;
      if (running === null && rules.index.products.length > 0 && productsIn(pod).length > 0)
        return undecided(what, admit.undecided({ reason: 'which products run is not known yet' }));
      const products = productFindings(rules.index.products, pod, running ?? new Map());
      const rule = deploys.length === 0 && products.length > 0 ? 'product' : 'workload';
      return verdictOf(rule, what, [...deploys, ...products]);
    }
  }
}

function workloadFindings(
  namespace: NamespaceRules,
  review: Review,
  pod: PodFacts,
  old: PodFacts | null,
  context: AdmitContext,
): readonly Finding[] {
  const names = [workloadOf(pod.labels), old === null ? null : workloadOf(old.labels)];
  const rules = new Set(namespace.whole);
  for (const name of names) if (name !== null) for (const rule of namespace.byWorkload.get(name) ?? []) rules.add(rule);
  const found: Finding[] = [];
  const images = namesOf(pod, context.meshImages, sidecarPlaces(review, context));
  for (const rule of rules) {
    const note = (field: string, diagnostic: Finding['diagnostic'], mode: RuleMode = rule.mode): void =>
      void found.push({ mode, field, diagnostic });
    if (!madeByController(review) && !rule.deployers.has(review.user, jobOf(review.user, context.jobUsernamePrefix)))
      note('metadata', admit.workloadDeployer({ user: review.user.username, rule: rule.id }));
    imageFindings(rule, images, note);
    versionFindings(rule, pod, old, note);
  }
  if (namespace.declared !== null) declaredFindings(namespace, namespace.declared, review.namespace, pod, found);
  return found;
}

type Note = (field: string, diagnostic: Finding['diagnostic'], mode?: RuleMode) => void;

type NamedImage = PodFacts['images'][number] & { readonly parsed: ParsedImage };
/** The images that rules are about, read once for all of them. */
const namesOf = (pod: PodFacts, meshImages: ReadonlySet<string>, sidecar: readonly string[]): readonly NamedImage[] =>
  pod.images
    .filter(({ field, image }) => !meshImages.has(image) && !sidecar.includes(field))
    .map((one) => ({ ...one, parsed: parseImage(one.image) }));

/** By place, not by image: whoever names the mesh's image for a container of his own runs what he likes in it. */
function sidecarPlaces({ kind, object, namespace, operation }: Review, { injection, state }: AdmitContext): readonly string[] {
  if (injection === null || kind.group !== '' || kind.kind !== 'Pod') return [];
  const namespaceLabels = state.namespaceLabels.get(namespace) ?? null;
  return sidecarImages(object, { settings: injection, namespace, namespaceLabels }, operation === 'UPDATE');
}

function imageFindings(rule: CompiledDeployRule, named: readonly NamedImage[], noteAny: Note): void {
  const { images } = rule;
  if (images === null) return;
  let found = 0;
  const note: Note = (field, diagnostic) => {
    found += 1;
    noteAny(field, diagnostic);
  };
  for (const { field, image, parsed } of named) {
    if (found >= mostImageFindings) return;
    if (parsed.kind === 'malformed') {
      note(field, admit.imageName({ image: image.slice(0, 200), reason: parsed.reason }));
      continue;
    }
    if (!images.from.some((prefix) => isFrom(parsed.image, prefix)))
      note(field, admit.imageSource({ image, from: images.from, rule: rule.id }));
    if (images.digest === 'required' && parsed.image.digest === null) note(field, admit.imageDigest({ image, rule: rule.id }));
  }
}

function versionFindings(rule: CompiledDeployRule, pod: PodFacts, old: PodFacts | null, note: Note): void {
  if (rule.version === null) return;
  const field = `${pod.path}metadata.labels.${versionLabel}`;
  const text = pod.labels.get(versionLabel) ?? null;
  const version = text === null ? null : parseVersion(text);
  if (version === null) return note(field, admit.versionUnreadable({ version: text, rule: rule.id }));
  const { range, downgrade } = rule.version;
  if (!range.has(version)) note(field, admit.versionRange({ version: version.version, range: range.text, rule: rule.id }));
  const before = parseVersion(old?.labels.get(versionLabel) ?? '');
  if (before !== null && isOlder(version, before)) {
    const mode = downgrade === 'warn' && rule.mode === 'deny' ? 'warn' : rule.mode;
    note(field, admit.downgrade({ before: before.version, after: version.version, rule: rule.id }), mode);
  }
}

function declaredFindings(namespace: NamespaceRules, mode: RuleMode, name: string, pod: PodFacts, found: Finding[]): void {
  const note: Note = (field, diagnostic) => void found.push({ mode, field, diagnostic });
  const workload = workloadOf(pod.labels);
  const declared = workload === null ? undefined : namespace.workloads.get(workload);
  if (workload === null || declared === undefined)
    return note(`${pod.path}metadata.labels`, admit.undeclaredWorkload({ workload, namespace: name }));
  if (pod.serviceAccount !== declared.serviceAccount) {
    note(
      `${pod.path}spec.serviceAccountName`,
      admit.serviceAccount({ account: pod.serviceAccount, declared: declared.serviceAccount, workload: declared.workload }),
    );
  }
  const version = pod.labels.get(podLabels.version) ?? null;
  if (declared.versions !== undefined && (version === null || !declared.versions.includes(version)))
    note(
      `${pod.path}metadata.labels.version`,
      admit.undeclaredVersion({ version, declared: declared.versions, workload: declared.workload }),
    );
}

/** Whether a controller of Kubernetes writes something that an owner wants, or keeps its own notes on what others wrote. */
function madeByController({ user, object, operation }: Review): boolean {
  if (!builtIn.has(user.username)) return false;
  if (operation === 'UPDATE') return true;
  const owners = memberOf(memberOf(object, 'metadata'), 'ownerReferences');
  return Array.isArray(owners) && owners.some((owner) => isFields(owner) && memberOf(owner, 'controller') === true);
}
