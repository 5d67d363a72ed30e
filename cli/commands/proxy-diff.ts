import { canonicalJson } from '../../core/lib/json';
import { adminOf, refusalAsFindings } from '../admin';
import type { Run } from '../command';

/** `meshwright proxy diff`: where the configurations of two proxies differ, by JSON path. Exit code 1 where they do. */
export const run: Run = (context, values) =>
  refusalAsFindings(context, async () => {
    const admin = adminOf(context, values);
    const [one, other] = await Promise.all(
      ['instance', 'other'].map((name) => admin.get(`/v1/proxies/${encodeURIComponent(values.text(name) ?? '')}/config`)),
    );
    const differences = [...differing(one, other, '')];
    context.out.document({ equal: differences.length === 0, differences });
    for (const { path, before, after } of differences) context.out.line(`${path}\n  - ${short(before)}\n  + ${short(after)}`);
    if (differences.length === 0) context.out.line('equal');
    return differences.length === 0 ? 0 : 1;
  });

interface Difference {
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** Every leaf that differs between two JSON values; `undefined` stands for what is not there. */
export function* differing(before: unknown, after: unknown, path: string): Generator<Difference> {
  const entries = (value: unknown): Readonly<Record<string, unknown>> | null =>
    typeof value === 'object' && value !== null ? { ...value } : null;
  const [a, b] = [entries(before), entries(after)];
  if (a && b && Array.isArray(before) === Array.isArray(after)) {
    for (const key of [...new Set([...Object.keys(a), ...Object.keys(b)])].sort())
      yield* differing(a[key], b[key], path === '' ? key : `${path}.${key}`);
  } else if (before === undefined || after === undefined ? before !== after : canonicalJson(before) !== canonicalJson(after))
    yield { path, before, after };
}

const short = (value: unknown): string => (value === undefined ? '(not there)' : JSON.stringify(value).slice(0, 200));
