/** A webhook beside a real API server: custom resources installed, the webhook listening, the configuration that makes the server ask it. */
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { meshNamespace } from '../../core/bundle/custom-resource';
import { formatTrust, type TrustRoot } from '../../core/bundle/trust';
import { customResourceDefinitions } from '../../deploy/crds';
import type { Kube, Resource } from '../../platform/kube';
import type { KubernetesServer } from '../../platform/kubernetes-server';
import { silentLog } from '../../platform/log';
import { coverage, type Covered } from '../../webhook/admit/coverage';
import { serveWebhook, type RunningWebhook, type WebhookConfig, type WebhookOptions } from '../../webhook/main';
import { localAuthority, type LocalAuthority } from './serving-certificate';
import { until } from './until';

/** Whoever asks shares the machine with the webhook: both may stand still for a while. */
export const patience = { requestMs: 120_000, deadlineMs: 120_000 } as const;

export interface WebhookFiles {
  readonly authority: LocalAuthority;
  readonly config: WebhookConfig;
}

/** Certificate, trust root and configuration in a folder. */
export async function webhookFiles(
  dir: string,
  trust: TrustRoot,
  kubeconfig: string,
  over: Partial<WebhookConfig> = {},
): Promise<WebhookFiles> {
  const authority = await localAuthority();
  const { cert, key } = await authority.serving();
  const at = (name: string): string => join(dir, name);
  await fs.writeFile(at('tls.crt'), cert);
  await fs.writeFile(at('tls.key'), key, { mode: 0o600 });
  await fs.writeFile(at('trust.json'), formatTrust(trust), { mode: 0o644 }); // whatever the umask
  return {
    authority,
    config: {
      environment: 'prod',
      listen: { host: '127.0.0.1', port: 0 },
      admin: { host: '127.0.0.1', port: 0 },
      certificate: { certFile: at('tls.crt'), keyFile: at('tls.key') },
      trustFile: at('trust.json'),
      deployers: [{ kind: 'group', name: 'release-team' }],
      kubeconfig,
      drainMs: 0,
      limits: patience,
      ...over,
    },
  };
}

/** `kubectl apply --server-side` that must succeed. */
export async function applied(server: KubernetesServer, ...objects: readonly object[]): Promise<void> {
  for (const object of objects) {
    const { code, stderr } = await server.kubectl(['apply', '--server-side', '-f', '-'], { input: JSON.stringify(object) });
    if (code !== 0) throw new Error(stderr);
  }
}

/** Custom resources and namespaces, as they are before a webhook is there. */
export async function prepared(server: KubernetesServer, namespaces: readonly string[]): Promise<void> {
  await applied(server, ...customResourceDefinitions());
  for (const name of [meshNamespace, ...namespaces]) await applied(server, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  await server.kubectl(['wait', '--for=condition=Established', '--timeout=180s', 'crd', '--all']);
}

/** Starts the webhook, waits until it is ready, and makes the server ask it about everything it covers. */
export async function installed(
  server: KubernetesServer,
  { authority, config }: WebhookFiles,
  options: WebhookOptions = {},
): Promise<RunningWebhook> {
  const webhook = await serveWebhook(config, { log: silentLog, lookEveryMs: 50, ...options });
  await untilReady(webhook);
  await applied(server, validatingConfiguration(webhook.url, authority.ca));
  await untilAsked(server);
  return webhook;
}

export async function untilReady({ adminUrl }: RunningWebhook): Promise<void> {
  await until(
    'the webhook is ready',
    async () => (await fetch(`${adminUrl}/readyz`)).ok,
    async () => (await fetch(`${adminUrl}/readyz`)).text(),
  );
}

/** Until the webhook goes by the release of this generation: it hears of it by a watch. */
export const untilInForce = ({ adminUrl }: RunningWebhook, generation: number): Promise<void> =>
  until(`release ${generation} is in force`, async () =>
    (await (await fetch(`${adminUrl}/metrics`)).text()).includes(`meshwright_webhook_rules_generation ${generation}\n`),
  );

/** Of the form that the definition asks for, and signed by nobody: the webhook alone refuses it. */
export const unsigned = {
  apiVersion: 'meshwright.dev/v1alpha1',
  kind: 'AdmissionRules',
  metadata: { name: 'rules.000000000000', namespace: meshNamespace },
  spec: { environment: 'prod', trustDomain: 'mesh.local' },
  proof: { environment: 'prod', name: 'rules', digest: `sha256:${'0'.repeat(64)}`, jws: 'a.b.c' },
} as const;

/** Until the API server asks the webhook, and takes its answer: what a configuration says reaches admission after it was written. */
export const untilAsked = (server: KubernetesServer): Promise<void> => {
  let said = '';
  return until(
    'the API server asks the webhook',
    async () => {
      said = (await server.kubectl(['create', '--dry-run=server', '-f', '-'], { input: JSON.stringify(unsigned) })).stderr;
      return /\(MW8\d{3}\)/.test(said);
    },
    () => said,
  );
};

/**
 * Until admission goes by the configurations as they are now, whatever they say: a condition is added to each that takes one name out of what is asked about, and
 * `isLetIn` tries that name, which is refused as long as the webhook is asked about it.
 */
export async function untilTaken(
  kube: Kube,
  configurations: readonly { readonly resource: Resource; readonly name: string }[],
  spared: string,
  isLetIn: () => Promise<boolean>,
): Promise<void> {
  const condition = { name: 'spared', expression: `request.name != '${spared}'` };
  const patch = async (change: object): Promise<void> => {
    for (const { resource, name } of configurations) {
      const webhooks = (await kube.get(resource, { name }))?.['webhooks'];
      const changes = (Array.isArray(webhooks) ? webhooks : []).map((_, index) => ({
        ...change,
        path: `/webhooks/${index}/matchConditions`,
      }));
      await kube.patch(resource, { name }, changes, { type: 'json' });
    }
  };
  await patch({ op: 'add', value: [condition] });
  await until('admission has taken the configurations', isLetIn);
  await patch({ op: 'remove' });
}

/** The ValidatingWebhookConfiguration by address, for all that is covered. */
export const validatingConfiguration = (
  url: string,
  ca: string,
): { readonly webhooks: readonly object[]; readonly [field: string]: unknown } => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingWebhookConfiguration',
  metadata: { name: 'meshwright' },
  webhooks: [
    {
      name: 'validate.meshwright.dev',
      clientConfig: { url: `${url}/validate`, caBundle: Buffer.from(ca).toString('base64') },
      failurePolicy: 'Fail',
      sideEffects: 'None',
      matchPolicy: 'Equivalent',
      admissionReviewVersions: ['v1'],
      timeoutSeconds: 30,
      rules: coverage.map(({ by: _by, ...rule }: Covered) => ({ scope: 'Namespaced', ...rule })),
    },
  ],
});
