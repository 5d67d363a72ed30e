/**
 * What the control plane knows, from the Kubernetes API: objects and the Release of its environment are followed and verified, the decision in force lies in
 * the Release's status. What was once in force stays known here, whatever becomes of the API: a Release that is deleted, damaged or incomplete takes
 * nothing away. Only the replica that holds the lease writes.
 */
import { meshNamespace, signedReleaseOf } from '../../core/bundle/custom-resource';
import type { SignedObject, SignedRelease } from '../../core/bundle/objects';
import { groupResources } from '../../core/bundle/parts';
import { FormError } from '../../core/bundle/release-form';
import type { ReleaseStatusResource } from '../../core/bundle/release-status';
import type { RolloutStatus } from '../../core/bundle/status';
import type { TrustRoot } from '../../core/bundle/trust';
import { verifyRelease, verifyReleaseSignature, verifyResources } from '../../core/bundle/verify';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { enforce } from '../../core/diagnostics/enforce';
import { sign } from '../../core/diagnostics/sign';
import { digestOfJson, type Digest } from '../../core/lib/digest';
import { beginRollout, type RolloutProgress } from '../../core/rollout/rollout';
import { reasonOf } from '../../core/lib/reason';
import type { Log } from '../../platform/log';
import { keyOf, KubeError, resources, type Kube, type KubeObject } from '../../platform/kube';
import { emptyStatus } from '../control-plane/status';
import { missingOf, planOf, readProgress, stableExpected, type Live, type Seen, type Store } from '../control-plane/store';
import { recordIn, textIn } from './pod';
import { beforeIn, releaseStatusOf, statusKey, type Standing } from './release-status';

export interface ClusterStoreConfig {
  readonly environment: string;
  /** Read at each look: a key that was taken out verifies nothing any more. */
  readonly trust: () => Promise<TrustRoot>;
  readonly now: () => number;
  /** The lease's writer while this replica leads, else null. */
  readonly writer: () => string | null;
  /** Somebody else was found to write. */
  readonly overtaken: () => void;
  readonly say: (diagnostic: Diagnostic) => void;
  readonly log: Log;
}
export interface ClusterStore extends Store {
  /** Resolves when everything was read and verified once. */
  readonly synced: Promise<void>;
  /** Called when something is in force that was not, or not so, before. */
  onChange(listener: () => void): void;
  /** This replica leads now: makes itself the writer, and begins what waits to begin. */
  lead(): void;
  /** The roll-out as the plane sees it: goes into the status, now and then. */
  report(status: RolloutStatus): void;
  close(): Promise<void>;
}

/** The Release in one state of what is signed of it. */
interface Judged {
  readonly key: string;
  /** null: it does not verify. */
  readonly signed: SignedRelease | null;
  readonly why: string;
}
interface Believed {
  /** Of the resource, or of each of its parts. */
  readonly version: string;
  readonly signed: SignedObject | null;
}
const objectKinds = [resources.serviceConfigs, resources.proxyConfigs, resources.admissionRules] as const;
const reportMs = 300;
const retryMs = { first: 200, longest: 5_000 };
const namesSaid = 3;

