/** What `meshwright up` is told: a JSON file. Paths are relative to it. */
import type { Inventory } from '../../runtime-proxy/inventory';

export interface UpConfig {
  /** State, keys, sockets and logs; made (0700). Keep it short: unix sockets live in it. */
  readonly dir: string;
  readonly trustDomain: string;
  readonly environment: string;
  /** What runs where. Copied to `<dir>/inventory.json`, which the control plane watches: edit that one while it runs. */
  readonly inventory: Inventory;
  /** The policy repository, http or https. */
  readonly repositoryUrl: string;
  readonly branch?: string;
  readonly policiesDir?: string;
  /** Default 60,000. */
  readonly pollMs?: number;
  /** Service accounts by workload, `<namespace>/<name>` -> `<namespace>/<account>`: who gets which identity. */
  readonly accounts: { readonly [workload: string]: string };
  /** Gateways' certificates that the CA issues: `<namespace>/<name>` -> hosts and the workloads that may have them. */
  readonly certificates?: { readonly [name: string]: { readonly hosts: readonly string[]; readonly workloads: readonly string[] } };
  /** The status page's port; default a free one. */
  readonly statusPort?: number;
  /** Default true. */
  readonly pulumi?: boolean;
  /** `envoy --mode validate` before a release. Default true; false is for tests of what follows a rejection. */
  readonly envoyValidate?: boolean;
  /** Lifetime of workload certificates, ms; default one hour. */
  readonly svidLifetimeMs?: number;
}

/** The configuration a file holds, or one line about what is wrong with it. */
export function decodeUpConfig(value: unknown): UpConfig | string {
  const field = (name: string): unknown => (typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined);
  for (const name of ['dir', 'trustDomain', 'environment', 'repositoryUrl']) {
    const text = field(name);
    if (typeof text !== 'string' || text === '') return `the configuration file needs \`${name}\`, a text`;
  }
  const instances: unknown = Reflect.get(Object(field('inventory')), 'instances');
  if (!Array.isArray(instances)) return 'the configuration file needs `inventory.instances`, a list';
  const accounts = field('accounts');
  if (typeof accounts !== 'object' || accounts === null)
    return 'the configuration file needs `accounts`, from `<namespace>/<workload>` to `<namespace>/<service account>`';
  for (const [at, instance] of instances.entries()) {
    const { id, workload } = Object(instance) as { readonly id?: unknown; readonly workload?: unknown };
    if (typeof id !== 'string' || typeof workload !== 'string')
      return `\`inventory.instances[${at}]\` needs \`id\` and \`workload\`, texts`;
    if (typeof Reflect.get(accounts, workload) !== 'string') return `\`accounts\` says nothing of \`${workload}\`, which \`${id}\` runs`;
  }
  return value as UpConfig; // the servers look at the rest of it, each at its own part
}
