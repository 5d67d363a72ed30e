/** Who may speak with whom. The webhook reaches the API server and name resolution, nothing else: what decides cannot be made to fetch. */
import { inMesh, ports, selectorOf, type Server } from './names';
import type { KubernetesObject } from './object';
import type { InstallValues } from './values';

const tcp = (...numbers: readonly number[]): readonly object[] => numbers.map((port) => ({ protocol: 'TCP', port }));
const names = {
  to: [
    {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
      podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
    },
  ],
  ports: [
    { protocol: 'UDP', port: 53 },
    { protocol: 'TCP', port: 53 },
  ],
};
const toServer = (server: Server, port: number): object => ({
  to: [{ podSelector: { matchLabels: selectorOf(server) } }],
  ports: tcp(port),
});
/** Metrics are for those who say that they read them; the rest of that port wants a token. */
const fromMonitoring = (port: number): object => ({
  from: [{ namespaceSelector: { matchLabels: { 'meshwright.dev/metrics': 'true' } } }],
  ports: tcp(port),
});
const fromGitops = { from: [{ podSelector: { matchLabels: selectorOf('gitops') } }], ports: tcp(ports.admin) };
const anybody = (port: number): object => ({ ports: tcp(port) });

export function networkPolicies({ networkPolicies: { apiServer, issuers }, gitops }: InstallValues): readonly KubernetesObject[] {
  const toApiServer = { to: apiServer, ports: tcp(443, 6443) };
  const policy = (server: Server, ingress: readonly object[], egress: readonly object[]): KubernetesObject => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: inMesh(server, server),
    spec: { podSelector: { matchLabels: selectorOf(server) }, policyTypes: ['Ingress', 'Egress'], ingress, egress },
  });
  return [
    policy(
      'control-plane',
      [anybody(ports.xds), fromGitops, fromMonitoring(ports.admin)],
      [toApiServer, names, toServer('ca', ports.ca), toServer('control-plane', ports.xds), ...issuers],
    ),
    // Reviews come from wherever the API server is: its address is not a pod's.
    policy('webhook', [anybody(ports.webhook), fromMonitoring(ports.admin)], [toApiServer, names]),
    policy('ca', [anybody(ports.ca), fromMonitoring(ports.admin)], [toApiServer, names]),
    // The loop fetches from a Git server that only its configuration knows.
    ...(gitops.enabled
      ? [policy('gitops', [anybody(ports.gitops)], [{ ports: tcp(80, 443, 6443) }, names, toServer('control-plane', ports.admin)])]
      : []),
  ];
}
