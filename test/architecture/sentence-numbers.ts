/** Numbers of the definition's sentences, and where they are cited. A new sentence is written `?. `; a moved one keeps its number until it is renumbered. */

const sentence = /^([0-9]+|\?)\. /;
export const sentencesOf = (definition: string): readonly string[] => definition.split('\n').filter((line) => sentence.test(line));
export const numberOf = (line: string): number => Number(sentence.exec(line)?.[1]);

/** `core/semantics/README.md, 40`; in the tables of the features the cell in which numbers stand alone, or after a link. */
const inText = /(core\/semantics(?:\/README\.md\)?)?,? )([0-9]+(?:, [0-9]+)*)/g;
const inTable = /(\| (?:\[semantics\]\([^)]*\) )?)([0-9]+(?:, [0-9]+)*)(?= \|)/;
const features = 'docs/reference/features.md';

export const citedIn = (file: string, text: string): readonly number[] =>
  text
    .split('\n')
    .flatMap((line) =>
      (file === features ? [inTable.exec(line)] : [...line.matchAll(inText)]).flatMap((found) =>
        (found?.[2] ?? '').split(', ').flatMap((one) => (one === '' ? [] : Number(one))),
      ),
    );

/** The definition with its sentences numbered in the order they stand in, and what became of each number. */
export function renumbered(definition: string): { readonly text: string; readonly moved: ReadonlyMap<number, number> } {
  const moved = new Map<number, number>();
  let next = 0;
  const lines = definition.split('\n').map((line) => {
    if (!sentence.test(line)) return line;
    next += 1;
    if (!line.startsWith('?')) {
      if (moved.has(numberOf(line)))
        throw new Error(`two sentences have the number ${numberOf(line)}: write \`?.\` at the one that nothing cites yet`);
      moved.set(numberOf(line), next);
    }
    return line.replace(sentence, `${next}. `);
  });
  return { text: lines.join('\n'), moved };
}

/** A text with what it cites moved along. */
export function withMoved(file: string, text: string, moved: ReadonlyMap<number, number>): string {
  const move = (_: string, before: string, list: string): string =>
    `${before}${list
      .split(', ')
      .map((one) => moved.get(Number(one)) ?? one)
      .join(', ')}`;
  return file === features
    ? text
        .split('\n')
        .map((line) => line.replace(inTable, move))
        .join('\n')
    : text.replace(inText, move);
}
