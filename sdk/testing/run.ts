/** Policy tests: collected while their modules run, and run one by one by the host, once for each environment. */
import { framesHere } from '../policy/policy-error';

export interface CollectedTest {
  readonly name: string;
  /** Frames of the call of `test`. */
  readonly stack: string;
}
export interface TestResult {
  readonly passed: boolean;
  /** Why not: one line. */
  readonly message?: string;
  readonly stack?: string;
}

const tests: { readonly name: string; readonly stack: string; readonly body: () => void }[] = [];
let running: string | undefined;

/** An expectation that did not hold. */
export class TestFailure extends Error {
  override readonly name = 'TestFailure';
}

/** The tests there are, in the order they were written. @public: imported by the generated entry of the sandbox. */
export const collected = (): readonly CollectedTest[] => tests.map(({ name, stack }) => ({ name, stack }));

/** Runs one test in one environment. Never throws. */
export function runTest(index: number, environment: string): TestResult {
  const one = tests[index];
  if (!one) return { passed: false, message: `there is no test ${index}` };
  running = environment;
  try {
    const answer: unknown = one.body();
    if (typeof answer === 'object' && answer !== null && 'then' in answer)
      return { passed: false, message: 'a test answers at once: it may not be `async`', stack: one.stack };
    return { passed: true };
  } catch (error) {
    if (error instanceof Error) return { passed: false, message: error.message, stack: `${error.stack ?? ''}` };
    return { passed: false, message: `the test threw ${typeof error}`, stack: one.stack };
  } finally {
    running = undefined;
  }
}

/** The environment that the running test is asked in. @throws Error outside a test. */
export function currentEnvironment(): string {
  if (running === undefined)
    throw new Error('a question belongs into `test(name, () => { ... })`: outside it there is no environment to ask in');
  return running;
}

/** A test: a name, and what is expected. Its body runs once for each environment. */
export function test(name: unknown, body: unknown): void {
  const stack = framesHere();
  if (typeof name !== 'string' || name.trim() === '')
    throw new Error('a test needs a name: `test("only the page reads reviews", () => { ... })`');
  if (typeof body !== 'function') throw new Error(`the test \`${name}\` needs a body: \`() => { ... }\``);
  tests.push({ name, stack, body: () => body() });
}
