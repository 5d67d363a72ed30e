import type { Span } from '../diagnostics/diagnostic';

function lineStarts(text: string): readonly number[] {
  const lines = [0];
  for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) lines.push(i + 1);
  return lines;
}

/** Line and column (from 1, in UTF-16 units) of an offset. */
export function placeAt(text: string, offset: number): { line: number; column: number } {
  const lines = lineStarts(text);
  let low = 0;
  let high = lines.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((lines[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: offset - (lines[low] ?? 0) + 1 };
}

/** The span of a piece of a file. */
export function spanAt(file: string, text: string, start: number, end: number): Span {
  const from = placeAt(text, start);
  const to = placeAt(text, end);
  return { file, line: from.line, column: from.column, endLine: to.line, endColumn: to.column };
}
