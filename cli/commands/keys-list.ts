import type { Run } from '../command';
import { printFindings, trustAt } from '../bundles';

/** `meshwright keys list`: whom a trust root believes. Reads public keys only. */
export const run: Run = async (context, values) => {
  const trust = await trustAt(context, values.need('trust'));
  if (!trust.value) return printFindings(context, trust.diagnostics);
  context.out.document(trust.value);
  for (const [environment, { keys, previewKeys, generationFloor }] of Object.entries(trust.value.environments)) {
    context.out.line(`${environment}   generation floor ${generationFloor}`);
    for (const key of keys) context.out.line(`  live     ${key.kid}`);
    for (const key of previewKeys ?? []) context.out.line(`  preview  ${key.kid}`);
  }
  return 0;
};
