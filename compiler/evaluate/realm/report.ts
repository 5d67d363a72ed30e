/** The last thing that runs: everything made and everything exported, as one text. */
import { stringify } from './host';
import { allMarks } from './marks';
import { notPlain, type NotPlain } from './plain';
import { walkExports, type Found, type Problem, type Sdk } from './walk';

interface Made {
  readonly n: number;
  readonly value: unknown;
  readonly stack: string;
  readonly parts?: readonly { readonly path: string; readonly stack: string }[];
}

/** `modules` are the policy modules with their namespaces, in order of path; `say` is the door that the text leaves by. */
export function report(
  sdk: Sdk & { entries(): readonly Made[] },
  modules: readonly (readonly [file: string, namespace: object])[],
  say: (json: string) => unknown,
): void {
  const found: Found[] = [];
  const problems: Problem[] = [];
  for (const [file, namespace] of modules) walkExports(sdk, file, namespace, found, problems);
  const entries = sdk.entries();
  const odd: NotPlain[] = [];
  for (const { n, value } of entries) {
    const wrong = notPlain(n, value);
    if (wrong) odd.push(wrong);
  }
  // What is not plain is told by its place alone: JSON would call it, drop it or change it.
  const shown = odd.length === 0 ? entries : entries.map(({ n, stack }) => ({ n, stack, value: { kind: 'unsupported' } }));
  say(stringify({ op: 'declared', marks: allMarks(), found, problems, odd, entries: shown }));
}
