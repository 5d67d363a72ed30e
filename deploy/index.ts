/**
 * `meshwright/deploy`: for Pulumi programs of one's own.
 *
 *   const { value: bundle } = await readBundle('out/prod');
 *   new Mesh('prod', { bundle }, { provider });
 *
 * The provider should have `upsertExistingObjects: true`: objects are named by their digest, so one that is there already is the very same. Between two `Mesh`
 * of one environment the engine deletes what neither of the release's sets names.
 */
export { readBundleFolder as readBundle } from '../platform/bundle-folder';
export { readCluster, judge, type ClusterState } from './kubernetes/cluster';
export { Mesh, Release, type MeshArgs, type ReleaseArgs } from './kubernetes/mesh';
export { Webhook, type WebhookArgs } from './kubernetes/webhook';
