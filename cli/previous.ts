import { objectName, type Release } from '../core/bundle/objects';
import { digestOfJson } from '../core/lib/digest';
import { hasErrors } from '../core/diagnostics/diagnostic';
import type { MeshIr } from '../core/ir/ir';
import { adminClient } from '../deploy/admin/client';
import { UsageError, type CommandContext } from './command';
import { compileSources, sourcesOfCommit } from './policies';
import { adminTargetOf } from './target';
import type { Values } from './values';

export interface Previous {
  readonly release: Release;
  /** The mesh it was made from; null where its commit is not here, or does not give its objects. */
  readonly ir: MeshIr | null;
  readonly inForce: 'stable' | 'candidate';
}

/** The release that a new one follows, asked from the control plane of `--admin`; null without it, and where nothing is live yet. */
export async function previousOf(context: CommandContext, values: Values, environment: string): Promise<Previous | null> {
  return values.text('admin') === undefined ? null : previousAt(context, values, environment);
}

/** The release that is live at the control plane; null where nothing is yet. */
export async function previousAt(context: CommandContext, values: Values, environment: string): Promise<Previous | null> {
  const admin = adminClient(adminTargetOf(context, values));
  const [live, status] = await Promise.all([admin.release(), admin.status()]);
  if (!live) return null;
  if (live.release.environment !== environment) {
    throw new UsageError(
      `the control plane serves \`${live.release.environment}\`, not \`${environment}\`: give its \`--admin\`, or another \`--env\``,
    );
  }
  const inForce = status.inForce ?? 'candidate';
  return { release: live.release, inForce, ir: await irOf(context, values, live.release, inForce) };
}

/** The mesh of a release, compiled again from its commit. Believed only when it gives the very objects that are in force. */
export async function irOf(
  context: CommandContext,
  values: Values,
  release: Release,
  inForce: Previous['inForce'],
): Promise<MeshIr | null> {
  try {
    const sources = await sourcesOfCommit(context, release.commit, values.text('dir'));
    const compiled = await compileSources(context, values, sources, { environments: [release.environment], asOf: release.asOf });
    const objects = compiled.objects.get(release.environment);
    if (hasErrors(compiled.diagnostics) || !objects) return null;
    const set = release[inForce];
    const same = objects.length === Object.keys(set).length && objects.every((object) => set[objectName(object)] === digestOfJson(object));
    return same ? (compiled.irs.get(release.environment) ?? null) : null;
  } catch (error) {
    if (error instanceof UsageError) return null; // its commit is not in this repository
    throw error;
  }
}
