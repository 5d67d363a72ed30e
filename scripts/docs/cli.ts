import type { Verb } from '../../cli/command';

/** docs/reference/cli.md, from the table of verbs. */
export function cliReference(verbs: readonly Verb[]): string {
  const usage = (verb: Verb): string =>
    [
      'meshwright',
      verb.name,
      ...(verb.arguments ?? []).map((one) => (one.required ? `<${one.name}>` : `[${one.name}]`)),
      ...((verb.options ?? []).length > 0 ? ['[options]'] : []),
    ].join(' ');
  const sections = verbs.flatMap((verb) => [
    `## ${verb.name}`,
    '',
    `${verb.summary.charAt(0).toUpperCase()}${verb.summary.slice(1)}.`,
    '',
    '```console',
    `$ ${usage(verb)}`,
    ...(verb.examples ?? []).map((line) => `$ ${line}`),
    '```',
    '',
    ...table(verb),
  ]);
  return [
    '# The command line',
    '',
    'Generated from `cli/verbs.ts`. Every command takes `--json` (one JSON document on stdout, nothing else there) and exits 0 when all is well,',
    '1 for findings or a refusal, 2 for a wrong call or an internal error. Colour only on a terminal (`NO_COLOR`, `FORCE_COLOR`); progress on stderr.',
    '',
    ...sections,
  ].join('\n');
}

function table(verb: Verb): readonly string[] {
  const rows = [
    ...(verb.arguments ?? []).map((one) => `| \`${one.name}\` | ${one.summary} |`),
    ...(verb.options ?? []).map(
      (one) =>
        `| \`${one.flags}\` | ${one.summary}${one.choices ? ` (${one.choices.join(', ')})` : ''}${one.default === undefined ? '' : `; default \`${one.default}\``} |`,
    ),
  ];
  return rows.length === 0 ? [] : ['| | |', '|---|---|', ...rows.map((row) => row.replace(/(?<=\w)\|(?=\w)/g, '\\|')), ''];
}
