/** Names, labels, ports and paths of an installation: the same in every cluster, so that two installations cannot be beside each other unseen. */
import { meshNamespace } from '../../core/bundle/custom-resource';

export type Server = 'control-plane' | 'webhook' | 'ca' | 'gitops';
/** Everything that is not namespaced, and both webhook configurations, is named by it. */
export const installationName = 'meshwright';
/** The names of the entries, by which metrics and messages of the API server call them. */
export const entryNames = {
  objects: 'objects.meshwright.dev',
  workloads: 'workloads.meshwright.dev',
  guard: 'guard.meshwright.dev',
  injection: 'injection.meshwright.dev',
} as const;
export const ports = { webhook: 9443, xds: 15010, ca: 15011, admin: 15014, gitops: 8080 } as const;
export const paths = {
  config: '/etc/meshwright',
  trust: '/etc/meshwright-trust',
  state: '/var/lib/meshwright',
  run: '/run/meshwright',
  token: '/var/run/secrets/meshwright.dev/token',
} as const;
/** ConfigMaps and Secrets that more than one piece knows. The Secrets are made by hand or by the servers, never by the installation. */
export const shared = {
  trustRoot: 'trust-root',
  caRoot: 'ca-root',
  webhookCertificates: 'webhook-certificates',
  adminToken: 'admin-token',
  signingKeys: 'signing-keys',
  gitops: 'gitops',
} as const;

export const selectorOf = (server: Server): Readonly<Record<string, string>> => ({
  'app.kubernetes.io/name': 'meshwright',
  'app.kubernetes.io/component': server,
});
export const labels = { 'app.kubernetes.io/name': 'meshwright', 'app.kubernetes.io/part-of': 'meshwright' } as const;

/** Metadata of something in our namespace. */
export const inMesh = (
  name: string,
  server?: Server,
): { readonly name: string; readonly namespace: string; readonly labels: Readonly<Record<string, string>> } => ({
  name,
  namespace: meshNamespace,
  labels: { ...labels, ...(server === undefined ? {} : selectorOf(server)) },
});
/** Metadata of something of the whole cluster. */
export const ofCluster = (name: string): { readonly name: string; readonly labels: Readonly<Record<string, string>> } => ({ name, labels });
