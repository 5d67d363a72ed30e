/** What a resource type of the provider does, in plain JSON: the gRPC side is in service.ts. */
import type { JsonObject } from '../../core/lib/json';

/** Told to people in Pulumi's output, beside the resource. */
export interface Teller {
  /** A line that stays. */
  readonly say: (line: string) => void;
  readonly warn: (line: string) => void;
  /** A line that the next one replaces. */
  readonly show: (line: string) => void;
}
export interface Call extends Teller {
  /** Milliseconds; null: none given. */
  readonly timeoutMs: number | null;
  /** Aborted when Pulumi cancels. */
  readonly signal: AbortSignal;
  /** A preview: judge, change nothing. */
  readonly dryRun: boolean;
}
/** `update`: in place. `replace`: another thing altogether. Paths are Pulumi property paths. */
export interface Difference {
  readonly kind: 'none' | 'update' | 'replace';
  readonly changed: readonly { readonly path: string; readonly change: 'add' | 'delete' | 'update' }[];
}
export interface State {
  readonly id: string;
  readonly properties: JsonObject;
  /** It is there but not as it should be; Pulumi keeps it and tries again at the next update. */
  readonly unfinished?: readonly string[];
}
export interface ResourceType {
  /** What is wrong with the inputs, by property. */
  check(inputs: JsonObject): readonly { readonly property: string; readonly reason: string }[];
  diff(olds: JsonObject, news: JsonObject): Difference;
  create(inputs: JsonObject, call: Call): Promise<State>;
  update(id: string, olds: JsonObject, news: JsonObject, call: Call): Promise<State>;
  /** null: it is not there. */
  read(id: string, properties: JsonObject, call: Call): Promise<State | null>;
  delete(id: string, properties: JsonObject, call: Call): Promise<void>;
}

/** Created or updated, and then something went wrong: the state is kept, the operation fails. */
export class UnfinishedError extends Error {
  constructor(
    readonly state: State,
    readonly reason: string,
  ) {
    super(reason);
  }
}

export const text = (properties: JsonObject, name: string): string => {
  const value = properties[name];
  return typeof value === 'string' ? value : '';
};
