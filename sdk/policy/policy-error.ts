import { RawError, getOwnPropertyDescriptor, defineProperty, indexOfText, matches, sliceText, splitText } from './intrinsics';

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
  const error = new RawError();
  const stack = getOwnPropertyDescriptor(error, 'stack');
  const text = typeof stack?.value === 'string' ? stack.value : typeof error.stack === 'string' ? error.stack : '';
  const first = splitText(text, '\n')[0] ?? '';
  return matches(/^\s*at /, first) ? text : sliceText(text, indexOfText(text, '\n') + 1);
}

/** One call of the SDK by a policy module: what was called and where, and the places of the values it was handed. */
export interface Call {
  readonly what: string;
  readonly stack: string;
  readonly parts: { readonly path: string; readonly stack: string }[];
}
/** A place inside the arguments of a call: `spec.ports.web`. */
export interface Place {
  readonly call: Call;
  readonly path: string;
}
export const under = (at: Place, key: string | number): Place => ({ call: at.call, path: at.path === '' ? `${key}` : `${at.path}.${key}` });

export function refuse(at: Place, code: PolicyCode, message: string, help: string): never {
  throw new PolicyError(code, `${message}${at.path === '' ? '' : `, in \`${at.path}\``} of \`${at.call.what}\``, help, at.call.stack);
}
