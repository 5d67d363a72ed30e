import { RawError, defineProperty, getOwnPropertyDescriptor, indexOfText, matches, sliceText } from './intrinsics';

/** Codes of what the SDK refuses while a module runs: the run-time twins of what the types refuse. The catalogue is core/diagnostics/policy.ts. */
export type PolicyCode = `MW21${number}`;

/**
 * A policy module said something that is refused. `message` and `help` are a diagnostic's (lower case, one line, no final stop); `stack` holds
 * frames only, and the first one outside the SDK is the author's line.
 */
export class PolicyError extends RawError {
  readonly code: PolicyCode;
  readonly help: string;
  constructor(code: PolicyCode, message: string, help: string, stack: string) {
    super(message);
    this.code = code;
    this.help = help;
    defineProperty(this, 'name', { value: 'PolicyError', enumerable: false });
    defineProperty(this, 'stack', { value: stack, enumerable: false });
  }
}

/** The frames of the present call, without the header line that some engines put first. */
export function framesHere(): string {
  const text = stackOf(new RawError());
  return headed ? sliceText(text, indexOfText(text, '\n') + 1) : text;
}
function stackOf(error: Error): string {
  const own = getOwnPropertyDescriptor(error, 'stack');
  const text: unknown = own && 'value' in own ? own.value : error.stack;
  return typeof text === 'string' ? text : '';
}
/** Whether this engine starts a stack with `Error`. */
const headed = !matches(/^\s*at /, stackOf(new RawError()));

/** One call of the SDK by a policy module: what was called and where, and the places of the values it was handed. */
export interface Call {
  readonly what: string;
  readonly stack: string;
  readonly parts: { readonly path: string; readonly stack: string }[];
}
/** A place inside the arguments of a call: `spec.ports.web`. */
export interface Place {
  readonly call: Call;
  readonly key: string | number;
  readonly outer?: Place;
}
export const under = (at: Place, key: string | number): Place => ({ call: at.call, key, outer: at });
/** Where a call's argument begins; an empty name stands for the call itself. */
export const argument = (call: Call, name: string): Place => ({ call, key: name });
/** The path in words: made only when it is told. */
export function pathOf(at: Place): string {
  const outer = at.outer ? pathOf(at.outer) : '';
  return outer === '' ? `${at.key}` : `${outer}.${at.key}`;
}

export function refuse(at: Place, code: PolicyCode, message: string, help: string): never {
  const path = pathOf(at);
  throw new PolicyError(
    code,
    `${message}${path === '' ? `, in \`${at.call.what}\`` : `, in \`${path}\` of \`${at.call.what}\``}`,
    help,
    at.call.stack,
  );
}
