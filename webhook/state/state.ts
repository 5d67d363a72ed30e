/** What the webhook follows of the Kubernetes API: the live release, the rules it puts in force, namespaces, and what products run. */
import type { Product } from '../../core/bundle/admission-rules';
import type { ReleaseSet } from '../../core/bundle/objects';
import { meshNamespace } from '../../core/bundle/custom-resource';
import type { Log } from '../../platform/log';
import { keyOf, resources, type Follower, type Kube, type KubeObject, type Resource } from '../../platform/kube';
import type { LiveSets, RulesInForce, StateSnapshot, Trusted } from '../admit/context';
import { podIn } from '../admit/pods';
import { productsIn } from '../admit/products';
import type { SignatureCache } from '../admit/signatures';
import { memberOf } from '../review/json';
import { lineOf } from './followed-file';
import { liveSetsOf, rulesFrom } from './live';

export interface WebhookState {
  snapshot(): StateSnapshot;
  /** Generation of the release whose rules are in force, the one before while the live one rolls out; 0 for none. */
  rulesGeneration(): number;
  /** Resolves once everything was listed and read. */
  readonly ready: Promise<void>;
  /** Reads everything again: the trust root changed. */
  refresh(): void;
  close(): void;
}
export interface StateOptions {
  readonly kube: Kube;
  readonly environment: string;
  readonly trust: () => Trusted;
  readonly signatures: SignatureCache;
  readonly log: Log;
}

const none: RulesInForce = { kind: 'none' };
const productResources: readonly Resource[] = [resources.deployments, resources.daemonSets, resources.statefulSets];
const versionEveryMs = 60_000;
const gatewayDefinition = 'gateways.gateway.networking.k8s.io';
const gatewayVersion = 'gateway.networking.k8s.io/bundle-version';

