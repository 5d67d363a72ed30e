/** What the host writes into every module of the tree: a first and a last statement. */
import { freezeAll } from './freeze';

/** Which module was running when a declaration was made: never told by a stack. */
export interface Mark {
  readonly file: string;
  /** Declarations made before this module ran. */
  readonly before: number;
}
const marks: Mark[] = [];
let count: () => number = () => 0;

export const countWith = (counter: () => number): void => void (count = counter);
/** First statement of every module of the tree. */
export const enter = (file: string): void => void (marks[marks.length] = { file, before: count() });
export const allMarks = (): readonly Mark[] => marks;
/** Last statement of every module: what it exports cannot be changed by the modules that import it. */
export const leave = (namespace: object): void => freezeAll(Object.values(namespace));
/** Data of a JSON file, fixed like everything that modules share. */
export function fixed(json: string): unknown {
  const value: unknown = JSON.parse(json);
  freezeAll([value]);
  return value;
}
