/** What the types cost, in instantiations: exact, the same on every machine. Time is never asserted. */
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { checkPolicies } from './policy-compiler';

const services = 1_000;
const rulesEach = 5;
const teams = 20;
/** Instantiations that a rule may cost on average, the nouns it speaks of included. */
const perRule = 44;

let folder = '';
beforeAll(async () => {
  folder = await realpath(await mkdtemp(path.join(tmpdir(), 'meshwright-budget-')));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A repository as teams write it: each its nouns, its rules, and what it shares. Returns how many rules it has. */
async function generate(size: number): Promise<number> {
  const policies = path.join(folder, `policies-${size}`, 'policies');
  const each = Math.ceil(size / teams);
  const files = new Map<string, string>();
  const names = Array.from({ length: teams }, (_, team) => `team${team}`);
  files.set(
    'mesh.policy.ts',
    `import { defineMesh } from 'meshwright/policy';
export const mesh = defineMesh({ trustDomain: 'a.example', environments: ['dev', 'staging', 'prod'], teams: { ${names.map((name) => `${name}: { namespaces: ['${name}'] }`).join(', ')} }, tags: { tier: ['gold', 'silver'] }, runs: { envoy: '1.40.0' } });
declare module 'meshwright/policy' { interface Register { mesh: typeof mesh } }\n`,
  );
  let rules = 0;
  names.forEach((team, t) => {
    const own = Array.from({ length: each }, (_, i) => `s${t}x${i}`);
    const nouns = own.map(
      (name, i) =>
        `export const ${name} = service(space, '${name}', { serviceAccount: '${name}', ports: { web: http(8080, { requests: ['GET /${name}/{id}', 'POST /${name}', 'GET /health'] }) }, versions: ['v1', 'v2'], tags: { tier: '${i % 2 ? 'gold' : 'silver'}' } });`,
    );
    files.set(
      `${team}/services.policy.ts`,
      `import { http, namespace, service } from 'meshwright/policy';\nexport const space = namespace('${team}', { team: '${team}' });\n${nouns.join('\n')}\n`,
    );
    files.set(
      `${team}/public.ts`,
      `import { share } from 'meshwright/policy';\nimport * as own from './services.policy';\nexport const { ${own.join(', ')} } = share(own);\n`,
    );
    const other = (t + 1) % teams;
    const acts = own.map((name, i) => {
      const [next, foreign] = [own[(i + 1) % own.length] ?? name, `s${other}x${i}`];
      rules += rulesEach;
      return [
        `export const ${name}A = ${name}.ports.web.allow({ from: ${next}, requests: ['GET /${name}/{id}'] });`,
        `export const ${name}B = ${name}.ports.web.allow({ from: [${next}, ${foreign}], requests: ['POST /${name}', 'GET /health'], only: ['prod'] });`,
        `export const ${name}C = ${name}.calls(${foreign}.ports.web, { timeout: '1s' });`,
        `export const ${name}R = ${name}.ports.web.route({ rules: [{ when: { headers: { 'x-user': 'a${i}' }, request: 'GET /health' }, to: 'v2' }], otherwise: { to: { v1: 90, v2: 10 }, timeout: per({ dev: '9s', staging: '2s', prod: '${(i % 5) + 1}s' }), retry: { atMost: 2, perTry: '500ms', on: ['5xx'] } } });`,
        `export const ${name}N = never({ from: anyone.except(${next}, ${foreign}), to: ${name} });`,
      ].join('\n');
    });
    files.set(
      `${team}/rules.policy.ts`,
      `import { anyone, never, per } from 'meshwright/policy';\nimport { ${own.map((_, i) => `s${other}x${i}`).join(', ')} } from '#team${other}';\nimport { ${own.join(', ')} } from './services.policy';\n${acts.join('\n')}\n`,
    );
  });
  for (const [name, text] of files) {
    await mkdir(path.dirname(path.join(policies, name)), { recursive: true });
    await writeFile(path.join(policies, name), text);
  }
  await writeFile(path.join(policies, '..', 'package.json'), '{ "imports": { "#*": "./policies/*/public.ts" } }');
  return rules;
}
const cost = async (size: number): Promise<{ readonly rules: number; readonly instantiations: number }> => {
  const rules = await generate(size);
  const { errors, instantiations } = await checkPolicies([path.join(folder, `policies-${size}`, '**', '*.ts')], folder);
  expect(errors).toEqual([]);
  return { rules, instantiations };
};

test(`${services} services and their ${services * rulesEach} rules stay within ${perRule} instantiations a rule`, async () => {
  const { rules, instantiations } = await cost(services);
  expect(rules).toBe(services * rulesEach);
  expect(instantiations).toBeGreaterThan(rules);
  expect(instantiations).toBeLessThan(rules * perRule);
});

test('the cost of a rule does not grow with the rules before it', async () => {
  const [few, many] = [await cost(100), await cost(400)];
  expect(many.instantiations / many.rules).toBeLessThanOrEqual(few.instantiations / few.rules);
});
