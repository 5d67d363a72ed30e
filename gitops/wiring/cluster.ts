/** Releases put out without Pulumi on Kubernetes: objects by server-side apply, the release last, and what no release names any more goes. */
import { meshNamespace, releaseResource, resourceName, signedReleaseOf } from '../../core/bundle/custom-resource';
import { objectName, type Release, type ReleaseSet, type SignedObject, type SignedRelease } from '../../core/bundle/objects';
import { objectResources } from '../../core/bundle/parts';
import { gitops } from '../../core/diagnostics/gitops';
import { reasonOf } from '../../core/lib/reason';
import { kubeObject, resources, type Kube } from '../../platform/kube';
import { ok, unavailable, type LegResult } from '../reconcile/deps';
import type { Deployer } from './deps';

const fieldManager = 'meshwright';
const kinds = {
  ServiceConfig: resources.serviceConfigs,
  ProxyConfig: resources.proxyConfigs,
  AdmissionRules: resources.admissionRules,
} as const;

/** A deployer on a cluster. Admission judges what it sends, in a preview too. */
export function clusterDeployer(kube: Kube): Deployer {
  const apply = async (objects: readonly SignedObject[], release: SignedRelease, dryRun: boolean): Promise<LegResult<null>> => {
    const { environment } = release.release;
    let at = '';
    try {
      for (const signed of objects) {
        at = objectName(signed.object);
        for (const part of objectResources(signed, environment))
          await kube.apply(kinds[signed.object.kind], kubeObject(part), { fieldManager, force: true, dryRun });
      }
      at = `Release/${environment}`;
      await kube.apply(resources.releases, kubeObject(releaseResource(release)), { fieldManager, force: true, dryRun });
      return ok(null);
    } catch (error) {
      // A denial is about signatures, order and deployers: nothing that the commit could repair.
      return unavailable(gitops.legFailed({ leg: dryRun ? 'preview' : 'update', reason: `${at}: ${reasonOf(error)}` }));
    }
  };
  const released = async (environment: string): Promise<Release | null> => {
    try {
      const found = await kube.get(resources.releases, { namespace: meshNamespace, name: environment });
      return found && signedReleaseOf(found).release;
    } catch {
      return null; // then nothing is removed; the next release finds what it names
    }
  };
  /** What the release before named and this one does not. What cannot be removed stays: nothing names it. */
  const removeOld = async (before: Release, now: Release): Promise<void> => {
    const kept = new Set([...named(now.stable), ...named(now.candidate)]);
    for (const key of new Set([...named(before.stable), ...named(before.candidate)])) {
      if (kept.has(key)) continue;
      const [kind = '', namespace = '', name = ''] = key.split('/');
      if (kind === 'ServiceConfig' || kind === 'ProxyConfig' || kind === 'AdmissionRules')
        await kube.remove(kinds[kind], { namespace, name }).catch(() => undefined);
    }
  };
  return {
    preview: async ({ bundle }) => {
      const judged = await apply(bundle.objects, bundle.release, true);
      return judged.kind === 'ok'
        ? ok({ summary: `${bundle.objects.length} objects, release ${bundle.release.release.generation}, without Pulumi` })
        : judged;
    },
    update: async ({ objects, release }) => {
      const before = await released(release.release.environment);
      const sent = await apply(objects, release, false);
      if (sent.kind === 'ok' && before) await removeOld(before, release.release);
      return sent;
    },
    finishUpdate: () => Promise.resolve([]),
    recover: () => Promise.resolve(ok(null)),
    restore: (objects, release) => apply(objects, release, false),
  };
}

/** `ServiceConfig/bookinfo/reviews.web.<digest>`: names as the API has them. */
const named = (set: ReleaseSet): readonly string[] =>
  Object.entries(set).map(([key, digest]) => {
    const [kind = '', namespace = '', name = ''] = key.split('/');
    return `${kind}/${namespace}/${resourceName(name, digest)}`;
  });
