import type { ProxyStatus } from '../../core/bundle/status';
import { isStatus } from '../../platform/admin-client/client';
import { adminOf, refusalAsFindings } from '../admin';
import { UsageError, type Run } from '../command';
import { formatProxies } from '../status-text';

/** `meshwright proxy status`: what each proxy was sent, took and made active. */
export const run: Run = (context, values) =>
  refusalAsFindings(context, async () => {
    const status = await adminOf(context, values).get('/v1/status');
    if (!isStatus(status)) throw new Error('the control plane answered something that is no status');
    const wanted = values.text('instance');
    const proxies = status.proxies.filter((proxy) => wanted === undefined || proxy.instance === wanted);
    if (wanted !== undefined && proxies.length === 0)
      throw new UsageError(
        `no proxy is called \`${wanted}\`; there are ${status.proxies.map((proxy) => `\`${proxy.instance}\``).join(', ') || 'none'}`,
      );
    context.out.document({ environment: status.environment, generation: status.generation, proxies });
    context.out.line(formatProxies(proxies, context.out.style));
    const serves = ({ connected, lastError, secrets = [] }: ProxyStatus): boolean =>
      connected && lastError === null && secrets.every(({ state }) => state === 'ending');
    return proxies.every(serves) ? 0 : 1;
  });
