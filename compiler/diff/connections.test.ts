import type { DeclarationValue } from '../../core/declarations/declaration';
import type { MeshIr } from '../../core/ir/ir';
import { proxyNameOf } from '../../core/ir/proxy-name';
import { planSteps } from '../analyse/order';
import { lower } from '../lower';
import { allow, deny, evaluatedWith, named, route, service, workload } from '../../test/kit/declarations';
import { semanticDiff } from './index';

type More = { readonly [id: string]: DeclarationValue | null };
const base: More = {
  'books/app': workload('books/bookinfo', 'app'),
  'books/db': service('books/bookinfo', 'db', { ports: { web: { protocol: 'tls', number: 5432 } }, versions: ['v1', 'v2'] }),
  'books/dbUse': allow('books/db', [named('books/app')]),
};
function ir(more: More = {}): MeshIr {
  const { value, diagnostics } = lower(evaluatedWith({ ...base, ...more }), 'prod');
  if (!value) throw new Error(JSON.stringify(diagnostics));
  return value;
}
const calls = (before: More, after: More): readonly string[] =>
  semanticDiff(ir(before), ir(after)).calls.map(
    ({ kind, caller, target, requests, before: was, after: is }) => `${kind} ${caller} ${target} ${requests.join()}: ${was} -> ${is}`,
  );
const version = (name: string) => ({ kind: 'version', version: name }) as const;

test('connections that go elsewhere are rerouted, by server name', () => {
  const routed: More = {
    'books/dbRoutes': route('books/db', { rules: [{ when: { sni: ['a.example'] }, to: version('v2') }], otherwise: { to: version('v1') } }),
  };
  expect(calls(routed, routed)).toEqual([]);
  expect(calls({}, routed)).toEqual([
    'rerouted bookinfo/app bookinfo/db.web a connection to a.example: db 100 % -> v2 100 %',
    'rerouted bookinfo/app bookinfo/db.web any connection: db 100 % -> v1 100 %',
  ]);
});
test('who may not connect any more loses it, and is told before the door shuts', () => {
  const shut: More = { 'books/noApp': deny('books/db', [named('books/app')]) };
  expect(calls({}, shut)).toEqual([expect.stringContaining('lost bookinfo/app bookinfo/db.web any connection')]);
  const steps = planSteps(ir(), ir(shut), proxyNameOf).value?.map((step) => step.parts.map(({ proxy, part }) => `${part} ${proxy}`));
  expect(steps).toEqual([['outbound bookinfo/sa-app'], ['inbound bookinfo/sa-db']]);
});
test('a shorter idle time is a change', () => {
  expect(
    calls(
      {},
      { 'books/dbRoutes': route('books/db', { otherwise: { to: { kind: 'target', to: { ref: 'books/db', port: 'web' } }, idle: '5m' } }) },
    ),
  ).toEqual([
    'changed bookinfo/app bookinfo/db.web any connection: closed after 3600000 ms without a byte -> closed after 300000 ms without a byte',
  ]);
});
test('what an application reads first is a change of its port', () => {
  const behind = (proxyProtocol: 'v1' | 'v2'): More => ({
    'books/db': service('books/bookinfo', 'db', {
      ports: { web: { protocol: 'tls', number: 5432, proxyProtocol } },
      versions: ['v1', 'v2'],
    }),
  });
  const ports = (before: More, after: More) =>
    semanticDiff(ir(before), ir(after)).ports.map(({ field, before: was, after: is }) => [field, was, is]);
  expect(ports({}, behind('v1'))).toEqual([['proxyProtocol', 'none', 'v1']]);
  expect(ports(behind('v1'), behind('v2'))).toEqual([['proxyProtocol', 'v1', 'v2']]);
  expect(ports(behind('v2'), behind('v2'))).toEqual([]);
});
