import * as path from 'node:path';
import { bundleFiles, type Bundle } from '../../core/bundle/bundle';
import { isInstant } from '../../core/bundle/release-form';
import { hasErrors } from '../../core/diagnostics/diagnostic';
import { buildRelease, type Compiled } from '../../compiler/pipeline';
import { systemClock } from '../../platform/clock';
import { strangerIn, writeBundleFolder } from '../../platform/bundle-folder';
import { UsageError, type CommandContext, type Run } from '../command';
import { printFindings } from '../bundles';
import { formatText, summary, toJson } from '../findings';
import { counted } from '../output';
import { compileSources, dayGiven, policyFolder, type Sources, sourcesOf, sourcesOfCommit } from '../policies';
import { previousOf } from '../previous';
import type { Values } from '../values';

const day = 24 * 60 * 60 * 1000;

/** `meshwright build`: the bundle of one environment. Without a signer it is unsigned: to be read and compared, and nothing accepts it. */
export const run: Run = async (context, values) => {
  const { out } = context;
  const [folder, notAfter] = [await placeOf(context, values), notAfterGiven(values)];
  const revision = values.text('commit');
  const committed = revision === undefined ? null : await sourcesOfCommit(context, revision, values.text('dir'));
  const sources = committed ?? (await sourcesOf(context, values.text('dir')));
  const compiled = await compileSources(context, values, sources);
  if (hasErrors(compiled.diagnostics)) {
    out.document({ ok: false, diagnostics: toJson(compiled.diagnostics, sources.show) });
    out.line(formatText(compiled.diagnostics, { show: sources.show, style: out.style }));
    out.line(`nothing built: ${summary(compiled.diagnostics)}`);
    return 1;
  }
  const environment = environmentGiven(compiled, values);
  const previous = await previousOf(context, values, environment);
  if (previous && previous.ir === null) {
    out.note(`meshwright: the commit in force, ${previous.release.commit.slice(0, 12)}, is not here: no order across proxies is kept`);
  }
  const built = await buildRelease({
    compiled,
    environment,
    previous,
    ...(previous ? { inForce: previous.inForce } : {}),
    commit: committed?.oid ?? (await commitOf(context, values, sources)),
    repository: values.text('repository') ?? 'local',
    asOf: dayGiven(values),
    notAfter,
  });
  if (!built.value) return printFindings(context, built.diagnostics);
  const { signBundle, signerClient, unsignedBundle } = await import('../../compiler/sign/index.js');
  const unsigned = { release: built.value, objects: compiled.objects.get(environment) ?? [], sources: compiled.sources };
  const socket = values.text('signer');
  let bundle: Bundle = unsignedBundle(unsigned);
  if (socket !== undefined) {
    const signed = await signBundle(signerClient(path.resolve(context.cwd, socket)), unsigned);
    if (!signed.value) return printFindings(context, signed.diagnostics);
    bundle = signed.value;
  }
  await writeBundleFolder(folder, bundle);
  const { release, digest } = bundle.release;
  const bytes = [...bundleFiles(bundle).values()].reduce((total, text) => total + Buffer.byteLength(text), 0);
  out.document({
    ok: true,
    out: values.need('out'),
    environment,
    generation: release.generation,
    digest,
    signed: socket !== undefined,
    objects: release.candidate,
    bytes,
    diagnostics: toJson(compiled.diagnostics, sources.show),
  });
  if (compiled.diagnostics.length > 0) out.line(formatText(compiled.diagnostics, { show: sources.show, style: out.style }));
  out.line(
    `${values.need('out')}   ${environment} generation ${release.generation}, ${counted(bundle.objects.length, 'object')}, ${counted(Math.ceil(bytes / 1024), 'KiB', 'KiB')}, ${socket === undefined ? 'unsigned' : 'signed'}`,
  );
  out.line(`bundle ${digest}`);
  return 0;
};

/** Where the bundle goes. What is there already goes, so only a bundle may be there. */
async function placeOf(context: CommandContext, values: Values): Promise<string> {
  const given = values.need('out');
  const folder = path.resolve(context.cwd, given);
  const stranger = await strangerIn(folder);
  if (stranger === null) return folder;
  throw new UsageError(
    `\`${given}\` holds \`${stranger}\`, which is of no bundle, and a bundle's folder holds nothing else: give \`--out\` a new folder`,
  );
}

function notAfterGiven(values: Values): string {
  const given = values.text('notAfter');
  if (given === undefined) return new Date(systemClock.now() + day).toISOString();
  if (!isInstant(given)) throw new UsageError(`\`--not-after\` takes a UTC time such as \`2026-11-22T10:00:00Z\`, not \`${given}\``);
  return given;
}

function environmentGiven(compiled: Compiled, values: Values): string {
  const given = values.text('env');
  if (given !== undefined) return given;
  const [first, ...others] = compiled.irs.keys();
  if (first === undefined || others.length > 0)
    throw new UsageError(`\`--env\` is missing: the mesh has ${[...compiled.irs.keys()].map((name) => `\`${name}\``).join(', ')}`);
  return first;
}

/** The commit that has exactly these policies, which is HEAD; all zeros where there is none, and it is said that there is none. */
async function commitOf(context: CommandContext, values: Values, sources: Sources): Promise<string> {
  const folder = (await policyFolder(context, values.text('dir'))) ?? context.cwd;
  const { expandRevision } = await import('../revision.js');
  if ((await expandRevision(folder, 'HEAD')) !== null) {
    const head = await sourcesOfCommit(context, 'HEAD', values.text('dir'));
    if (head.tree !== undefined && head.tree.digest === sources.tree?.digest) return head.oid;
  }
  context.out.note('meshwright: no commit has these policies as they are: the release names none; `--commit` builds one');
  return '0'.repeat(40);
}
