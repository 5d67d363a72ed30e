/** meshwright/testing: runs in the same sandbox as the policies, against core/semantics, in every environment unless one is named. */
import type { Caller, Duration, Env, RequestLine, GrpcMethod, Scope, Target, User } from './policy';
export interface Question {
  readonly from: Caller;
  readonly to: Target;
  readonly request?: RequestLine | GrpcMethod;
  readonly headers?: { readonly [name: string]: string };
  readonly as?: User;
  readonly env?: Env;
}
export interface Answer {
  readonly decision: 'allow' | 'deny' | 'mixed';
  readonly because: readonly string[];
}
export declare function ask(question: Question): Answer;
/** Everyone who can reach it with some request: the exhaustive form of a test. */
export declare function callersOf(to: Target, env?: Env): readonly Caller[];
export declare function reachableFrom(from: Caller, env?: Env): readonly Target[];
export interface Expect<T> {
  toBeAllowed(): void;
  toBeAllowedBy(rule: Scope): void;
  toBeDenied(): void;
  toBeDeniedBy(rule: Scope): void;
  toGoTo(shares: { readonly [version: string]: number }): void;
  toTimeOutAfter(time: Duration): void;
  toEqual(value: T): void;
}
export declare function expect<T>(actual: T): Expect<T>;
export declare function test(name: string, body: () => void): void;
