import { hasErrors } from '../../core/diagnostics/diagnostic';
import { stages, type StageName } from '../../compiler/pipeline';
import { systemClock } from '../../platform/clock';
import { UsageError, type Run } from '../command';
import { formatGithub, formatText, summary, toJson, toSarif } from '../findings';
import { counted, duration } from '../output';
import { compileSources, sourcesOf } from '../policies';
import { version } from '../version';

/** `meshwright check`: everything the compiler can say, in one of four formats. */
export const run: Run = async (context, values) => {
  const begun = systemClock.monotonic();
  const { out } = context;
  const sources = await sourcesOf(context, values.text('dir'));
  const stopAfter = stageGiven(values.text('stopAfter'));
  const compiled = await compileSources(context, values, sources, { verdictOnly: true, ...(stopAfter ? { stopAfter } : {}) });
  const took = systemClock.monotonic() - begun;
  const { diagnostics } = compiled;
  const ok = !hasErrors(diagnostics);
  const format = context.json ? 'json' : values.text('format');
  const [anyIr] = compiled.irs.values();
  const services = anyIr?.services.length ?? 0;
  const document = {
    ok,
    diagnostics: toJson(diagnostics, sources.show),
    environments: [...compiled.irs.keys()],
    declarations: compiled.evaluated?.declarations.length ?? 0,
    services,
    fuel: compiled.evaluated?.fuel ?? null,
    timings: compiled.timings,
    cached: compiled.cached,
    milliseconds: took,
  };
  out.document(document);
  if (format === 'json') out.text(`${JSON.stringify(document, null, 2)}\n`);
  else if (format === 'sarif') out.text(`${JSON.stringify(toSarif(diagnostics, sources.show, version()), null, 2)}\n`);
  else if (format === 'github') out.text(formatGithub(diagnostics, sources.show));
  else {
    if (diagnostics.length > 0) out.line(formatText(diagnostics, { show: sources.show, style: out.style }));
    const scope = compiled.irs.size > 0 ? ` in ${counted(services, 'service')} x ${counted(compiled.irs.size, 'environment')}` : '';
    out.line(
      `${ok ? out.style.green(summary(diagnostics)) : out.style.red(summary(diagnostics))}${scope}      ${compiled.cached ? 'warm' : 'cold'} ${duration(took)}`,
    );
    if (values.flag('timings'))
      for (const [stage, ms] of Object.entries(compiled.timings)) out.line(`  ${stage.padEnd(10)} ${duration(ms)}`);
  }
  return ok ? 0 : 1;
};

function stageGiven(name: string | undefined): StageName | undefined {
  if (name === undefined) return undefined;
  const stage = stages.find((one) => one.name === name);
  if (!stage) throw new UsageError(`there is no stage \`${name}\`; they are ${stages.map((one) => `\`${one.name}\``).join(', ')}`);
  return stage.name;
}
