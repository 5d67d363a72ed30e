import * as path from 'node:path';
import type { Bundle } from '../../core/bundle/bundle';
import type { Release } from '../../core/bundle/objects';
import type { Outcome } from '../../core/diagnostics/diagnostic';
import { digestOfJson } from '../../core/lib/digest';
import { buildRelease } from '../../compiler/pipeline';
import { signBundle, signerClient } from '../../compiler/sign';
import { deploy } from '../../deploy/automation';
import { systemClock } from '../../platform/clock';
import { adminOf, refusalAsFindings } from '../admin';
import { UsageError, type CommandContext, type ExitCode, type Run } from '../command';
import { bundleAt, printFindings } from '../bundles';
import { irOf, previousAt, type Previous } from '../previous';
import { printReport, targetOf } from '../target';
import type { Values } from '../values';

const hour = 60 * 60 * 1000;

/** `meshwright rollout rollback`: time does not run backwards; earlier objects come into force by a new, higher release. */
export const run: Run = async (context, values) => {
  const folder = values.text('bundle');
  return folder === undefined ? byTheLoop(context, values) : toBundle(context, values, folder);
};

/** The loop has the releases on its disk, signs, and holds the commit that was live. */
const byTheLoop: Run = (context, values) =>
  refusalAsFindings(context, async () => {
    const to = values.count('to', 1);
    const loop = adminOf(context, values);
    const answer = await loop.post('/v1/rollout/rollback', {
      ...(to === undefined ? {} : { to }),
      reason: values.text('reason') ?? 'rolled back by hand',
    });
    context.out.document({ ok: true, answer });
    context.out.line('rolled back; the commit that was live is held until a new one is pushed');
    return 0;
  });

async function toBundle(context: CommandContext, values: Values, folder: string): Promise<ExitCode> {
  const bundle = await bundleAt(context, folder);
  if (!bundle.value) return printFindings(context, bundle.diagnostics);
  const earlier: Bundle = bundle.value;
  const { environment } = earlier.release.release;
  const previous = await previousAt(context, values, environment);
  if (!previous) throw new UsageError('nothing is live yet, so there is nothing to roll back: `meshwright deploy` the bundle');
  const planned = await plan(context, values, earlier, previous);
  if (!planned.value) return printFindings(context, planned.diagnostics);
  const client = signerClient(path.resolve(context.cwd, values.need('signer')));
  const signed = await signBundle(client, {
    release: planned.value,
    objects: earlier.objects.map(({ object }) => object),
    sources: earlier.sources,
    ...(earlier.files ? { files: earlier.files } : {}),
  });
  if (!signed.value) return printFindings(context, signed.diagnostics);
  const report = await deploy(signed.value, targetOf(context, values, environment), { print: (text) => context.out.text(text) });
  return printReport(context, report, 'rollback');
}

/** The release that follows the live one and names the earlier objects, with the order across proxies as for any other change. */
async function plan(context: CommandContext, values: Values, earlier: Bundle, previous: Previous): Promise<Outcome<Release>> {
  const { release } = earlier.release;
  const { environment } = release;
  const follows = {
    generation: previous.release.generation + 1,
    parent: digestOfJson(previous.release),
    notAfter: new Date(systemClock.now() + hour).toISOString(),
    stable: previous.release[previous.inForce],
  };
  const ir = await irOf(context, values, release, 'candidate');
  const unknown = previous.ir === null ? previous.release.commit : ir === null ? release.commit : null;
  if (!ir || unknown !== null) {
    context.out.note(`meshwright: commit ${(unknown ?? '').slice(0, 12)} is not here: no order across proxies is kept`);
    return { value: { ...release, ...follows, steps: [] }, diagnostics: [] };
  }
  const built = await buildRelease({
    compiled: {
      diagnostics: [],
      irs: new Map([[environment, ir]]),
      objects: new Map([[environment, earlier.objects.map(({ object }) => object)]]),
      sources: earlier.sources,
      timings: {},
      cached: false,
    },
    environment,
    previous,
    inForce: previous.inForce,
    commit: release.commit,
    repository: release.repository,
    asOf: release.asOf,
    notAfter: follows.notAfter,
  });
  return built.value ? { ...built, value: { ...release, ...follows, steps: built.value.steps } } : built;
}