export function followState({ kube, environment, trust, signatures, log }: StateOptions): WebhookState {
  let live: LiveSets | null | 'unreadable' = null;
  let rules: RulesInForce = none;
  let generation = 0;
  let terminating: ReadonlySet<string> = new Set();
  let namespaceLabels: StateSnapshot['namespaceLabels'] = new Map();
  let products: ReadonlyMap<Product, readonly string[]> | null = null;
  let clusterVersions: readonly (readonly [Product, string])[] | null = null;
  let closed = false;
  let read = false;

  let pending = false;
  let running: Promise<void> = Promise.resolve();
  let markReady: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => (markReady = resolve));
  const follow = (
    resource: Resource,
    options: { readonly namespace?: string; readonly fieldSelector?: string },
    changed: () => void,
  ): Follower =>
    kube.follow(
      resource,
      { ...options, onTrouble: (error) => log.warn({ resource: resource.plural, err: error }, 'cannot follow the Kubernetes API') },
      changed,
    );
  const releases = follow(resources.releases, { namespace: meshNamespace }, schedule);
  const rulesObjects = follow(resources.admissionRules, { namespace: meshNamespace }, schedule);
  const namespaces = follow(resources.namespaces, {}, readNamespaces);
  const needed = [releases, rulesObjects, namespaces];
  /** Followed only while some rule asks which products run: there may be many. */
  let runningProducts: readonly Follower[] = [];
  let versionTimer: NodeJS.Timeout | null = null;

  function schedule(): void {
    if (pending || closed) return;
    pending = true;
    running = running.then(async () => {
      pending = false;
      await readLive();
    });
  }

  /** Two watches, and the release may be seen before the rules that it names: then they are asked for, and what was in force stays until the answer. */
  async function rulesOf(set: ReleaseSet): Promise<RulesInForce> {
    const read = (items: ReadonlyMap<string, unknown>): Promise<RulesInForce> => rulesFrom(items, set, environment, trust(), signatures);
    const followed = await read(rulesObjects.items());
    if (followed.kind !== 'unknown') return followed;
    try {
      const { items } = await kube.list(resources.admissionRules, { namespace: meshNamespace });
      return await read(new Map(items.map((item) => [keyOf(item), item])));
    } catch {
      return followed;
    }
  }

  async function readLive(): Promise<void> {
    if (!releases.isSynced() || !rulesObjects.isSynced()) return;
    const resource = releases.items().get(`${meshNamespace}/${environment}`);
    if (resource === undefined) {
      live = null;
      rules = none;
      generation = 0;
    } else {
      try {
        const sets = liveSetsOf(resource);
        live = sets;
        const next = await rulesOf(sets.inForce);
        if (next.kind === 'unknown')
          log.error({ reason: next.reason }, 'the admission rules in force are not known: workloads are refused');
        rules = next;
        generation = next.kind === 'none' ? 0 : sets.since;
      } catch (error) {
        live = 'unreadable';
        rules = { kind: 'unknown', reason: `the live release cannot be read: ${lineOf(error)}` };
        log.error({ reason: lineOf(error) }, 'the live release cannot be read');
      }
    }
    followProducts(rules.kind === 'known' && rules.index.products.length > 0);
    read = true;
    if (namespaces.isSynced()) markReady();
  }

  function readNamespaces(): void {
    namespaceLabels = new Map([...namespaces.items().values()].map(({ metadata }) => [metadata.name, metadata.labels ?? {}]));
    terminating = new Set(
      [...namespaces.items().values()]
        .filter(({ metadata }) => metadata.deletionTimestamp !== undefined)
        .map(({ metadata }) => metadata.name),
    );
    if (read) markReady();
  }

  function followProducts(wanted: boolean): void {
    if (!wanted) {
      for (const follower of runningProducts) follower.close();
      runningProducts = [];
      if (versionTimer !== null) clearInterval(versionTimer);
      versionTimer = null;
      products = null;
      return;
    }
    if (runningProducts.length > 0 || closed) return;
    runningProducts = [
      ...productResources.map((resource) => follow(resource, {}, readProducts)),
      follow(resources.customResourceDefinitions, { fieldSelector: 'metadata.name=gateways.gateway.networking.k8s.io' }, readProducts),
    ];
    void askVersion();
    versionTimer = setInterval(() => void askVersion(), versionEveryMs);
    versionTimer.unref();
  }

  async function askVersion(): Promise<void> {
    try {
      const version = memberOf(await kube.request('GET', '/version'), 'gitVersion');
      const gateways = await kube.get(resources.customResourceDefinitions, { name: gatewayDefinition });
      const gatewayApi = gateways?.metadata.annotations?.[gatewayVersion];
      if (typeof version === 'string') {
        // `v1.34.4-eks-1`, `v1.34.4+k3s1`: the vendor's suffix is no prerelease.
        clusterVersions = [
          ['kubernetes', version.replace(/^v/, '').replace(/[-+].*$/, '')],
          ...(gatewayApi === undefined ? [] : [['gateway-api', gatewayApi.replace(/^v/, '')] as const]),
        ];
      }
    } catch (error) {
      log.warn({ err: error }, 'cannot ask the Kubernetes API for versions');
    }
    readProducts();
  }

  function readProducts(): void {
    if (closed || clusterVersions === null || runningProducts.length === 0 || !runningProducts.every((follower) => follower.isSynced()))
      return;
    const found = new Map<Product, Set<string>>();
    const add = (product: Product, version: string): void => {
      const versions = found.get(product) ?? new Set();
      found.set(product, versions.add(version));
    };
    for (const [product, version] of clusterVersions) add(product, version);
    for (const follower of runningProducts)
      for (const item of follower.items().values()) for (const [product, version] of versionsOf(item)) add(product, version);
    products = new Map([...found].map(([product, versions]) => [product, [...versions]]));
  }

  return {
    ready,
    snapshot: () => ({
      synced: read && needed.every((follower) => follower.isSynced()),
      stale: releases.isStale() || rulesObjects.isStale() || namespaces.isStale(),
      live,
      rules,
      terminating,
      namespaceLabels,
      products,
    }),
    rulesGeneration: () => generation,
    refresh: schedule,
    close() {
      closed = true;
      for (const follower of [...needed, ...runningProducts]) follower.close();
      if (versionTimer !== null) clearInterval(versionTimer);
    },
  };
}

/** The products that something in the API is, with their versions. */
function versionsOf(item: KubeObject): readonly (readonly [Product, string])[] {
  // A list holds no kinds: a workload of these three has its pod in the same place.
  const pod = podIn('apps', 'Deployment', item);
  return pod === null ? [] : productsIn(pod).flatMap(({ product, version }) => (version === null ? [] : [[product, version] as const]));
}
