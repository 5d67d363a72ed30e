/** Routes of connections from sources to answers: what an author can write of server names, versions and other services. */
import { sourceTree } from '../core/source';
import { answerQuestion } from './answer';
import { runPolicyTests } from './evaluate';
import { compile } from './pipeline';

const mesh = `import { defineMesh } from 'meshwright/policy';
export const mesh = defineMesh({
  trustDomain: 'acme.example',
  environments: ['prod'],
  teams: { data: { namespaces: ['data'] } },
  runs: { envoy: '1.40.0' },
});
declare module 'meshwright/policy' {
  interface Register {
    mesh: typeof mesh;
  }
}
`;
const services = `import { namespace, service, tcp, tls, workload } from 'meshwright/policy';
export const data = namespace('data', { team: 'data' });
export const app = workload(data, 'app', { serviceAccount: 'app' });
export const old = service(data, 'old', { serviceAccount: 'old', versions: ['v1', 'v2'], ports: { raw: tcp(7000), sealed: tls(7001) } });
export const moved = service(data, 'moved', { serviceAccount: 'moved', ports: { raw: tcp(7000), sealed: tls(7001) } });
`;
const ways = `import { split } from 'meshwright/policy';
import { app, moved, old } from './services.policy';
export const oldOpen = old.ports.raw.allow({ from: app });
export const oldSealed = old.ports.sealed.allow({ from: app });
export const movedOpen = moved.ports.raw.allow({ from: app });
export const movedSealed = moved.ports.sealed.allow({ from: app });
export const movedWays = moved.ports.raw.route({
  rules: [],
  otherwise: { to: split([moved.ports.raw, 80], [old.ports.raw.version('v2'), 20]) },
});
export const sealedWays = moved.ports.sealed.route({
  rules: [{ when: { sni: ['*.db.acme.example', 'db.acme.example'] }, to: old.ports.sealed.version('v1') }],
  otherwise: { to: moved.ports.sealed },
});
`;
const tests = `import { ask, expect, test } from 'meshwright/testing';
import { app, moved, old } from './services.policy';
import { sealedWays } from './ways.policy';
test('by server name, and under a wildcard', () => {
  for (const sni of ['db.acme.example', 'a.db.acme.example', 'B.A.DB.acme.example']) {
    expect(ask({ from: app, to: moved.ports.sealed, sni })).toTakeRoute(sealedWays, 0);
    expect(ask({ from: app, to: moved.ports.sealed, sni })).toGoTo(old.ports.sealed);
  }
  expect(ask({ from: app, to: moved.ports.sealed, sni: 'acme.example' })).toTakeRoute(sealedWays, 'otherwise');
});
test('a share to a version of another service', () => {
  expect(ask({ from: app, to: moved.ports.raw })).toGoTo(old.ports.raw, 20);
  expect(ask({ from: app, to: moved.ports.raw })).toGoTo('v2', 20);
});
`;
const treeOf = (rules: string) =>
  sourceTree([
    ['mesh.policy.ts', mesh],
    ['data/services.policy.ts', services],
    ['data/ways.policy.ts', rules],
    ['data/ways.policy.test.ts', tests],
  ]);
const errorsOf = async (rules: string): Promise<readonly string[]> =>
  (await compile(treeOf(rules), { asOf: '2026-11-22', typecheck: true })).diagnostics
    .filter(({ severity }) => severity === 'error')
    .map(({ code, message }) => `${code} ${message}`);

test('a wildcard of server names and a version of another service are written, typed and answered', async () => {
  const tree = treeOf(ways);
  const { diagnostics: found, irs } = await compile(tree, { asOf: '2026-11-22', typecheck: true });
  expect(found.filter(({ severity }) => severity === 'error')).toEqual([]);
  const { value, diagnostics } = await runPolicyTests(tree, {
    environments: [...irs.keys()],
    ask: (question) => answerQuestion(irs, question),
  });
  expect(diagnostics).toEqual([]);
  expect(value?.tests.map(({ name, ok, failures }) => [name, ok, failures])).toEqual([
    ['by server name, and under a wildcard', true, []],
    ['a share to a version of another service', true, []],
  ]);
});
test('a version that another service does not have, and what is no server name, are refused', async () => {
  expect(
    await errorsOf(ways.replace("old.ports.sealed.version('v1')", "(old.ports.sealed.version as (name: string) => never)('v9')")),
  ).toEqual([expect.stringMatching(/^MW\d{4} .*v9/)]);
  expect(await errorsOf(ways.replace("'*.db.acme.example'", "'*'"))).toEqual([expect.stringMatching(/^MW2124 `\*` is not a host/)]);
});
