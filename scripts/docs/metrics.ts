/** docs/reference/metrics.md, from the calls that make metrics: `metrics.counter({ name, help, labels })`. */
const call =
  /\.(counter|gauge|histogram)\(\{\s*name:\s*'([^']+)',\s*help:\s*(?:'((?:[^'\\]|\\.)*)'|"([^"]*)")(?:,\s*labels:\s*\[([^\]]*)\])?/g;

export interface MetricRow {
  readonly name: string;
  readonly kind: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly file: string;
}

/** The metrics that a source file makes. */
export function metricsIn(file: string, text: string): readonly MetricRow[] {
  return [...text.matchAll(call)].map(([, kind = '', name = '', single, double, labels = '']) => ({
    name,
    kind,
    help: (single ?? double ?? '').replaceAll("\\'", "'").replace(/\.$/, ''),
    labels: [...labels.matchAll(/'([^']+)'/g)].map(([, label = '']) => label),
    file,
  }));
}

export function metricsReference(
  rows: readonly MetricRow[],
  stages: readonly { readonly name: string; readonly metric: string; readonly does: string }[],
): string {
  const sorted = [...rows].sort((a, b) => (a.name < b.name ? -1 : 1));
  return [
    '# Metrics',
    '',
    "Generated from the code. Every server answers `GET /metrics` in Prometheus' text format, with the process's own metrics (memory, CPU, event loop) beside these.",
    '',
    '| name | kind | labels | what it is | made in |',
    '|---|---|---|---|---|',
    ...sorted.map(
      (row) => `| \`${row.name}\` | ${row.kind} | ${row.labels.map((label) => `\`${label}\``).join(' ')} | ${row.help} | ${row.file} |`,
    ),
    '',
    "The compiler's stages report their time by these names to whoever runs them (`CompileOptions.observe`), in seconds:",
    '',
    '| stage | metric | what it does |',
    '|---|---|---|',
    ...stages.map((stage) => `| ${stage.name} | \`${stage.metric}\` | ${stage.does} |`),
    '',
  ].join('\n');
}
