/** What is emitted for the webhook, as files to review. `UPDATE_GOLDEN=1 npx jest test/golden/emit-admission` writes them and removes stale ones. */
import * as path from 'node:path';
import { emitAdmission } from '../../compiler/emit/admission';
import { objectName } from '../../core/bundle/objects';
import { objectResource } from '../../core/bundle/custom-resource';
import type { MeshIr } from '../../core/ir/ir';
import { digestOfJson } from '../../core/lib/digest';
import { canonicalJson } from '../../core/lib/json';
import { listFiles, readTextIfThere, replaceFolder } from '../../platform/files';
import { bookinfo } from '../kit/bookinfo-ir';
import { withDeployRules } from '../kit/deploy-rules';
import { generateMesh } from '../kit/mesh-generator';
import { seeded } from '../kit/random';

const folder = path.join(__dirname, 'emit-admission');
const nothing: MeshIr = { ...bookinfo(), namespaces: [], workloads: [], services: [] };

function emitted(ir: MeshIr): string {
  const { value, diagnostics } = emitAdmission(ir);
  if (!value) throw new Error(diagnostics.map((d) => `${d.code} ${d.message}`).join('\n'));
  expect(objectName(value)).toBe('AdmissionRules/meshwright/rules');
  return `${JSON.stringify(JSON.parse(canonicalJson(value)), null, 1)}\n`;
}

test('the rules of the example, with every word of the vocabulary and with none, are the golden ones', async () => {
  const now = new Map([
    ['all-words.json', emitted(withDeployRules(bookinfo()))],
    ['no-rules.json', emitted(bookinfo())],
    ['nothing-declared.json', emitted(nothing)],
  ]);
  if (process.env['UPDATE_GOLDEN'] === '1') {
    if (process.env['CI'] !== undefined) throw new Error('golden files are not written in CI');
    await replaceFolder(folder, now);
  }
  expect(await listFiles(folder)).toEqual([...now.keys()].sort());
  for (const [file, text] of now) expect([file, await readTextIfThere(path.join(folder, file))]).toEqual([file, text]);
});

test('bytes depend on meaning only: lists in another order give equal ones', () => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const random = seeded(seed);
    const mix = <T>(list: readonly T[]): readonly T[] => {
      const left = [...list];
      return list.flatMap(() => left.splice(random.below(left.length), 1));
    };
    const ir = withDeployRules(generateMesh(seed, 8));
    const mixed: MeshIr = {
      ...ir,
      namespaces: mix(ir.namespaces),
      workloads: mix(ir.workloads),
      services: mix(ir.services).map((service) => ({ ...service, versions: mix(service.versions) })),
      deploys: mix(ir.deploys).map((rule) => ({
        ...rule,
        by: mix(rule.by),
        workloads: rule.workloads && mix(rule.workloads),
        images: rule.images && { ...rule.images, from: mix(rule.images.from) },
      })),
      products: mix(ir.products).map((rule) => ({ ...rule, ranges: mix(rule.ranges), skew: mix(rule.skew) })),
    };
    expect([seed, emitted(mixed)]).toEqual([seed, emitted(ir)]);
  }
});

test('nothing in it is empty or null: the Kubernetes API would keep neither', () => {
  const hollow = (value: unknown): boolean =>
    value === null ||
    value === '' ||
    (typeof value === 'object' && (Object.keys(value).length === 0 || Object.values(value).some((inner) => hollow(inner))));
  for (const ir of [withDeployRules(bookinfo()), bookinfo(), nothing]) {
    const { value } = emitAdmission(ir);
    if (!value) throw new Error('nothing is emitted');
    expect(hollow(value)).toBe(false);
    expect(objectResource({ object: value, digest: digestOfJson(value), jws: 'jws' }, 'test').metadata.namespace).toBe('meshwright');
  }
});

test('a service whose versions are told apart by another label is said, and its versions are not checked', () => {
  const ir = bookinfo();
  const services = ir.services.map((service) => ({ ...service, versionLabel: 'colour' }));
  const { value, diagnostics } = emitAdmission({ ...ir, services });
  expect(diagnostics.map((d) => [d.code, d.rule])).toEqual([['MW5101', 'books/reviews']]);
  expect(JSON.stringify(value)).not.toContain('versions');
});
