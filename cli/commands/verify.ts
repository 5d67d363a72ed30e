import { verifyBundle } from '../../core/bundle/bundle';
import { UsageError, type Run } from '../command';
import { bundleAt, printFindings, trustAt } from '../bundles';
import { counted } from '../output';

/** `meshwright verify`: every signature and digest of a bundle, against a trust root. */
export const run: Run = async (context, values) => {
  const trust = await trustAt(context, values.text('trust') ?? 'trust.json');
  if (!trust.value) return printFindings(context, trust.diagnostics);
  const bundle = await bundleAt(context, values.text('bundle') ?? '');
  if (!bundle.value) return printFindings(context, bundle.diagnostics);
  const verified = await verifyBundle(bundle.value, trust.value);
  const { release, digest } = bundle.value.release;
  const wanted = values.text('env');
  if (wanted !== undefined && wanted !== release.environment)
    throw new UsageError(`the bundle is for \`${release.environment}\`, not for \`${wanted}\``);
  if (!verified.value) return printFindings(context, verified.diagnostics);
  context.out.document({
    ok: true,
    environment: release.environment,
    generation: release.generation,
    commit: release.commit,
    digest,
    objects: bundle.value.objects.length,
  });
  context.out.line(
    `${context.out.style.green('verified')}   ${release.environment} generation ${release.generation}, commit ${release.commit.slice(0, 12)}, ${counted(bundle.value.objects.length, 'object')}   ${digest}`,
  );
  return 0;
};
