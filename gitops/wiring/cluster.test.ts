import type { Bundle } from '../../core/bundle/bundle';
import { resourceName, releaseResource } from '../../core/bundle/custom-resource';
import type { MeshObject } from '../../core/bundle/objects';
import { KubeError, type Kube, type KubeObject } from '../../platform/kube';
import { newTestSigner, signTestBundle, testRelease, testReleaseAfter, type TestSigner } from '../../test/kit/signing';
import { clusterDeployer } from './cluster';

let signer: TestSigner;
beforeAll(async () => {
  signer = await newTestSigner();
});
const rules = (value: string): MeshObject => ({
  apiVersion: 'meshwright.dev/v1alpha1',
  kind: 'AdmissionRules',
  metadata: { namespace: 'meshwright', name: 'rules' },
  spec: { environment: 'prod', trustDomain: `${value}.example` },
});

/** An API that keeps what it is given, and refuses what it is told to. */
function api(refuse: (object: KubeObject) => KubeError | null = () => null): {
  readonly kube: Kube;
  readonly calls: string[];
  live: KubeObject | null;
} {
  const calls: string[] = [];
  const state: { live: KubeObject | null } = { live: null };
  const kube: Pick<Kube, 'apply' | 'get' | 'remove'> = {
    apply: async (resource, object, { dryRun }) => {
      const refusal = refuse(object);
      if (refusal) throw refusal;
      calls.push(`${dryRun ? 'try' : 'apply'} ${resource.kind}/${object.metadata.name}`);
      if (resource.kind === 'Release' && !dryRun) state.live = object;
      return object;
    },
    get: async () => state.live,
    remove: async (resource, { name }) => calls.push(`remove ${resource.kind}/${name}`) > 0,
  };
  return {
    kube: kube as Kube,
    calls,
    get live() {
      return state.live;
    },
  };
}
const named = ({ objects }: Bundle): string => {
  const [first] = objects;
  if (!first) throw new Error('the bundle is empty');
  return `AdmissionRules/${resourceName('rules', first.digest)}`;
};

test('objects go before the release, and what no release names any more goes after it', async () => {
  const { kube, calls } = api();
  const deployer = clusterDeployer(kube);
  const [a, b, c] = [testRelease([rules('a')]), rules('b'), rules('c')];
  const first = await signTestBundle(signer, a, [rules('a')]);
  const two = testReleaseAfter(a, [b]);
  const second = await signTestBundle(signer, two, [b]);
  const third = await signTestBundle(signer, testReleaseAfter(two, [c]), [c]);
  expect(await deployer.preview({ bundle: first, diff: '' })).toMatchObject({ kind: 'ok' });
  expect(calls.splice(0)).toEqual([`try ${named(first)}`, 'try Release/prod']);
  for (const bundle of [first, second, third]) expect(await deployer.update(bundle)).toMatchObject({ kind: 'ok' });
  expect(calls).toEqual([
    ...[`apply ${named(first)}`, 'apply Release/prod'],
    ...[`apply ${named(second)}`, 'apply Release/prod'],
    ...[`apply ${named(third)}`, 'apply Release/prod', `remove ${named(first)}`],
  ]);
});

test('a denial and a silence are told with what they are about, and are no verdict on the commit', async () => {
  const denial = new KubeError(422, 'Invalid', 'not signed (MW8003)');
  const { kube, calls } = api((object) => (object.kind === 'Release' ? denial : null));
  const bundle = await signTestBundle(signer, testRelease([rules('a')]), [rules('a')]);
  expect(await clusterDeployer(kube).update(bundle)).toMatchObject({
    kind: 'unavailable',
    diagnostics: [{ code: 'MW7142', message: expect.stringMatching(/Release\/prod: .*MW8003/) }],
  });
  expect(calls).toEqual([`apply ${named(bundle)}`]);
  expect(releaseResource(bundle.release).metadata.name).toBe('prod');
});
