/** docs/reference/configuration.md, from the JSON Schemas of the servers' configuration files. */
interface Schema {
  readonly description?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly required?: readonly string[];
}

export function configurationReference(
  schemas: readonly { readonly name: string; readonly verb: string; readonly schema: Schema }[],
): string {
  const sections = schemas.flatMap(({ verb, schema }) => [
    `## \`meshwright ${verb} --config FILE\``,
    '',
    ...(schema.description ? [schema.description, ''] : []),
    '| member | type | needed | |',
    '|---|---|---|---|',
    ...rows(schema, ''),
    '',
  ]);
  return [
    '# Configuration files',
    '',
    'Generated from the types of the servers. JSON; an unknown member is refused. Times in milliseconds.',
    '',
    ...sections,
  ].join('\n');
}

function rows(schema: Schema, prefix: string): readonly string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, member]) => [
    `| \`${prefix}${name}\` | ${member.type ?? ''} | ${schema.required?.includes(name) ? 'yes' : ''} | ${(member.description ?? '').replaceAll('\n', ' ').replaceAll('|', '\\|')} |`,
    ...rows(member, `${prefix}${name}.`),
  ]);
}
