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
  needsCapture: defineDiagnostic<{ instance: string; workload: string; port: string }>({
    code: 'MW9011',
    slug: 'needs-capture',
    severity: 'error',
    summary: 'A workload may call addresses outside by range, and an instance of it has no capture, so that it cannot say an address.',
    message: ({ instance, workload, port }) =>
      `\`${instance}\` of \`${workload}\` may call \`${port}\` by address, and its connections are not captured`,
    help: ({ instance }) => `give \`${instance}\` \`capture\` in the inventory, or take the calls out of the policy`,
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
  nameFailed: defineDiagnostic<{ name: string; workload: string; reason: string; kept: number }>({
    code: 'MW9040',
    slug: 'name-not-looked-up',
    severity: 'error',
    summary: 'No name server says what a name of the inventory stands for; what was last heard stays in force.',
    message: ({ name, workload, reason, kept }) =>
      `\`${name}\` of \`${workload}\` cannot be looked up: ${reason}; ${kept === 0 ? 'nothing was heard of it before' : `its last ${kept} stay`}`,
    help: ({ name }) =>
      `see whether the name servers answer for \`${name}\`; they are \`dns.servers\` of the configuration, else those of /etc/resolv.conf`,
  }),
  nameEmpty: defineDiagnostic<{ name: string; workload: string; why: 'NXDOMAIN' | 'NODATA' }>({
    code: 'MW9041',
    slug: 'name-without-addresses',
    severity: 'warning',
    summary: 'The name servers say that a name of the inventory is not there, or has no addresses; it has no endpoints.',
    message: ({ name, workload, why }) =>
      why === 'NXDOMAIN'
        ? `\`${name}\` of \`${workload}\` does not exist (NXDOMAIN): nobody is called there`
        : `\`${name}\` of \`${workload}\` has no addresses: nobody is called there`,
    help: ({ name }) => `add \`${name}\` to its zone, or take it out of the inventory`,
  }),
  tooManyEndpoints: defineDiagnostic<{ name: string; workload: string; found: number; most: number }>({
    code: 'MW9042',
    slug: 'too-many-addresses',
    severity: 'warning',
    summary: 'A name stands for more endpoints than are taken from one name.',
    message: ({ name, workload, found, most }) =>
      `\`${name}\` of \`${workload}\` stands for ${found} endpoints; the first ${most} are called`,
    help: () => 'give parts of the workload names of their own, one entry of `dns` for each',
  }),
  placeTakenTwice: defineDiagnostic<{ instance: string; by: string }>({
    code: 'MW9043',
    slug: 'instance-in-two-sources',
    severity: 'error',
    summary: 'Two sources of the inventory have an instance of one name; the first of cluster, file and DNS counts.',
    message: ({ instance, by }) => `\`${instance}\` of ${by} has the name of another instance, and is left out`,
    help: () => 'give it another `id`',
  }),
  virtualTakenTwice: defineDiagnostic<{ port: string; address: string; other: string }>({
    code: 'MW9044',
    slug: 'virtual-address-of-two-ports',
    severity: 'error',
    summary: 'The inventory file has a virtual address that is the address of another port in the cluster; the cluster counts.',
    message: ({ port, address, other }) =>
      `the virtual address ${address} of \`${port}\` is the one of \`${other}\` in the cluster, and is left out`,
    help: () => 'take it out of `virtual` in the inventory file',
  }),
  unknownMember: defineDiagnostic<{
    file: string;
    member: string;
    place: string;
    places: number;
    known: readonly string[];
    near: string | null;
  }>({
    code: 'MW9045',
    slug: 'unknown-member',
    severity: 'error',
    summary: 'The inventory file has a member that means nothing there; the last good file stays in force.',
    message: ({ file, member, place, places }) =>
      `\`${file}\` cannot be used: ${place} has an unknown member \`${member}\`${places === 1 ? '' : `, the first of ${places} places`}`,
    help: ({ member, known, near }) =>
      near === null
        ? `take \`${member}\` out; known there are ${known.map((name) => `\`${name}\``).join(', ')}`
        : `did you mean \`${near}\`?`,
  }),
  podWithoutWorkload: defineDiagnostic<{ pod: string }>({
    code: 'MW9101',
    slug: 'pod-without-workload',
    severity: 'info',
    summary: 'A pod says neither by label `meshwright.dev/workload` nor by label `app` which workload it is of; it is not in the mesh.',
    message: ({ pod }) => `pod \`${pod}\` has neither the label \`meshwright.dev/workload\` nor \`app\`: it is not in the mesh`,
    help: () => 'label it `meshwright.dev/workload: <name of its workload>` in its template, if it is to be in the mesh',
  }),
  podUnusable: defineDiagnostic<{ pod: string; what: string; reason: string }>({
    code: 'MW9102',
    slug: 'pod-unusable',
    severity: 'error',
    summary: 'A label or annotation of a pod cannot be used; the pod is left out of the inventory.',
    message: ({ pod, what, reason }) => `pod \`${pod}\` is left out: \`${what}\` ${reason}`,
    help: ({ what }) => `repair \`${what}\` in the template of the pod`,
  }),
  portDoubtful: defineDiagnostic<{ service: string; port: string; reason: string }>({
    code: 'MW9103',
    slug: 'service-port-doubtful',
    severity: 'warning',
    summary: 'A port of a Service cannot be told by its name, or two Services give one name to different ports of a pod.',
    message: ({ service, port, reason }) => `port \`${port}\` of Service \`${service}\` is not taken: ${reason}`,
    help: () => 'give every port of every Service a name, the same name to the same port of a pod',
  }),
  resourceNotBelieved: defineDiagnostic<{ resource: string; reason: string }>({
    code: 'MW9104',
    slug: 'resource-not-believed',
    severity: 'error',
    summary: 'An object or a Release in the Kubernetes API does not verify; it does not count.',
    message: ({ resource, reason }) => `\`${resource}\` does not count: ${reason}`,
    help: ({ resource }) => `deploy again, and find out who wrote \`${resource}\` and why the webhook let it in`,
  }),
  releaseWaits: defineDiagnostic<{ generation: number; missing: string; count: number }>({
    code: 'MW9105',
    slug: 'release-waits-for-objects',
    severity: 'warning',
    summary: 'A Release names objects that are not there yet, or that do not verify; what was in force before stays.',
    message: ({ generation, missing, count }) => `generation ${generation} waits for ${count} of its objects: ${missing}`,
    help: () => 'put the objects into the cluster; the release goes on by itself when they are there',
  }),
} as const;
