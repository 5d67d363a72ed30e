/** Injection of the sidecar into pods: MW81xx. What is wrong stands after the pod's name and the field. */
import { defineDiagnostic } from './diagnostic';

const withoutMesh = 'or take the label `meshwright.dev/inject` away';

export const inject = {
  notAPod: defineDiagnostic<{ reason: string }>({
    code: 'MW8101',
    slug: 'pod-malformed',
    severity: 'error',
    summary: 'What is to get a sidecar is not a pod.',
    message: ({ reason }) => `it is not a pod: ${reason}`,
    help: () => 'send the pod as the Kubernetes API gives it',
  }),
  namespaceUnknown: defineDiagnostic<{ namespace: string }>({
    code: 'MW8102',
    slug: 'injection-undecided',
    severity: 'error',
    summary: 'The webhook does not know the namespace of a pod yet, so it cannot tell whether the pod gets a sidecar.',
    message: ({ namespace }) => `namespace \`${namespace}\` is not known here yet`,
    help: () => "try again in a moment; if it goes on, look at the webhook's /readyz",
  }),
  hostNamespace: defineDiagnostic<{ what: string }>({
    code: 'MW8103',
    slug: 'pod-shares-the-node',
    severity: 'error',
    summary: 'A pod that shares its node’s network cannot have a proxy of its own.',
    message: ({ what }) =>
      `the pod asks for a sidecar and for ${what}: its proxy would take the node’s ports and speak for whatever runs there`,
    help: () => `set the field to false, ${withoutMesh}`,
  }),
  noWorkload: defineDiagnostic<{ given: string }>({
    code: 'MW8104',
    slug: 'injected-pod-without-workload',
    severity: 'error',
    summary: 'A pod that asks for a sidecar does not say which workload it belongs to.',
    message: ({ given }) =>
      given === '' ? 'the pod does not say which workload it belongs to' : `\`${given}\` is not a name that a workload can have`,
    help: () => 'label the pod `meshwright.dev/workload: <name>`, or `app: <name>`, by the name that the policy declares',
  }),
  taken: defineDiagnostic<{ what: string; use: string; repair: string }>({
    code: 'MW8105',
    slug: 'sidecar-needs-what-the-pod-uses',
    severity: 'error',
    summary: 'A pod uses a name or port that the sidecar needs.',
    message: ({ what, use }) => `${what} is needed for ${use}`,
    help: ({ repair }) => repair,
  }),
  badAnnotation: defineDiagnostic<{ reason: string; repair: string }>({
    code: 'MW8106',
    slug: 'annotation-refused',
    severity: 'error',
    summary: 'An annotation of the mesh on a pod is unknown or out of range.',
    message: ({ reason }) => reason,
    help: ({ repair }) => repair,
  }),
  notInjected: defineDiagnostic<{ workload: string }>({
    code: 'MW8107',
    slug: 'pod-without-sidecar',
    severity: 'error',
    summary: 'A pod of a workload that policy declares as injected has no sidecar.',
    message: ({ workload }) => `policy has \`${workload}\` behind a proxy, and the pod has none`,
    help: () => 'label the pod or its namespace `meshwright.dev/inject: "true"`',
  }),
  altered: defineDiagnostic<object>({
    code: 'MW8108',
    slug: 'sidecar-altered',
    severity: 'error',
    summary: 'The sidecar of a pod is not the one that the template gives.',
    message: () => 'it is not what the webhook’s template gives',
    help: () =>
      'leave the sidecar out of the manifest, for the webhook puts it in; if another webhook changes it, have that one leave it alone',
  }),
} as const;