export function followStore(kube: Kube, config: ClusterStoreConfig): ClusterStore {
  const { environment, log } = config;
  const believed = new Map<string, Believed>();
  let objects = new Map<Digest, SignedObject>();
  let live: Live | null = null;
  let standing: Standing = { kind: 'in-force' };
  /** A Release that is verified and complete, and that nobody has begun. */
  let waiting: SignedRelease | null = null;
  let ready = false;
  let seen: ReadonlyMap<string, Seen> = new Map();
  let status: RolloutStatus | null = null;
  let trustKey = '';
  let judged: Judged | null = null;
  /** The writer that has put its name into the Release: it need not do so again. */
  let claimed: string | null = null;
  const listeners = new Set<() => void>();
  const said = new Map<string, string>();
  let markSynced: () => void = () => undefined;
  const synced = new Promise<void>((resolve) => (markSynced = resolve));

  let objectsChanged = true;
  const onTrouble = (error: Error): void =>
    log.warn({ reason: error.message }, 'the Kubernetes API cannot be followed: what is known stays');
  const followers = objectKinds.map((kind) => ({
    kind,
    follower: kube.follow(kind, { onTrouble }, () => {
      objectsChanged = true;
      touch();
    }),
  }));
  const releases = kube.follow(
    resources.releases,
    { namespace: meshNamespace, fieldSelector: `metadata.name=${environment}`, onTrouble },
    () => touch(),
  );
  /** What this replica wrote last, until the watch brings it or something newer. */
  let written: KubeObject | null = null;
  const release = (): KubeObject | null => {
    const item = releases.items().get(`${meshNamespace}/${environment}`) ?? null;
    if (item === null || written === null || written.metadata.uid !== item.metadata.uid) return item;
    return Number(written.metadata.resourceVersion) > Number(item.metadata.resourceVersion) ? written : item;
  };

  /** Says what is wrong with a resource, once for each state of it. */
  const say = (resource: string, version: string, reason: string): void => {
    if (said.get(resource) === version) return;
    said.set(resource, version);
    config.say(enforce.resourceNotBelieved({ resource, reason }));
  };

  const lookAtObjects = async (trust: TrustRoot): Promise<void> => {
    if (!objectsChanged) return;
    objectsChanged = false;
    const there = new Set<string>();
    for (const { kind, follower } of followers) {
      for (const group of groupResources(follower.items().values())) {
        const [first] = group;
        // Of an object in parts the others are on their way: until then it is not there.
        if (!first || group.length < partsOf(first)) continue;
        const key = `${kind.kind} ${group.map(keyOf).toSorted()[0] ?? ''}`;
        there.add(key);
        const version = group
          .map(({ metadata }) => `${metadata.uid} ${metadata.resourceVersion}`)
          .toSorted()
          .join();
        if (believed.get(key)?.version !== version) believed.set(key, { version, signed: await verified(group, key, version, trust) });
      }
    }
    for (const key of believed.keys())
      if (!there.has(key)) {
        believed.delete(key);
        said.delete(key);
      }
    const next = new Map<Digest, SignedObject>();
    // What is in force stays known here, also when it has gone from the API.
    const kept = live === null ? [] : [...Object.values(live.signed.release.stable), ...Object.values(live.signed.release.candidate)];
    for (const digest of kept) {
      const object = objects.get(digest);
      if (object) next.set(digest, object);
    }
    for (const { signed } of believed.values()) if (signed) next.set(signed.digest, signed);
    objects = next;
  };
  const verified = async (group: readonly KubeObject[], key: string, version: string, trust: TrustRoot): Promise<SignedObject | null> => {
    const { value, diagnostics } = await verifyResources(group, environment, trust);
    // null: of another environment, not ours to judge
    if (value === undefined) say(key, version, diagnostics[0]?.message ?? 'it does not verify');
    return value ?? null;
  };

  /** Judges the Release that lies in the API. */
  const lookAtRelease = async (trust: TrustRoot): Promise<void> => {
    waiting = null;
    const item = release();
    if (item === null) {
      standing = { kind: 'in-force' };
      if (live !== null) say(`Release ${meshNamespace}/${environment}`, 'gone', 'it was deleted; what it put in force stays');
      return;
    }
    const refuse = (why: string): void => {
      standing = { kind: 'refused', why };
      say(`Release ${keyOf(item)}`, `${item.metadata.uid} ${item.metadata.generation}`, why);
    };
    // What was signed changes with the generation; every decision writes the status, and leaves it.
    const key = `${item.metadata.uid} ${item.metadata.generation} ${trustKey}`;
    if (judged?.key !== key) judged = { key, ...(await verifiedRelease(item, trust)) };
    const { signed } = judged;
    if (signed === null) return refuse(judged.why);
    const persisted = progressIn(item, signed);
    if (live !== null && live.signed.digest !== signed.digest && signed.release.generation <= live.signed.release.generation)
      return refuse(olderThan(live, signed)); // whatever its status says
    if (persisted === null && live?.signed.digest !== signed.digest) {
      const why = await unfit(signed, progressDigest(item), trust);
      if (why !== null) return refuse(why);
    }
    const missing = [...missingOf(store, signed.release.stable), ...missingOf(store, signed.release.candidate)];
    if (missing.length > 0) {
      const names = [...new Set(missing.map(([name, digest]) => `\`${name}\` as ${digest.slice(0, 19)}`))];
      const said = `${names.slice(0, namesSaid).join(', ')}${names.length > namesSaid ? ` and ${names.length - namesSaid} more` : ''}`;
      standing = {
        kind: 'waits',
        why: enforce.releaseWaits({ generation: signed.release.generation, missing: said, count: names.length }).message,
      };
      return;
    }
    // What was decided while this was judged is newer than what was judged.
    if (release() !== item) return touch();
    standing = { kind: 'in-force' };
    if (persisted === null) waiting = signed;
    else take({ signed, progress: persisted });
  };
  const verifiedRelease = async (item: KubeObject, trust: TrustRoot): Promise<Omit<Judged, 'key'>> => {
    let signed: SignedRelease;
    try {
      signed = signedReleaseOf(item);
    } catch (error) {
      return { signed: null, why: error instanceof FormError ? error.message : 'it cannot be read' };
    }
    const { value, diagnostics } = await verifyReleaseSignature(signed, trust);
    if (!value) return { signed: null, why: diagnostics[0]?.message ?? 'it does not verify' };
    const given = value.release.environment;
    return given === environment
      ? { signed, why: '' }
      : { signed: null, why: enforce.otherEnvironment({ given, served: environment }).message };
  };
  /** Whether a release may follow what is in force: why not. */
  const unfit = async (signed: SignedRelease, decided: string | null, trust: TrustRoot): Promise<string | null> => {
    const { generation, stable, notAfter } = signed.release;
    const known = live && {
      generation: live.signed.release.generation,
      digest: live.signed.digest,
      inForce: stableExpected(live, stable),
    };
    // One between was never in force here (it was admitted, and replaced before its objects were there), or the one before is not known any more.
    if (known === null ? decided !== null : generation > known.generation + 1)
      return Date.parse(notAfter) < config.now() ? sign.expired({ notAfter, now: new Date(config.now()).toISOString() }).message : null;
    const { diagnostics } = await verifyRelease(signed, { trust, now: config.now(), live: known });
    return diagnostics[0]?.message ?? null;
  };
  const take = (next: Live): void => {
    if (live?.signed.digest === next.signed.digest && digestOfJson(live.progress) === digestOfJson(next.progress)) return;
    live = next;
    for (const listener of listeners) listener();
  };

  // One look at a time; many changes make one look.
  let dirty = false;
  let looking: Promise<void> | null = null;
  let closed = false;
  const touch = (): void => {
    dirty = true;
    if (looking !== null || closed) return;
    looking = new Promise<void>((resolve) => setImmediate(resolve))
      .then(looks)
      .catch((error: unknown) => log.error({ err: error }, 'cannot judge what the Kubernetes API holds'))
      .finally(() => {
        looking = null;
        if (dirty && !closed) setTimeout(touch, retryMs.first).unref();
      });
  };
  const looks = async (): Promise<void> => {
    await Promise.all([...followers.map(({ follower }) => follower.synced), releases.synced]);
    while (dirty && !closed) {
      dirty = false;
      const trust = await config.trust();
      const key = digestOfJson(trust);
      if (key !== trustKey) {
        believed.clear();
        objectsChanged = true;
      }
      trustKey = key;
      const before = JSON.stringify(standing);
      await lookAtObjects(trust);
      await lookAtRelease(trust);
      if (!ready || JSON.stringify(standing) !== before) for (const listener of listeners) listener();
      ready = true;
      markSynced();
      schedule();
    }
  };
  // The trust root is a file: a change of it is no event of the API.
  const again = setInterval(touch, 5_000);
  again.unref();

  // Writing: one at a time, each on what was last seen, none without the lease.
  let writing: Promise<unknown> = Promise.resolve();
  let pause = retryMs.first;
  const write = (make: (item: KubeObject) => RolloutProgress | null): Promise<void> => {
    const done = writing.then(() => writeNow(make));
    writing = done.catch(() => undefined);
    return done;
  };
  const writeNow = async (make: (item: KubeObject) => RolloutProgress | null): Promise<void> => {
    for (let tries = 0; ; tries += 1) {
      const writer = config.writer();
      if (writer === null) throw new Error('another replica leads: it decides');
      const item = release();
      if (item === null) throw new Error(`there is no Release ${meshNamespace}/${environment} to write the decision to`);
      const current = textIn(recordIn(item['status'])['writer']);
      if (current !== '' && current !== writer && claimed === writer) {
        config.overtaken();
        throw new Error(`\`${current}\` writes: this replica was overtaken`);
      }
      const next = statusFor(item, make(item), writer);
      if (statusKey(next) === digestOfJson(recordIn(item['status']))) {
        claimed = writer;
        return;
      }
      try {
        written = await kube.replace(resources.releases, { ...item, status: next }, { subresource: 'status' });
        claimed = writer;
        pause = retryMs.first;
        return;
      } catch (error) {
        if (!(error instanceof KubeError) || error.status !== 409 || tries >= 5) throw error;
        // Somebody wrote meanwhile: a deployer, or another replica. What it wrote decides whether to go on.
        written = await kube.get(resources.releases, { namespace: meshNamespace, name: environment });
        touch();
      }
    }
  };
  const statusFor = (item: KubeObject, progress: RolloutProgress | null, writer: string): ReleaseStatusResource =>
    releaseStatusOf({
      observedGeneration: item.metadata.generation ?? 0,
      standing,
      progress,
      status: status ?? emptyStatus(environment, config.now()),
      before: beforeIn(item['status']),
      writer,
      now: config.now(),
    });
  /** The decision that lies there when it is another than this replica knows: its watch may lag, and what was decided may have been carried out. */
  const unknownDecision = (item: KubeObject): RolloutProgress | null => {
    const there = live === null ? null : progressIn(item, live.signed);
    return there === null || digestOfJson(there) === digestOfJson(live?.progress) ? null : there;
  };
  /** Leaves the decision as it lies there. */
  const asItIs = (item: KubeObject): RolloutProgress | null => {
    if (live !== null && live.signed.digest === progressDigest(item)) return unknownDecision(item) ?? live.progress;
    const { progress } = recordIn(item['status']);
    return progress === undefined ? (live?.progress ?? null) : (progress as RolloutProgress); // decoding: kept as it is, until it is judged
  };
  let scheduled: NodeJS.Timeout | null = null;
  let lastReport = '';
  /** Writes the news of the roll-out, and begins what waits, if this replica leads. Tried again until it went through. */
  function schedule(after = 0): void {
    if (scheduled !== null || closed || config.writer() === null || !ready) return;
    scheduled = setTimeout(() => {
      scheduled = null;
      void news();
    }, after);
    scheduled.unref();
  }
  const news = async (): Promise<void> => {
    const began = waiting;
    const wanted = digestOfJson([
      status?.message ?? '',
      status?.proxies ?? [],
      standing,
      config.writer() ?? '',
      began?.digest ?? '',
      release()?.metadata.uid ?? '',
    ]);
    if (wanted === lastReport) return;
    try {
      if (release() === null) return;
      if (began !== null) {
        const progress = live?.signed.digest === began.digest ? live.progress : beginRollout(planOf(began), config.now());
        await write((item) => {
          if (digestIn(item) !== began.digest) throw new Error('it was replaced meanwhile');
          return progress;
        });
        waiting = null;
        take({ signed: began, progress });
        log.info({ generation: began.release.generation, commit: began.release.commit }, 'a release is in force');
      } else await write(asItIs);
      lastReport = wanted;
      schedule(reportMs);
    } catch (error) {
      pause = Math.min(pause * 2, retryMs.longest);
      log.warn({ reason: reasonOf(error), retryMs: pause }, 'the status of the release could not be written');
      schedule(pause);
    }
  };

  const store: ClusterStore = {
    synced,
    onChange: (listener) => void listeners.add(listener),
    object: (digest) => objects.get(digest),
    putObject: () => Promise.reject(new Error('objects come by the Kubernetes API')),
    deleteObject: () => Promise.reject(new Error('objects go by the Kubernetes API')),
    live: () => live,
    isDamaged: () => !ready || (live === null && (standing.kind !== 'in-force' || waiting !== null)),
    why: () => {
      if (!ready) return 'the Kubernetes API was not read yet: proxies keep what they have';
      return standing.kind === 'in-force' ? 'the release is about to be put in force' : `${standing.why}; proxies keep what they have`;
    },
    async setLive(next) {
      await write((item) => {
        if (digestIn(item) !== next.signed.digest && progressDigest(item) !== next.signed.digest)
          throw new Error('it was replaced meanwhile');
        if (live?.signed.digest === next.signed.digest && unknownDecision(item) !== null)
          throw new Error('another decision lies there, which this one did not reckon with');
        return next.progress;
      });
      live = next;
    },
    seen: () => seen,
    setSeen(next) {
      seen = next;
      return Promise.resolve();
    },
    lead() {
      claimed = null;
      lastReport = '';
      pause = retryMs.first;
      touch();
    },
    report(next) {
      status = next;
      schedule(reportMs);
    },
    async close() {
      closed = true;
      clearInterval(again);
      if (scheduled !== null) clearTimeout(scheduled);
      releases.close();
      for (const { follower } of followers) follower.close();
      await writing.catch(() => undefined);
    },
  };
  touch();
  return store;
}

const olderThan = (live: Live, { release }: SignedRelease): string => {
  const { generation } = live.signed.release;
  return sign.generation({ generation: release.generation, expected: `${generation + 1}, one above the live one` }).message;
};
/** How many resources an object says it is in. */
function partsOf(item: KubeObject): number {
  const { parts } = recordIn(item['packed']);
  return typeof parts === 'number' ? parts : 1;
}
const digestIn = (item: KubeObject): string => textIn(recordIn(item['proof'])['digest']);
/** The release that the decision in the status is about. */
const progressDigest = (item: KubeObject): string | null => {
  const digest = recordIn(recordIn(item['status'])['progress'])['release'];
  return typeof digest === 'string' ? digest : null;
};
/** The decision that lies in the status, when it is about this very release. */
function progressIn(item: KubeObject, signed: SignedRelease): RolloutProgress | null {
  const { progress } = recordIn(item['status']);
  if (progressDigest(item) !== signed.digest) return null;
  try {
    return readProgress(progress, signed);
  } catch {
    return null; // damaged: begun anew, which is safe
  }
}
