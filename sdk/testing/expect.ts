/** Expectations of a policy test. Each failure says what was expected and what is so, with the question and the rules that decided it. */
import { freeze, keysOf } from '../policy/intrinsics';
import { type Answered, answeredOf } from './ask';
import { answerMatchers } from './answer-matchers';
import { type Verdict, describe } from './described';
import { valueMatchers } from './equal';
import { type About, TestFailure } from './run';

type Spoken = (...given: unknown[]) => void;

/** Matchers for what is given: those of answers speak of answers alone. */
export function expect(actual: unknown): object {
  const answered = answeredOf(actual);
  return freeze({ ...speaking(actual, answered, false), not: freeze(speaking(actual, answered, true)) });
}

function speaking(actual: unknown, answered: Answered | undefined, not: boolean): Record<string, Spoken> {
  const spoken: Record<string, Spoken> = {};
  for (const name of keysOf(answerMatchers)) {
    const matcher = answerMatchers[name];
    spoken[name] = (...given) => {
      if (!answered || !matcher)
        throw new TestFailure(`\`${name}\` is about an answer: write \`expect(ask({ ... })).${not ? 'not.' : ''}${name}(...)\``);
      decide(matcher(answered, given), not, aboutOf(answered));
    };
  }
  for (const name of keysOf(valueMatchers)) {
    const matcher = valueMatchers[name];
    // An answer is compared by its own matchers: two answers are never the same thing.
    spoken[name] = (...given) => matcher && decide(matcher(actual, given), not, answered && aboutOf(answered));
  }
  return spoken;
}

function decide(verdict: Verdict, not: boolean, about: About | undefined): void {
  if (verdict.holds !== not) return;
  throw new TestFailure(`expected it ${not ? 'not ' : ''}to ${verdict.wanted}, and ${verdict.is}`, about);
}

function aboutOf({ decision, asked }: Answered): About {
  const destinations = decision.destinations.flatMap((one) => one.because);
  return {
    asked,
    answered: describe(decision),
    rules: [...new Set([...decision.because, ...destinations, ...(decision.route ? [decision.route.rule] : [])])],
  };
}
