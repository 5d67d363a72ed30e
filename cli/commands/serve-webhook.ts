import { serveWebhook, type WebhookConfig } from '../../webhook/main';
import type { Run } from '../command';
import { decodeConfig } from '../config';
import { serveUntilStopped, started } from '../serving';

/** `meshwright serve webhook`. */
export const run: Run = async (context, values) => {
  const served = await started(serveWebhook(await decodeConfig<WebhookConfig>('webhook', values)));
  return serveUntilStopped(context, served, { url: served.url, adminUrl: served.adminUrl });
};
