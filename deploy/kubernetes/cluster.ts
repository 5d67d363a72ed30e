/**
 * What the cluster says before Pulumi is asked. The Kubernetes provider takes several refusals for success in a preview (Forbidden, a namespace that is not
 * there, an API that does not answer) and falls back to what was declared; so every write is tried here first, as a dry run that admission sees.
 */
import { meshNamespace, releaseFits, releaseResource, resourceName, signedReleaseOf } from '../../core/bundle/custom-resource';
import type { Bundle } from '../../core/bundle/bundle';
import { objectName, type SignedObject, type SignedRelease } from '../../core/bundle/objects';
import { objectResources, partName, partOf, signedObjectIn } from '../../core/bundle/parts';
import { FormError } from '../../core/bundle/release-form';
import { deploy as said } from '../../core/diagnostics/deploy';
import type { Diagnostic, Outcome } from '../../core/diagnostics/diagnostic';
import { canonicalJson } from '../../core/lib/json';
import { digestOfJson, type Digest } from '../../core/lib/digest';
import { KubeError, kubeObject, resources, type Kube, type KubeObject, type Resource } from '../../platform/kube';
import { codedDiagnostics } from '../report';
import { fieldManager, tokenAnnotation } from './mesh';

/** What a program declares, seen from the cluster. */
export interface ClusterState {
  /** The bundle's release; or the live one, where the bundle's would change nothing. */
  readonly release: SignedRelease;
  /** The objects of that release's stable set that the bundle does not hold. */
  readonly carried: readonly SignedObject[];
  /** That the release is live with: a later one for the same release is no change. */
  readonly deployerToken?: string;
}

const atOnce = 16;
/** A bundle for the wrong cluster is refused object by object: the first ones say it. */
const toldAtMost = 10;

/** Reads what a program needs. Errors of the API are diagnostics. */
export async function readCluster(kube: Kube, bundle: Pick<Bundle, 'release'>): Promise<Outcome<ClusterState>> {
  const { environment } = bundle.release.release;
  try {
    const resource = await kube.get(resources.releases, { namespace: meshNamespace, name: environment });
    const live = resource === null ? null : releaseIn(resource);
    const chosen = live !== null && isSettled(live, bundle.release) ? live : bundle.release;
    const { stable, candidate } = chosen.release;
    const diagnostics: Diagnostic[] = [];
    const carried: SignedObject[] = [];
    const before = Object.entries(stable).filter(([name, digest]) => candidate[name] !== digest);
    await each(before, async ([name, digest]) => {
      const signed = await objectIn(kube, name, digest);
      if (signed) carried.push(signed);
      else diagnostics.push(said.notCarried({ what: name }));
    });
    const token = live?.digest === chosen.digest ? resource?.metadata.annotations?.[tokenAnnotation] : undefined;
    return { value: { release: chosen, carried, ...(token === undefined ? {} : { deployerToken: token }) }, diagnostics };
  } catch (error) {
    return { diagnostics: [explained('Release', `Release/${environment}`, error)] };
  }
}

/**
 * Tries the bundle against the cluster, changing nothing: every object and the release as a server-side apply with dry run. Empty when an update would be
 * let in; whether the proxies take it, only the roll-out says.
 */
export async function judge(
  kube: Kube,
  bundle: Pick<Bundle, 'release' | 'objects'>,
  deployerToken?: string,
): Promise<readonly Diagnostic[]> {
  const { release } = bundle.release;
  const tooBig = releaseFits(bundle.release);
  if (tooBig.length > 0) return tooBig;
  const diagnostics: Diagnostic[] = [];
  const attempt = async (kind: keyof typeof byKind, what: string, object: KubeObject): Promise<void> => {
    try {
      await kube.apply(byKind[kind], object, { fieldManager, dryRun: true });
    } catch (error) {
      diagnostics.push(explained(kind, what, error, object.metadata.namespace));
    }
  };
  await each(bundle.objects, async (signed) => {
    if (diagnostics.length >= toldAtMost) return;
    for (const resource of objectResources(signed, release.environment))
      await attempt(signed.object.kind, objectName(signed.object), kubeObject(resource));
  });
  if (diagnostics.length < toldAtMost) {
    const resource = releaseResource(bundle.release);
    const annotations = deployerToken === undefined ? {} : { annotations: { [tokenAnnotation]: deployerToken } };
    const object = kubeObject({ ...resource, metadata: { ...resource.metadata, ...annotations } });
    await attempt('Release', `Release/${release.environment}`, object);
  }
  return distinct(diagnostics);
}

/** Whether a release would put in force what is in force: the same commit and the same objects, with nothing on the way. Such a one is not sent. */
function isSettled({ release: live }: SignedRelease, { release }: SignedRelease): boolean {
  return live.commit === release.commit && sameSet(release.stable, release.candidate) && sameSet(live.candidate, release.candidate);
}
const sameSet = (a: SignedRelease['release']['stable'], b: SignedRelease['release']['stable']): boolean =>
  canonicalJson(a) === canonicalJson(b);

const byKind = {
  ServiceConfig: resources.serviceConfigs,
  ProxyConfig: resources.proxyConfigs,
  AdmissionRules: resources.admissionRules,
  Release: resources.releases,
} as const satisfies { readonly [kind: string]: Resource };

function releaseIn(resource: KubeObject): SignedRelease | null {
  try {
    return signedReleaseOf(resource);
  } catch {
    return null; // what cannot be read cannot be followed; admission says so when the next one is sent
  }
}

async function objectIn(kube: Kube, objectName: string, digest: Digest): Promise<SignedObject | null> {
  const [kind = '', namespace = '', name = ''] = objectName.split('/');
  if (kind !== 'ServiceConfig' && kind !== 'ProxyConfig' && kind !== 'AdmissionRules') return null;
  const first = await kube.get(byKind[kind], { namespace, name: resourceName(name, digest) });
  if (first === null) return null;
  try {
    const group = [first];
    for (let part = 1; part < (partOf(first)?.parts ?? 1); part++) {
      const next = await kube.get(byKind[kind], { namespace, name: partName(name, digest, part) });
      if (next === null) return null;
      group.push(next);
    }
    const { signed } = signedObjectIn(group);
    return signed.digest === digest && digestOfJson(signed.object) === digest ? signed : null;
  } catch (error) {
    if (error instanceof FormError) return null; // what cannot be read is not there
    throw error;
  }
}

/** What an answer of the API means for who deploys. */
export function explained(kind: string, what: string, error: unknown, namespace = meshNamespace): Diagnostic {
  if (!(error instanceof KubeError)) throw error;
  const reason = oneLine(error.message);
  const coded = codedDiagnostics(reason, 'error');
  if (coded[0]) return coded[0];
  if ([0, 429, 502, 503, 504].includes(error.status)) return said.clusterUnreachable({ reason });
  if (error.status === 401 || (error.status === 403 && !/admission webhook|admission policy/i.test(reason)))
    return said.clusterForbids({ what, reason });
  if (error.status === 404) return /namespaces? "/.test(reason) ? said.namespaceMissing({ namespace, what }) : said.notInstalled({ kind });
  return said.clusterRefused({ what, reason });
}

function distinct(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const found = new Map(diagnostics.map((one) => [`${one.code} ${one.message}`, one]));
  return [...found.values()].sort((a, b) => (a.message < b.message ? -1 : 1));
}

async function each<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await run(next);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}
const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim().slice(0, 600);
