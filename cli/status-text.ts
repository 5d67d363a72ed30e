/** A roll-out's status as people read it. */
import type { ProxyStatus, RolloutStatus, SecretTrouble } from '../core/bundle/status';
import type { Style } from './output';

export function formatStatus(status: RolloutStatus, style: Style): string {
  const state = {
    idle: style.dim,
    rolling: style.yellow,
    holding: style.yellow,
    converged: style.green,
    aborted: style.red,
    unproven: style.red,
  }[status.state];
  const step =
    status.step === null ? '' : `   step ${status.step + 1} of ${status.steps}${status.wave === null ? '' : `, wave ${status.wave} %`}`;
  const head = `${status.environment}   generation ${status.generation}   ${state(status.state)}${step}   ${style.dim(status.commit?.slice(0, 12) ?? '')}`;
  return [head, ...(status.message === '' ? [] : [`  ${status.message}`]), formatProxies(status.proxies, style)].join('\n');
}

export function formatProxies(proxies: readonly ProxyStatus[], style: Style): string {
  const rows = proxies.map((proxy) => [
    proxy.instance,
    proxy.workload,
    proxy.connected ? `Envoy ${proxy.envoyVersion ?? '?'}` : 'disconnected',
    `in ${proxy.parts.inbound.set} ${proxy.parts.inbound.phase}`,
    `out ${proxy.parts.outbound.set} ${proxy.parts.outbound.phase}`,
    proxy.concerned ? 'concerned' : '',
  ]);
  const widths = rows.reduce<number[]>((widest, row) => row.map((cell, index) => Math.max(widest[index] ?? 0, cell.length)), []);
  return rows
    .map((row, index) => {
      const line = `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd();
      const { lastError = null, secrets = [] } = proxies[index] ?? {};
      return [line, ...(lastError === null ? [] : [style.red(lastError)]), ...secrets.map((one) => formatSecret(one, style))].join(
        '\n      ',
      );
    })
    .join('\n');
}

function formatSecret({ kind, name, state, reason }: SecretTrouble, style: Style): string {
  return (state === 'ending' ? style.yellow : style.red)(`${kind} \`${name}\` ${state}: ${reason}`);
}
