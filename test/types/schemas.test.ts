/** Checked-in schemas are what the types say now, and the generator says the same twice. */
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { schemas } from '../../scripts/schemas';
import { validateDeclarations } from '../../core/declarations/validate';
import { root } from './policy-compiler';
import { runErased } from './sandboxed';

test.each(schemas.map((schema) => [schema.file, schema] as const))('%s', (file, schema) => {
  expect(schema.generate(root)).toBe(readFileSync(path.join(root, file), 'utf8'));
});

/** Words of the organisation that are refused by name: who puts one in force takes it out here. */
const notInForce: readonly string[] = [
  'approvals (`approve`) of a roll-out',
  'canaries (`canary`)',
  'guarantees by `onlyThrough`',
  'rate limits (`limit`)',
  'rate limits (`limit`)',
  'signatures of images (`images.signedBy`)',
  'the bound `internet` of a standard',
];

test('what the example mesh and the whole vocabulary register is of the documented form', async () => {
  const modules = [
    'platform/services',
    'platform/standards',
    'platform/kafka',
    'orders/orders',
    'payments/payments',
    'books/access',
    'books/traffic',
    'books/deploy',
  ];
  const policies = path.join(root, 'test', 'types', 'organisation', 'policies');
  const source = ['mesh', ...modules].map((name) => `import './${name}.policy';`).join('\n');
  const { values } = await runErased(source, policies);
  expect(values.length).toBeGreaterThan(40);
  expect(validateDeclarations(values)).toEqual([]);
  const features = values.flatMap((value) => [...JSON.stringify(value).matchAll(/"kind":"unsupported","feature":"([^"]+)"/g)]);
  expect(features.map((found) => found[1] ?? '').sort()).toEqual(notInForce);
});
