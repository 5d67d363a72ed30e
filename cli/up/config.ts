/** What `meshwright up` is told: a JSON file. */
import { parseInventory, type InventoryFile } from '../../runtime-proxy/discovery/inventory-file';

/** The configuration file of a whole mesh on one machine, JSON. Paths are relative to the folder it is started in. */
export interface UpFile {
  /** State, keys, tokens, sockets and logs of one mesh; made (0700), and held while it runs. Keep it short: unix sockets live in it. */
  readonly dir: string;
  readonly trustDomain: string;
  readonly environment: string;
  /** What runs where. Copied to `<dir>/inventory.json`, which the control plane watches: edit that one while it runs. */
  readonly inventory: object;
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

/** The same, with its inventory read. */
export interface UpConfig extends UpFile {
  readonly inventory: InventoryFile;
}

/** The configuration that a file holds, or one line about what is wrong with it: an inventory that the control plane would not use is refused at once. */
export function upConfigFrom(file: UpFile): UpConfig | string {
  const { value: inventory, diagnostics } = parseInventory(JSON.stringify(file.inventory), 'inventory');
  if (inventory === undefined) return diagnostics.map(({ code, message, help }) => `${code} ${message}; ${help}`).join('; ');
  const homeless = inventory.instances.find(({ workload }) => !Object.hasOwn(file.accounts, workload));
  if (homeless !== undefined) return `\`accounts\` says nothing of \`${homeless.workload}\`, which \`${homeless.id}\` runs`;
  return { ...file, inventory };
}
