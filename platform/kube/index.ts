export {
  kubeFromFile,
  kubeInCluster,
  type ApplyOptions,
  type Kube,
  type ListOptions,
  type RemoveOptions,
  type WriteOptions,
} from './client';
export type { Follower, FollowOptions } from './follow';
export { keyOf, kubeObject, pathOf, resources, type KubeMeta, type KubeObject, type Ref, type Resource } from './resources';
export { KubeError } from './transport';
