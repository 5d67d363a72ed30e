/** The control plane's sources on Kubernetes: objects and Release, what runs where, and the lease of the one writer. */
import * as os from 'node:os';
import { hostPort } from '../../core/lib/host-port';
import { meshNamespace } from '../../core/bundle/custom-resource';
import type { RolloutStatus } from '../../core/bundle/status';
import type { TrustRoot } from '../../core/bundle/trust';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { canonicalJson } from '../../core/lib/json';
import { systemClock } from '../../platform/clock';
import { reachableHost } from '../../platform/listen-host';
import type { Log } from '../../platform/log';
import { kubeFromFile, kubeInCluster, resources, type Kube } from '../../platform/kube';
import type { Plane } from '../control-plane/plane';
import { RemoteProxies } from '../control-plane/remote';
import type { Inventory } from '../inventory';
import { inventoryOf } from './inventory';
import { holdLease, type HeldLease } from './lease';
import { principalOfPod, type MeshPod } from './pod';
import { followStore, type ClusterStore } from './store';

/** The member `kubernetes` of the control plane's configuration. */
export interface KubernetesConfig {
  /** Default: the service account of the pod it runs in. */
  readonly kubeconfig?: string;
  /** Of the mesh itself: always `meshwright`. */
  readonly namespace?: 'meshwright';
  /** Unique among the replicas; default the host's name, which is the pod's. */
  readonly identity?: string;
  /** `host:port` where other replicas reach this one's gRPC; default the address it listens on, or the pod's. */
  readonly address?: string;
  /** How long the lease of the one writer lasts unless renewed; default 10,000 ms. */
  readonly leaseMs?: number;
  /** How long an SVID lasts, at most: so long a proxy that is not connected may still serve. Default one hour. */
  readonly svidLifetimeMs?: number;
}
export interface ClusterOptions {
  readonly environment: string;
  readonly trustDomain: string;
  readonly trust: () => Promise<TrustRoot>;
  readonly listen: { readonly host: string; readonly port: number };
  readonly say: (diagnostic: Diagnostic) => void;
  readonly log: Log;
}
export interface Cluster {
  readonly store: ClusterStore;
  readonly remote: RemoteProxies;
  readonly lease: HeldLease;
  /** Feeds a plane: from now on it moves when something changes. `onLeader` is told when another replica leads, `onPlaces` what runs where. */
  drive(plane: Plane, onLeader: () => void, onPlaces: (inventory: Inventory) => void): Promise<void>;
  onStatus(status: RolloutStatus): void;
  isSynced(): boolean;
  /** Gives the lease back first. */
  close(): Promise<void>;
}

const hour = 3_600_000;
const defaultLeaseMs = 10_000;
const gatherMs = 20;

/** Begins to follow. Rejects when the kubeconfig cannot be used; an API that is away is waited for. */
export async function openCluster(config: KubernetesConfig, options: ClusterOptions): Promise<Cluster> {
  const { environment, log } = options;
  const clock = systemClock;
  const kube = await (config.kubeconfig === undefined ? kubeInCluster() : kubeFromFile(config.kubeconfig));
  const remote = new RemoteProxies();
  let onLeader: () => void = () => undefined;
  let wrote: string | null = null;
  const lease = holdLease(
    kube,
    {
      namespace: meshNamespace,
      name: `control-plane-${environment}`,
      identity: config.identity ?? os.hostname(),
      address: config.address ?? hostPort(reachableHost(options.listen.host), options.listen.port),
      lastsMs: config.leaseMs ?? defaultLeaseMs,
    },
    {
      clock,
      log,
      onChange: () => {
        const writer = lease.writer();
        if (writer !== null && writer !== wrote) store.lead();
        wrote = writer;
        onLeader();
      },
    },
  );
  const store = followStore(kube, {
    environment,
    trust: options.trust,
    now: clock.now,
    writer: lease.writer,
    overtaken: lease.overtaken,
    say: options.say,
    log,
  });
  let synced = false;
  void store.synced.then(() => (synced = true));
  let stopPlaces: () => void = () => undefined;
  return {
    store,
    remote,
    lease,
    async drive(plane, tell, onPlaces) {
      onLeader = () => {
        tell();
        plane.touch();
      };
      store.onChange(() => plane.touch());
      stopPlaces = await followPlaces(kube, options, (pods, inventory) => {
        noteProven(plane, remote, pods, options.trustDomain, clock.now() + (config.svidLifetimeMs ?? hour));
        if (inventory !== null) onPlaces(inventory);
      });
      onLeader();
    },
    onStatus: store.report,
    isSynced: () => synced,
    async close() {
      stopPlaces();
      await lease.close();
      await store.close();
    },
  };
}

/** Follows what runs where; many changes make one inventory. Resolves once the first is known. */
async function followPlaces(
  kube: Kube,
  { say, log }: ClusterOptions,
  onChange: (pods: readonly MeshPod[], inventory: Inventory | null) => void,
): Promise<() => void> {
  let timer: NodeJS.Timeout | null = null;
  let said = new Set<string>();
  let before = '';
  let tookMs = 0;
  let ready = false;
  const look = (): void => {
    timer = null;
    const started = performance.now();
    const [pods, services, slices] = followers.map((one) => one.items().values());
    const { inventory, pods: known, diagnostics } = inventoryOf({ pods: pods ?? [], services: services ?? [], slices: slices ?? [] });
    for (const diagnostic of diagnostics) if (!said.has(diagnostic.message)) say(diagnostic);
    said = new Set(diagnostics.map(({ message }) => message));
    // Most changes of a pod's status say nothing of where it is.
    const text = canonicalJson(inventory);
    onChange(known, text === before ? null : inventory);
    before = text;
    tookMs = performance.now() - started;
  };
  const changed = (): void => {
    if (ready) timer ??= setTimeout(look, Math.max(gatherMs, 3 * tookMs));
  };
  const onTrouble = (error: Error): void =>
    log.warn({ reason: error.message }, 'the Kubernetes API cannot be followed: what is known to run stays');
  const followers = [resources.pods, resources.services, resources.endpointSlices].map((kind) => kube.follow(kind, { onTrouble }, changed));
  await Promise.all(followers.map((one) => one.synced));
  ready = true;
  look();
  return () => {
    if (timer !== null) clearTimeout(timer);
    for (const follower of followers) follower.close();
  };
}

/**
 * Whom nobody here has seen, and who may serve all the same (ADR 0105): a pod that has a token to prove itself with and is ready has proved itself, and so has
 * one that the decision in force counts among the expected. Whose pod is gone serves nothing any more.
 */
function noteProven(plane: Plane, remote: RemoteProxies, pods: readonly MeshPod[], trustDomain: string, notAfter: number): void {
  const expected = new Set(plane.store.live()?.progress.expected.map(({ instance }) => instance));
  const seen = plane.store.seen();
  const there = new Set([...pods.map(({ id }) => id), ...plane.local().map(({ instance }) => instance), ...remote.instances()]);
  const kept = [...seen].filter(([instance]) => there.has(instance));
  const added = pods
    .filter((pod) => !seen.has(pod.id) && (expected.has(pod.id) || (pod.injected && pod.ready)))
    .map((pod) => [pod.id, { workload: pod.workload, principal: principalOfPod(pod, trustDomain), notAfter }] as const);
  if (added.length === 0 && kept.length === seen.size) return;
  void plane.store.setSeen(new Map([...kept, ...added]));
  plane.touch();
}
