/**
 * Runs the policy tests once for each environment. Everything goes out by the door for questions, one piece at a time: when a test ends the whole
 * program (a loop without end), the host knows which one it was and what the others gave.
 */
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

const { parse } = JSON;

export function runTests(
  collected: () => readonly Collected[],
  runTest: (index: number, environment: string) => Result,
  environments: readonly string[],
): void {
  const wanted: unknown = parse(doors.ask(stringify({ op: 'tests', tests: collected() })));
  const indices = wanted as readonly number[]; // the host's answer: which of them to run
  for (let i = 0; i < indices.length; i += 1) {
    const index = indices[i] ?? -1;
    for (const env of environments) {
      doors.ask(stringify({ op: 'begin', index, env }));
      doors.ask(stringify({ op: 'end', index, env, result: runTest(index, env) }));
    }
  }
  doors.emit('{}');
}
