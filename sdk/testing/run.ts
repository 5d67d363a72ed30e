/** Policy tests: collected while their modules run, and run one by one by the host, once for each environment. */
import { getOwnPropertyDescriptor, sliceText } from '../policy/intrinsics';
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
  /** The answer that the expectation was about. */
  readonly about?: About;
}
/** What an answer was, for whoever reads of the failure. */
export interface About {
  /** The question in words. */
  readonly asked: string;
  readonly answered: string;
  /** Rules and route that decided. */
  readonly rules: readonly string[];
}

const tests: { readonly name: string; readonly stack: string; readonly body: () => void }[] = [];
let running: string | undefined;
const longestMessage = 2_000;
const longestName = 200;

/** An expectation that did not hold. */
export class TestFailure extends Error {
  override readonly name = 'TestFailure';
  constructor(
    message: string,
    readonly about?: About,
  ) {
    super(message);
  }
}

/** The tests there are, in the order they were written. @public: imported by the generated entry of the sandbox. */
export const collected = (): readonly CollectedTest[] => tests.map(({ name, stack }) => ({ name, stack }));

/** Runs one test in one environment. Never throws, whatever the test throws. */
export function runTest(index: number, environment: string): TestResult {
  const one = tests[index];
  if (!one) return { passed: false, message: `there is no test ${index}` };
  running = environment;
  try {
    const answer: unknown = one.body();
    if (typeof answer === 'object' && answer !== null && 'then' in answer)
      return { passed: false, message: 'a test answers at once: it may not be `async`', stack: one.stack };
    return { passed: true };
  } catch (thrown) {
    return failureOf(thrown, one.stack);
  } finally {
    running = undefined;
  }
}

/** What a test threw may be anything: accessors and inherited values of it are not asked. */
function failureOf(thrown: unknown, stack: string): TestResult {
  if (thrown instanceof TestFailure)
    return { passed: false, message: short(thrown.message), stack: own(thrown, 'stack') ?? stack, ...aboutOf(thrown) };
  if (!(thrown instanceof Error)) {
    const what =
      typeof thrown === 'string'
        ? `the text ${JSON.stringify(sliceText(thrown, 0, 200))}`
        : thrown === null
          ? 'null'
          : `a value of type ${typeof thrown}`;
    return { passed: false, message: `the test threw ${what}: throw an \`Error\`, or let an expectation fail`, stack };
  }
  const [message, help] = [own(thrown, 'message'), own(thrown, 'help')];
  return {
    passed: false,
    message: short(
      `${message === undefined || message === '' ? 'the test threw an error without a message' : message}${help === undefined ? '' : `: ${help}`}`,
    ),
    stack: own(thrown, 'stack') ?? stack,
  };
}
const aboutOf = ({ about }: TestFailure): { readonly about?: About } => (about ? { about } : {});
const short = (text: string): string => (text.length > longestMessage ? `${sliceText(text, 0, longestMessage)} ...` : text);

/** A text in an own data property. */
function own(value: object, name: string): string | undefined {
  const found = getOwnPropertyDescriptor(value, name);
  const held: unknown = found && 'value' in found ? found.value : undefined;
  return typeof held === 'string' ? held : undefined;
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
  if (running !== undefined) throw new Error('a test inside a test is never run: write it beside the other');
  if (typeof name !== 'string' || name.trim() === '')
    throw new Error('a test needs a name: `test("only the page reads reviews", () => { ... })`');
  if (name.length > longestName) throw new Error(`the name of a test has at most ${longestName} characters, and this one ${name.length}`);
  if (typeof body !== 'function') throw new Error(`the test \`${name}\` needs a body: \`() => { ... }\``);
  tests.push({ name, stack, body: () => body() });
}
