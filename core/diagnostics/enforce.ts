/** The running mesh: control plane, CA, agent, inventory: MW9xxx. */
import { defineDiagnostic } from './diagnostic';

export const enforce = {
  unboundSymbol: defineDiagnostic<{ instance: string; workload: string; symbol: string }>({
    code: 'MW9001',
    slug: 'symbol-without-address',
    severity: 'error',
    summary: 'The policy has a port or listener that the inventory gives an instance no address for.',
    message: ({ instance, workload, symbol }) => `the inventory gives \`${instance}\` of \`${workload}\` no address for \`${symbol}\``,
    help: ({ instance, symbol }) =>
      `add the address of \`${symbol}\` to \`${instance}\` in the inventory, or take the port out of the policy`,
  }),
  badInventory: defineDiagnostic<{ file: string; reason: string }>({
    code: 'MW9002',
    slug: 'inventory-unreadable',
    severity: 'error',
    summary: 'The inventory file cannot be used; the last good one stays in force.',
    message: ({ file, reason }) => `\`${file}\` cannot be used: ${reason}`,
    help: () => 'repair the file; it is read again when it changes',
  }),
  missingObject: defineDiagnostic<{ name: string; digest: string; set: string }>({
    code: 'MW9003',
    slug: 'release-names-unknown-object',
    severity: 'error',
    summary: 'A release names an object that the control plane does not have.',
    message: ({ name, digest, set }) =>
      `the release's ${set} set names \`${name}\` as \`${digest}\`, which the control plane does not have`,
    help: () => 'put the objects first, the release last',
  }),
  objectInForce: defineDiagnostic<{ name: string; digest: string }>({
    code: 'MW9004',
    slug: 'object-in-force',
    severity: 'error',
    summary: 'An object that the live release names cannot be removed.',
    message: ({ name, digest }) => `\`${name}\` (\`${digest}\`) is named by the live release`,
    help: () => 'release a set without it first',
  }),
  rolloutUnderWay: defineDiagnostic<{ generation: number; state: string }>({
    code: 'MW9005',
    slug: 'rollout-under-way',
    severity: 'error',
    summary: 'A release was put while another one rolls.',
    message: ({ generation, state }) => `generation ${generation} is still ${state}`,
    help: () => 'wait until it has converged, or abort it: `meshwright rollout abort`',
  }),
  otherEnvironment: defineDiagnostic<{ given: string; served: string }>({
    code: 'MW9006',
    slug: 'other-environment',
    severity: 'error',
    summary: 'A release or object is for another environment than the control plane serves.',
    message: ({ given, served }) => `it is for environment \`${given}\`; this control plane serves \`${served}\``,
    help: () => 'deploy it to the control plane of its environment',
  }),
  wrongDigest: defineDiagnostic<{ given: string; actual: string }>({
    code: 'MW9007',
    slug: 'digest-in-path-differs',
    severity: 'error',
    summary: 'An object was put under another digest than its own.',
    message: ({ given, actual }) => `it was put as \`${given}\` and is \`${actual}\``,
    help: () => 'put the object under its own digest',
  }),
  envoyOutOfRange: defineDiagnostic<{ instance: string; version: string; min: string; below: string }>({
    code: 'MW9008',
    slug: 'envoy-out-of-range',
    severity: 'error',
    summary: 'A proxy runs an Envoy that its configuration was not made for; it keeps what it has.',
    message: ({ instance, version, min, below }) =>
      `\`${instance}\` runs Envoy ${version}; its configuration is for ${min} and later, below ${below}`,
    help: ({ min, below }) => `run an Envoy from ${min} to below ${below}, or compile for the one that runs`,
  }),
  cannotEncode: defineDiagnostic<{ instance: string; resource: string; reason: string }>({
    code: 'MW9009',
    slug: 'resource-not-encodable',
    severity: 'error',
    summary: 'A resource is not one of the Envoy messages this control plane knows.',
    message: ({ instance, resource, reason }) => `\`${resource}\` of \`${instance}\` cannot be encoded: ${reason}`,
    help: () => 'run the control plane of the release that the compiler belongs to',
  }),
  stateDamaged: defineDiagnostic<{ file: string; reason: string }>({
    code: 'MW9010',
    slug: 'state-damaged',
    severity: 'error',
    summary: "A file of the control plane's state is damaged or not signed as it must be; it is not served.",
    message: ({ file, reason }) => `\`${file}\` is not served: ${reason}`,
    help: () => 'deploy again; if nobody touched the file on purpose, find out who did',
  }),
} as const;
