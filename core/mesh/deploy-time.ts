/** Words of rules about deployment that policy, IR, signed objects and the webhook share. */

export type RuleMode = 'deny' | 'warn' | 'audit';
/** Who asks. Exact matches only. */
export type DeployerMatch =
  | { readonly kind: 'group'; readonly name: string }
  | { readonly kind: 'user'; readonly name: string }
  /** `system:serviceaccount:<namespace>:<name>` */
  | { readonly kind: 'account'; readonly namespace: string; readonly name: string }
  /** A CI job, by its OIDC token: GitHub's claims `repository`, `ref` (`refs/heads/<branch>`), `environment`; the issuer is pinned in the installation. */
  | { readonly kind: 'github'; readonly repository: string; readonly branch: string; readonly environment?: string };
/** What the compatibility of versions is said about. */
export const products = ['istiod', 'istio-proxy', 'envoy', 'kubernetes', 'gateway-api', 'jaeger', 'kiali', 'prometheus'] as const;
export type Product = (typeof products)[number];

/** A deployer in words: `group sre-oncall`, `github acme/books main production`. Equal texts mean equal deployers. */
export function formatDeployer(deployer: DeployerMatch): string {
  switch (deployer.kind) {
    case 'group':
    case 'user':
      return `${deployer.kind} ${deployer.name}`;
    case 'account':
      return `account ${deployer.namespace}/${deployer.name}`;
    case 'github':
      return `github ${deployer.repository} ${deployer.branch}${deployer.environment === undefined ? '' : ` ${deployer.environment}`}`;
  }
}
