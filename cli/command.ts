/** What a verb of the command line is: data for help, reference and completion; its code is loaded only when it is called. */
import type { Output } from './output';
import type { Values } from './values';

/** 0 ok, 1 findings (the policy's, or a refusal), 2 usage or internal error. */
export type ExitCode = 0 | 1 | 2;

export interface CommandContext {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `--json`: exactly one document on stdout, by `out.document`. */
  readonly json: boolean;
  readonly out: Output;
}

/** A module in cli/commands exports one `run` of this type. Throw `UsageError` for what the caller typed wrong; any other throw is a bug of ours. */
export type Run = (context: CommandContext, values: Values) => Promise<ExitCode>;

export interface ArgumentSpec {
  /** `dir`, `bundle`; given by position. */
  readonly name: string;
  readonly summary: string;
  readonly required?: boolean;
  /** Takes all that follow; only the last one may. */
  readonly many?: boolean;
}
export interface OptionSpec {
  /** As commander has it: `--env <name>`, `--header <k=v>`, `--inbound`. The value's name in `Values` is the long name in camelCase. */
  readonly flags: string;
  readonly summary: string;
  /** May be given more than once. */
  readonly many?: boolean;
  readonly choices?: readonly string[];
  readonly default?: string;
}
export interface Verb {
  /** `check`, or `rollout promote` for a verb below another. */
  readonly name: string;
  readonly summary: string;
  readonly arguments?: readonly ArgumentSpec[];
  readonly options?: readonly OptionSpec[];
  /** Lines that work as they stand, for `--help` and the reference. */
  readonly examples?: readonly string[];
  readonly load: () => Promise<{ readonly run: Run }>;
}

/** What the caller typed wrong, in one line, with the repair. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
