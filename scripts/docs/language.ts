/** docs/reference/language.md, from the declarations that authors see: every exported name with its comment and its type. */
interface Entry {
  readonly name: string;
  readonly comment: string;
  readonly text: string;
}

/** Exported top-level declarations of a `.d.ts`, in order. */
export function entriesOf(text: string): readonly Entry[] {
  const entries: Entry[] = [];
  const lines = text.split('\n');
  let comment: string[] = [];
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? '';
    if (/^\s*(\/\*\*|\*|\/\/)/.test(line) || (comment.length > 0 && /^\s*\*/.test(line))) {
      if (/^\S/.test(line) || line.startsWith(' *')) comment.push(line);
      continue;
    }
    const name = /^export (?:declare )?(?:const|function|interface|type|class) (\w+)/.exec(line)?.[1];
    if (name !== undefined) {
      const block = [line];
      while ((!closes(block.join('\n')) || isMoreToCome(lines[index + 1])) && index + 1 < lines.length)
        block.push(lines[(index += 1)] ?? '');
      entries.push({ name, comment: clean(comment.join('\n')), text: block.join('\n') });
    }
    if (line.trim() !== '') comment = [];
  }
  return entries;
}

/** Another member of a union. */
const isMoreToCome = (next: string | undefined): boolean => /^\s+\|/.test(next ?? '');

/** Whether every bracket that opens is closed and the statement has ended. */
function closes(text: string): boolean {
  const plain = text.replace(/'[^'\n]*'|`[^`]*`|\/\/.*$|=>/gm, '');
  const count = (pattern: RegExp): number => plain.match(pattern)?.length ?? 0;
  return count(/[{([]/g) === count(/[})\]]/g) && /[;}]\s*$/.test(plain.trimEnd());
}

const clean = (comment: string): string =>
  comment
    .replace(/^\s*\/\*\*?/gm, '')
    .replace(/\*\/\s*$/gm, '')
    .replace(/^\s*\*\s?/gm, '')
    .replace(/^\s*\/\/\s?/gm, '')
    .trim();

export function languageReference(modules: readonly { readonly name: string; readonly intro: string; readonly text: string }[]): string {
  const sections = modules.flatMap(({ name, intro, text }) => [
    `## \`${name}\``,
    '',
    intro,
    '',
    ...entriesOf(text).flatMap((entry) => [
      `### ${entry.name}`,
      '',
      ...(entry.comment === '' ? [] : [entry.comment, '']),
      '```ts',
      entry.text,
      '```',
      '',
    ]),
  ]);
  return [
    '# The policy language',
    '',
    'Generated from the declarations in `sdk/types`: what a policy module may import, and nothing else.',
    '',
    ...sections,
  ].join('\n');
}
