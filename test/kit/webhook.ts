/** A webhook beside a real API server: custom resources installed, the webhook listening, the configuration that makes the server ask it. */
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { meshNamespace } from '../../core/bundle/custom-resource';
import { formatTrust, type TrustRoot } from '../../core/bundle/trust';
import { customResourceDefinitions } from '../../deploy/crds';
import type { KubernetesServer } from '../../platform/kubernetes-server';
import { silentLog } from '../../platform/log';
import { coverage, type Covered } from '../../webhook/admit/coverage';
import { serveWebhook, type RunningWebhook, type WebhookConfig, type WebhookOptions } from '../../webhook/main';
import { localAuthority, type LocalAuthority } from './serving-certificate';

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
  await fs.writeFile(at('trust.json'), formatTrust(trust));
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
  await server.kubectl(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']);
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
  return webhook;
}

export async function untilReady({ adminUrl }: RunningWebhook): Promise<void> {
  for (let turn = 0; turn < 600; turn++) {
    if ((await fetch(`${adminUrl}/readyz`)).ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`not ready: ${await (await fetch(`${adminUrl}/readyz`)).text()}`);
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
      timeoutSeconds: 5,
      rules: coverage.map(({ by: _by, ...rule }: Covered) => ({ scope: 'Namespaced', ...rule })),
    },
  ],
});
