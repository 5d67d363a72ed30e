import type { ProxyStatus } from '../core/bundle/status';
import { styleOf } from './output';
import { formatProxies } from './status-text';

const part = { set: 'candidate', phase: 'active' } as const;
const proxy: ProxyStatus = {
  ...{ instance: 'edge-1', workload: 'platform/edge', principal: 'spiffe://mesh.test/ns/platform/sa/edge', connected: true },
  ...{ envoyVersion: '1.40.0', parts: { inbound: part, outbound: part }, concerned: true, responses: 3, lastError: null },
};

test('secrets that do not serve stand below their proxy, after what is wrong with it', () => {
  const secrets: ProxyStatus['secrets'] = [
    { kind: 'authorities', name: 'platform/partners-ca', state: 'missing', reason: 'there is none' },
    { kind: 'certificate', name: 'platform/edge-tls', state: 'ending', reason: 'ends 2026-12-01T00:00Z' },
  ];
  const [line, ...below] = formatProxies([{ ...proxy, lastError: 'refused', secrets }, proxy], styleOf(false)).split('\n');
  expect(line).toContain('edge-1');
  expect(below.slice(0, 3)).toEqual([
    '      refused',
    '      authorities `platform/partners-ca` missing: there is none',
    '      certificate `platform/edge-tls` ending: ends 2026-12-01T00:00Z',
  ]);
  expect(below).toHaveLength(4);
});
