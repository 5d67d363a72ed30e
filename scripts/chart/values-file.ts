/** values.yaml: every value with its default, and what the type says about it as a comment. */
interface Schema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
}
const width = 118;

/** The YAML of `defaults`, commented by the schema. */
export const valuesFile = (defaults: object, schema: string): string => members(defaults, JSON.parse(schema) as Schema, 0);

function members(value: object, schema: Schema | undefined, depth: number): string {
  const indent = '  '.repeat(depth);
  return Object.entries(value)
    .map(([name, member]: [string, unknown]) => {
      const about = schema?.properties?.[name];
      const comment = wrapped(about?.description ?? '', width - indent.length).map((line) => `${indent}# ${line}\n`);
      return `${comment.join('')}${indent}${name}:${block(member, about, depth)}`;
    })
    .join('');
}

function block(value: unknown, schema: Schema | undefined, depth: number): string {
  if (Array.isArray(value))
    return value.length === 0 ? ' []\n' : `\n${value.map((item) => `${'  '.repeat(depth + 1)}- ${JSON.stringify(item)}\n`).join('')}`;
  if (typeof value === 'object' && value !== null)
    return Object.keys(value).length === 0 ? ' {}\n' : `\n${members(value, schema, depth + 1)}`;
  return ` ${JSON.stringify(value)}\n`;
}

function wrapped(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > columns) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
