import type { CatalogueEntry } from '../../core/diagnostics/catalogue';
import type { DiagnosticExample } from './examples';

const stageSays: Readonly<Record<string, string>> = {
  internal: 'of the product itself or of a call',
  source: 'while reading and type-checking the sources',
  evaluate: 'while running the modules in the sandbox',
  policy: 'by the SDK, while a module runs: the run-time twin of a type error',
  ir: 'while lowering declarations to the mesh IR',
  settings: 'while lowering settings',
  outside: 'while lowering hosts outside the mesh',
  analyse: 'by analysis of the whole mesh',
  emit: "while emitting Envoy's configuration",
  sign: 'while signing or verifying',
  deploy: 'while deploying',
  gitops: 'by the GitOps loop',
  inject: 'by the webhook, when a pod is to get its sidecar',
  install: 'by the installation on Kubernetes and `meshwright doctor`',
  admit: 'by the admission webhook',
  enforce: 'by the control plane and the agents',
};
const sentence = (text: string): string => {
  const plain = text.replace(/\.$/, '');
  return `${plain.charAt(0).toUpperCase()}${plain.slice(1)}.`;
};

/** The page of one code. */
export function diagnosticPage(entry: CatalogueEntry, example: DiagnosticExample | undefined): string {
  const lines = [
    `# ${entry.code} ${entry.slug}`,
    '',
    sentence(entry.summary),
    '',
    `An ${entry.severity}`.replace('An w', 'A w') + `, said ${stageSays[entry.stage] ?? entry.stage}.`,
  ];
  if (example && example.prose !== '') lines.push('', example.prose);
  if (example && example.bad.size > 0) {
    lines.push(
      '',
      '## For example',
      '',
      ...fence(example.bad),
      '',
      '```text',
      example.says,
      '```',
      '',
      '## Repaired',
      '',
      ...fence(example.good),
    );
  } else {
    lines.push(...spoken(entry));
  }
  return `${lines.join('\n')}\n`;
}

/** The words of a code without a compiled example, with the names of what is filled in, and the repair: its help line. */
function spoken(entry: CatalogueEntry): readonly string[] {
  const message = filled(entry.message);
  const help = entry.help ? filled(entry.help) : null;
  return [
    ...(message === null ? [] : ['', '## What it says', '', '```text', `${entry.severity} ${entry.code}  ${message}`, '```']),
    ...(help === null ? [] : ['', '## Repair', '', sentence(help)]),
  ];
}

/** A formatter's text with `<name>` for each parameter, be it a text or a list of texts; null where it does more with one than print it. */
const filled = (format: (params: never) => string): string | null =>
  filledWith(format, (name) => `<${name}>`) ?? filledWith(format, (name) => [`<${name}>`]);

function filledWith(format: (params: never) => string, value: (name: string) => string | readonly string[]): string | null {
  const names = new Proxy({}, { get: (_target, name) => (typeof name === 'string' ? value(name) : undefined) });
  try {
    const text = format(names as never); // what a parameter is called stands for what it is
    return /undefined|NaN|\[object/.test(text) ? null : text;
  } catch {
    return null;
  }
}

function fence(files: ReadonlyMap<string, string | null>): readonly string[] {
  return [...files].flatMap(([file, text], index) => [
    ...(index > 0 ? [''] : []),
    ...(text === null ? [`\`policies/${file}\` is not there.`] : ['```ts', `// policies/${file}`, text.trimEnd(), '```']),
  ]);
}

/** docs/reference/diagnostics.md: all of them in one table for each stage. */
export function diagnosticsReference(catalogue: readonly CatalogueEntry[]): string {
  const stages = [...new Set(catalogue.map((one) => one.stage))];
  const tables = stages.flatMap((stage) => [
    `## Said ${stageSays[stage] ?? stage}`,
    '',
    '| code | name | severity | what is wrong |',
    '|---|---|---|---|',
    ...catalogue
      .filter((one) => one.stage === stage)
      .map(
        (one) => `| [${one.code}](../diagnostics/${one.code}.md) | ${one.slug} | ${one.severity} | ${one.summary.replaceAll('|', '\\|')} |`,
      ),
    '',
  ]);
  return `# Diagnostics\n\nGenerated from \`core/diagnostics\`. \`meshwright explain CODE\` prints a page.\n\n${tables.join('\n')}`;
}
