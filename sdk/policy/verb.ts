/** Every function and method that a policy module can call goes through here: arguments are counted, taken apart once, and the place is kept. */
import { freeze } from './intrinsics';
import type { Plain } from './plain';
import { type Call, type Place, argument, framesHere, refuse } from './policy-error';
import { snapshot } from './snapshot';

/** What a verb's body is handed: plain arguments by name; an optional one that was not written is absent. */
export interface Arguments {
  readonly call: Call;
  /** A required argument. */
  take(index: number): Plain;
  /** Whether an optional one was written. */
  has(index: number): boolean;
  at(index: number): Place;
  /** All of them, for a verb that takes any number. */
  readonly all: readonly Plain[];
}

/**
 * Makes a function of the authoring API. `parameters` name the arguments (the last spec's path is left out of messages, so that they read
 * `ports.web`, not `spec.ports.web`); those from `required` on may be left out; `rest` says that the last one may be repeated.
 */
export function verb<R>(
  what: string,
  parameters: readonly string[],
  required: number,
  body: (given: Arguments) => R,
  rest?: 'rest',
): (...given: unknown[]) => R {
  const spoken = (...given: unknown[]): R => {
    const call: Call = { what, stack: framesHere(), parts: [] };
    const at = (index: number): Place => {
      const parameter = parameters[Math.min(index, parameters.length - 1)] ?? '';
      if (parameter === 'spec') return argument(call, '');
      return argument(call, rest && index >= parameters.length - 1 ? `${parameter}.${index - parameters.length + 1}` : parameter);
    };
    const whole = argument(call, '');
    if (given.length < required)
      return refuse(
        whole,
        'MW2102',
        `\`${parameters[given.length] ?? 'argument'}\` is missing`,
        `write \`${what}(${parameters.join(', ')})\``,
      );
    if (given.length > parameters.length && rest === undefined)
      return refuse(
        whole,
        'MW2103',
        `more arguments than the ${parameters.length} there are`,
        `write \`${what}(${parameters.join(', ')})\``,
      );
    const plain: Plain[] = [];
    for (let i = 0; i < given.length; i++) plain[i] = snapshot(given[i], at(i));
    return body({ call, take: (index) => plain[index] ?? null, has: (index) => index < plain.length, at, all: plain });
  };
  return freeze(spoken);
}
