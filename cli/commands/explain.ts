import * as path from 'node:path';
import { catalogue } from '../../core/diagnostics/catalogue';
import { readTextIfThere } from '../../platform/files';
import { UsageError, type Run } from '../command';
import { suggest } from '../../core/lib/suggest';

/** `meshwright explain`: the page of a diagnostic; without a code, the list. */
export const run: Run = async ({ out }, values) => {
  const wanted = values.text('code');
  if (wanted === undefined) {
    out.document({ diagnostics: catalogue.map(({ code, slug, severity, summary }) => ({ code, slug, severity, summary })) });
    for (const { code, slug, summary } of catalogue) out.line(`${code}  ${slug.padEnd(34)} ${summary}`);
    return 0;
  }
  const kind = catalogue.find((one) => one.code === wanted.toUpperCase() || one.slug === wanted);
  if (!kind) {
    const near = suggest(
      wanted,
      catalogue.flatMap((one) => [one.code, one.slug]),
    );
    throw new UsageError(`there is no diagnostic \`${wanted}\`${near === undefined ? '' : `; did you mean \`${near}\`?`}`);
  }
  const page =
    (await readTextIfThere(path.join(root(), 'docs', 'diagnostics', `${kind.code}.md`))) ??
    `# ${kind.code} ${kind.slug}\n\n${kind.summary}\n`;
  out.document({ code: kind.code, slug: kind.slug, severity: kind.severity, summary: kind.summary, page });
  out.text(page);
  return 0;
};

/** The package's own folder, from the source tree as from dist. */
function root(): string {
  const above = path.resolve(__dirname, '..', '..');
  return path.basename(above) === 'dist' ? path.dirname(above) : above;
}
