/** Expectations of a policy test. Each failure says what was expected and what is so. */
import type { Decision } from '../../core/semantics/decision';
import { type Named, decisionOf, nameOf } from './ask';
import { TestFailure } from './run';
import { freeze, isArray } from '../policy/intrinsics';

const milliseconds: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

export function expect(actual: unknown): object {
  const decision = (matcher: string): Decision => {
    const found = decisionOf(actual);
    if (!found) throw new TestFailure(`\`${matcher}\` is about an answer: write \`expect(ask({ ... })).${matcher}(...)\``);
    return found;
  };
  const outcome = (wanted: 'allow' | 'deny', matcher: string): Decision => {
    const found = decision(matcher);
    if (found.outcome !== wanted) throw new TestFailure(`expected ${wanted}, and it is ${found.outcome}: ${found.says}`);
    return found;
  };
  const by = (wanted: 'allow' | 'deny', rule: unknown, matcher: string): void => {
    const found = outcome(wanted, matcher);
    const id = nameOf(rule)?.id;
    if (id === undefined) throw new TestFailure(`\`${matcher}\` takes a rule: name what \`allow(...)\` or \`deny(...)\` made`);
    const because = [...new Set([...found.because, ...found.destinations.flatMap((one) => one.because)])];
    if (!because.some((one) => one === id)) {
      throw new TestFailure(
        `expected \`${id}\` to decide, and ${because.length === 0 ? 'no rule did' : `it was ${because.map((one) => `\`${one}\``).join(', ')}`}`,
      );
    }
  };
  return freeze({
    toBeAllowed: () => void outcome('allow', 'toBeAllowed'),
    toBeAllowedBy: (rule: unknown) => by('allow', rule, 'toBeAllowedBy'),
    toBeDenied: () => void outcome('deny', 'toBeDenied'),
    toBeDeniedBy: (rule: unknown) => by('deny', rule, 'toBeDeniedBy'),
    toGoTo: (shares: unknown) => {
      const found = decision('toGoTo');
      const actualShares: Record<string, number> = {};
      for (const one of found.destinations) {
        const name = one.version ?? one.port;
        actualShares[name] = (actualShares[name] ?? 0) + one.share;
      }
      const wanted: Record<string, unknown> = typeof shares === 'object' && shares !== null ? { ...shares } : {};
      const sorted = (of: Record<string, unknown>): string =>
        Object.keys(of)
          .sort()
          .filter((key) => of[key] !== 0)
          .map((key) => `${key} ${of[key]} %`)
          .join(', ');
      if (sorted(actualShares) !== sorted(wanted))
        throw new TestFailure(
          `expected it to go to ${sorted(wanted) || 'nobody'}, and it goes to ${sorted(actualShares) || 'nobody'}: ${found.says}`,
        );
    },
    toTimeOutAfter: (time: unknown) => {
      const found = decision('toTimeOutAfter');
      const parts = typeof time === 'string' ? /^([0-9.]+)(ms|s|m|h)$/.exec(time) : null;
      if (!parts) throw new TestFailure(`\`${String(time)}\` is not a duration`);
      const wanted = Number(parts[1]) * (milliseconds[parts[2] ?? ''] ?? 1);
      if (found.timeoutMs !== wanted)
        throw new TestFailure(
          `expected a timeout of ${String(time)}, and it is ${found.timeoutMs === null ? 'none' : `${found.timeoutMs} ms`}`,
        );
    },
    toEqual: (wanted: unknown) => {
      const left = comparable(actual);
      const right = comparable(wanted);
      if (left !== right) throw new TestFailure(`expected ${right}, and it is ${left}`);
    },
  });
}

/** One text for equal values: handles by their rule ids; lists of handles without order. */
function comparable(value: unknown): string {
  const named = nameOf(value);
  if (named) return shown(named);
  if (isArray(value)) {
    const items = value.map((one: unknown) => ({ text: comparable(one), handle: nameOf(one) !== undefined }));
    const texts = items.map((one) => one.text);
    return `[${(items.every((one) => one.handle) ? texts.sort() : texts).join(', ')}]`;
  }
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, one]) => `${key}: ${comparable(one)}`)
      .join(', ')}}`;
  }
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
const shown = (named: Named): string => (named.port === undefined ? named.id : `${named.id}.${named.port}`);
