import type { MessagePort } from 'node:worker_threads';

/** The answer to a question after which the program is ended: nothing in it can catch that. */
export const enough = 'enough';

/** What the host sends to the worker: one program. */
export interface Job {
  readonly code: string;
  readonly fuel: number;
  readonly memoryBytes: number;
  readonly stackBytes: number;
  /** For policy tests: where questions go, and the flag that is raised when the answer is there. */
  readonly asking?: { readonly port: MessagePort; readonly signal: SharedArrayBuffer };
}
export type Thrown =
  | {
      readonly is: 'error';
      readonly name: string;
      readonly message: string;
      readonly stack: string;
      readonly code?: string;
      readonly help?: string;
    }
  | { readonly is: Exclude<string, 'error'>; readonly name?: undefined };

/** What comes back. `json` is the one text that a program sends. */
export interface Finished {
  readonly json: string | null;
  readonly thrown: Thrown | null;
  readonly refused: readonly { readonly kind: string; readonly name: string }[];
  readonly fuel: number;
  readonly ticks: number;
  readonly charged: number;
  /** How large the engine's memory has grown; it never shrinks. */
  readonly heapBytes: number;
  /** Something was left for later. */
  readonly pending: boolean;
}
export interface Crashed {
  readonly crash: string;
}
