import * as path from 'node:path';
import type { Bundle } from '../../core/bundle/bundle';
import type { Release } from '../../core/bundle/objects';
import { digestOfJson } from '../../core/lib/digest';
import { signBundle, signerClient } from '../../compiler/sign';
import { adminClient } from '../../deploy/admin/client';
import { deploy } from '../../deploy/automation';
import { systemClock } from '../../platform/clock';
import { adminOf, refusalAsFindings } from '../admin';
import { UsageError, type CommandContext, type ExitCode, type Run } from '../command';
import { bundleAt, printFindings } from '../bundles';
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
    const loop = await adminOf(context, values);
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
  const target = targetOf(context, values, earlier.release.release.environment);
  const admin = adminClient(target);
  const [live, status] = await Promise.all([admin.release(), admin.status()]);
  if (!live) throw new UsageError('nothing is live yet, so there is nothing to roll back: `meshwright deploy` the bundle');
  const release: Release = {
    ...earlier.release.release,
    generation: live.release.generation + 1,
    parent: digestOfJson(live.release),
    notAfter: new Date(systemClock.now() + hour).toISOString(),
    stable: status.state === 'aborted' ? live.release.stable : live.release.candidate,
    steps: [],
  };
  const client = signerClient(path.resolve(context.cwd, values.need('signer')));
  const signed = await signBundle(client, {
    release,
    objects: earlier.objects.map(({ object }) => object),
    sources: earlier.sources,
    ...(earlier.files ? { files: earlier.files } : {}),
  });
  if (!signed.value) return printFindings(context, signed.diagnostics);
  const report = await deploy(signed.value, target, { print: (text) => context.out.text(text) });
  return printReport(context, report, 'rollback');
}
