/** Answers each Release in a cluster as a control plane would: by its status. A test says how the roll-out goes. */
import { signedReleaseOf } from '../../core/bundle/custom-resource';
import type { ReleaseCondition, ReleaseStatusResource } from '../../core/bundle/release-status';
import { resources, type Kube } from '../../platform/kube';

export interface FakeControlPlane {
  /** What the next releases go through: each is written in turn, the last one stays. */
  script: readonly Partial<ReleaseStatusResource>[];
  /** Digests of the releases it took, in order. */
  readonly taken: string[];
  close(): void;
}

const convergedOn = (digest: string) => ({
  converged: digest,
  progress: { release: digest, startedAt: 0, expected: [], hurried: false, phase: { kind: 'converged', at: 0 } },
});

export function fakeControlPlane(kube: Kube): FakeControlPlane {
  let written: Promise<void> = Promise.resolve();
  const answer = async (namespace: string, name: string, digest: string, generation: number): Promise<void> => {
    for (const part of plane.script) {
      const conditions: readonly ReleaseCondition[] = (part.conditions ?? []).map((one) => ({ ...one, observedGeneration: generation }));
      const status: ReleaseStatusResource = {
        observedGeneration: generation,
        state: 'converged',
        steps: 1,
        message: '',
        proxies: { total: 0, concerned: 0, active: 0, pending: 0, rejected: 0, unknown: 0, unconfigured: 0 },
        ...(part.state === undefined || part.state === 'converged' ? convergedOn(digest) : {}),
        ...part,
        conditions,
      } as ReleaseStatusResource; // `converged` is a digest: it comes from a verified release
      await kube.patch(resources.releases, { namespace, name }, { status }, { type: 'merge', subresource: 'status' });
    }
  };
  const plane: FakeControlPlane = {
    script: [{ state: 'converged' }],
    taken: [],
    close: () => follower.close(),
  };
  const seen = new Map<string, string>();
  const follower = kube.follow(resources.releases, {}, () => {
    for (const [key, resource] of follower.items()) {
      const { digest } = signedReleaseOf(resource);
      const { namespace = '', name, generation = 0 } = resource.metadata;
      if (seen.get(key) === digest) continue;
      seen.set(key, digest);
      plane.taken.push(digest);
      written = written
        .then(() => answer(namespace, name, digest, generation))
        .catch((error: unknown) => void process.stderr.write(`the fake control plane: ${String(error)}\n`));
    }
  });
  return plane;
}
