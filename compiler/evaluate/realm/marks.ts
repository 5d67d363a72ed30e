/** Which module was running when a declaration was made: told by the modules' own first statements, which the host writes, never by a stack. */
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
