/** Runs the policy tests once for each environment. Questions go out by a global that the SDK's testing module looks for. */
import { doors, stringify } from './host';

interface Collected {
  readonly name: string;
  readonly stack: string;
}
interface Result {
  readonly passed: boolean;
  readonly message?: string;
  readonly stack?: string;
}

export function runTests(
  collected: () => readonly Collected[],
  runTest: (index: number, environment: string) => Result,
  environments: readonly string[],
): void {
  const tests = collected();
  const results: unknown[] = [];
  for (let i = 0; i < tests.length; i += 1) {
    const one = tests[i];
    if (!one) continue;
    for (const env of environments) {
      const { passed, message, stack } = runTest(i, env);
      results.push({ index: i, name: one.name, env, ok: passed, message, at: stack, stack: one.stack });
    }
  }
  doors.emit(stringify({ results }));
}
