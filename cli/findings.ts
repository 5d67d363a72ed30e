/** Diagnostics as people, machines and code hosts read them. */
import type { Diagnostic, Severity } from '../core/diagnostics/diagnostic';
import { counted, type Style } from './output';

export interface Shown {
  readonly show: (file: string) => string;
  readonly style: Style;
}

const word = (severity: Severity): string => ({ error: 'error', warning: 'warn', info: 'info' })[severity];
const placeOf = ({ span }: Pick<Diagnostic, 'span'>, show: Shown['show']): string =>
  span ? `${show(span.file)}:${span.line}:${span.column}` : '';

/** `file:line:column   error MW4002  message`, and below it what belongs to it. */
export function formatText(diagnostics: readonly Diagnostic[], { show, style }: Shown): string {
  const width = Math.min(48, Math.max(0, ...diagnostics.map((one) => placeOf(one, show).length)));
  const colour = { error: style.red, warning: style.yellow, info: style.dim };
  return diagnostics
    .map((diagnostic) => {
      const place = placeOf(diagnostic, show);
      const where = diagnostic.environments ? style.dim(`  (${diagnostic.environments.join(', ')})`) : '';
      const indent = ' '.repeat(width + 16);
      const below = [
        ...(diagnostic.related ?? []).map(
          (related) => `${indent}${related.message}${related.span ? `  ${style.dim(placeOf(related, show))}` : ''}`,
        ),
        ...(diagnostic.help ? [`${indent}${style.dim('help:')} ${diagnostic.help}`] : []),
      ];
      return [
        `${place.padEnd(width)}  ${colour[diagnostic.severity](word(diagnostic.severity).padEnd(5))} ${style.bold(diagnostic.code)}  ${diagnostic.message}${where}`,
        ...below,
      ].join('\n');
    })
    .join('\n');
}

/** `2 errors, 1 warning`; `nothing found`. */
export function summary(diagnostics: readonly Diagnostic[]): string {
  const count = (severity: Severity): number => diagnostics.filter((one) => one.severity === severity).length;
  const parts = [
    [count('error'), 'error'],
    [count('warning'), 'warning'],
    [count('info'), 'note'],
  ] as const;
  return (
    parts
      .filter(([many]) => many > 0)
      .map(([many, noun]) => counted(many, noun))
      .join(', ') || 'nothing found'
  );
}

/** SARIF 2.1.0 (docs.oasis-open.org/sarif), one run. */
export function toSarif(diagnostics: readonly Diagnostic[], show: Shown['show'], version: string): unknown {
  const level = { error: 'error', warning: 'warning', info: 'note' };
  const rules = new Map(diagnostics.map(({ code, slug }) => [code, { id: code, name: slug }]));
  const location = (one: { readonly span?: Diagnostic['span'] }): readonly unknown[] =>
    one.span
      ? [
          {
            physicalLocation: {
              artifactLocation: { uri: show(one.span.file).split('\\').join('/') },
              region: {
                startLine: one.span.line,
                startColumn: one.span.column,
                ...(one.span.endLine ? { endLine: one.span.endLine } : {}),
                ...(one.span.endColumn ? { endColumn: one.span.endColumn } : {}),
              },
            },
          },
        ]
      : [];
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'meshwright', version, rules: [...rules.values()] } },
        results: diagnostics.map((one) => ({
          ruleId: one.code,
          level: level[one.severity],
          message: { text: one.help ? `${one.message}\nhelp: ${one.help}` : one.message },
          locations: location(one),
          ...(one.related && one.related.length > 0
            ? {
                relatedLocations: one.related
                  .filter((related) => related.span)
                  .map((related) => ({ message: { text: related.message }, ...(location(related)[0] ?? {}) })),
              }
            : {}),
        })),
      },
    ],
  };
}

/** Workflow commands that GitHub turns into annotations. */
export function formatGithub(diagnostics: readonly Diagnostic[], show: Shown['show']): string {
  const data = (text: string): string => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  const property = (text: string): string => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
  const command = { error: 'error', warning: 'warning', info: 'notice' };
  return diagnostics
    .map((one) => {
      const place = one.span ? `file=${property(show(one.span.file))},line=${one.span.line},col=${one.span.column},` : '';
      return `::${command[one.severity]} ${place}title=${property(`${one.code} ${one.slug}`)}::${data(one.help ? `${one.message}\nhelp: ${one.help}` : one.message)}\n`;
    })
    .join('');
}

/** For `--json`: as they are, with the file as it is shown. */
export function toJson(diagnostics: readonly Diagnostic[], show: Shown['show']): readonly unknown[] {
  const shown = <T extends { readonly span?: Diagnostic['span'] }>(one: T): T =>
    one.span ? { ...one, span: { ...one.span, file: show(one.span.file) } } : one;
  return diagnostics.map((one) => ({ ...shown(one), ...(one.related ? { related: one.related.map(shown) } : {}) }));
}
