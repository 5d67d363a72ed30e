/** The example mesh of this repository: no findings, its own tests pass, and its types cost little. */
import * as path from 'node:path';
import { answerQuestion } from '../../compiler/answer';
import { runPolicyTests } from '../../compiler/evaluate';
import { compile } from '../../compiler/pipeline';
import { readDirectory } from '../../compiler/source';

test('it compiles without a finding in every environment, and its tests pass in each', async () => {
  const { value: tree, diagnostics } = await readDirectory(path.join(__dirname, '..', '..', 'policies'));
  expect(diagnostics).toEqual([]);
  if (!tree) throw new Error('the policies cannot be read');
  const compiled = await compile(tree, { asOf: '2026-11-22', typecheck: false, stopAfter: 'analyse' });
  expect(compiled.diagnostics).toEqual([]);
  const environments = ['dev', 'staging', 'prod'];
  expect([...compiled.irs.keys()]).toEqual(environments);
  const tested = await runPolicyTests(tree, { environments, ask: (question) => answerQuestion(compiled.irs, question) });
  expect(tested.diagnostics).toEqual([]);
  expect(tested.value?.tests.flatMap((one) => one.failures)).toEqual([]);
  expect(tested.value?.tests.length).toBeGreaterThanOrEqual(6);
  expect(tested.value?.tests.every((one) => one.environments.length === environments.length)).toBe(true);
});
