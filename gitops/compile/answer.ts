import { objectName, type MeshObject } from '../../core/bundle/objects';
import { hasErrors } from '../../core/diagnostics/diagnostic';
import { digestOfJson } from '../../core/lib/digest';
import { buildRelease, compile, type Compiled } from '../../compiler/pipeline';
import { readCommit } from '../../compiler/source';
import { formatDiff, semanticDiff, summary } from '../../compiler/diff';
import type { AnswerTo, CompileAnswer, CompileRequest, CompilerRequest, PlanAnswer, PlanRequest } from './protocol';

/** Does what the loop asks of the compiler. */
export async function answerRequest(request: CompilerRequest): Promise<AnswerTo<CompilerRequest>> {
  switch (request.kind) {
    case 'compile':
      return compileCommit(request);
    case 'plan':
      return planRelease(request);
    case 'warm':
      return warm();
  }
}

async function compileCommit(request: CompileRequest): Promise<CompileAnswer> {
  const start = performance.now();
  const read = await readCommit({ gitdir: request.gitdir, oid: request.commit, dir: request.dir });
  const timings = { source: performance.now() - start };
  if (!read.value) return { diagnostics: read.diagnostics, compiled: null, timings };
  const compiled = await compile(read.value, {
    environments: [request.environment],
    asOf: request.asOf,
    ...(request.cacheDir === null ? {} : { cacheDir: request.cacheDir }),
  });
  const diagnostics = [...read.diagnostics, ...compiled.diagnostics];
  const ir = compiled.irs.get(request.environment);
  const objects = compiled.objects.get(request.environment);
  const whole = ir && objects && !hasErrors(diagnostics);
  return { diagnostics, compiled: whole ? { ir, objects, sources: compiled.sources } : null, timings: { ...timings, ...compiled.timings } };
}

async function planRelease(request: PlanRequest): Promise<PlanAnswer> {
  const { compiled, previous, environment } = request;
  const whole: Compiled = {
    diagnostics: [],
    irs: new Map([[environment, compiled.ir]]),
    objects: new Map([[environment, compiled.objects]]),
    sources: compiled.sources,
    timings: {},
    cached: false,
  };
  const release = await buildRelease({
    compiled: whole,
    environment,
    previous: previous && { release: previous.release, ir: previous.ir },
    inForce: previous?.inForce ?? 'candidate',
    commit: compiled.commit,
    repository: request.repository,
    asOf: request.asOf,
    notAfter: request.notAfter,
  });
  if (!release.value) return { diagnostics: release.diagnostics, plan: null };
  const changes = semanticDiff(previous?.ir ?? null, compiled.ir, proxiesTouched(request));
  const placeOf = (rule: string): string | undefined => {
    const place = compiled.sources[rule];
    return place && `${place.file}:${place.line}`;
  };
  return {
    diagnostics: release.diagnostics,
    plan: { release: release.value, summary: summary(changes), diff: formatDiff(changes, 'text', { placeOf }) },
  };
}

/** Proxies whose own object changes, or that name a service whose object does. */
function proxiesTouched({ compiled, previous }: PlanRequest): { readonly changed: readonly string[]; readonly total: number } {
  const before = previous?.release[previous.inForce] ?? {};
  const isNew = (object: MeshObject): boolean => before[objectName(object)] !== digestOfJson(object);
  const services = new Set(compiled.objects.filter((object) => object.kind === 'ServiceConfig' && isNew(object)).map(nameIn));
  const proxies = compiled.objects.filter((object) => object.kind === 'ProxyConfig');
  return {
    total: proxies.length,
    changed: proxies
      .filter((proxy) => isNew(proxy) || proxy.spec.outbound.services.some((name) => services.has(name)))
      .map(nameIn)
      .sort(),
  };
}
const nameIn = ({ metadata }: MeshObject): string => `${metadata.namespace}/${metadata.name}`;

async function warm(): Promise<null> {
  await Promise.allSettled([
    import('../../compiler/typecheck/index.js'),
    import('../../compiler/evaluate/index.js'),
    import('../../compiler/lower/index.js'),
    import('../../compiler/analyse/index.js'),
    import('../../compiler/analyse/order.js'),
    import('../../compiler/emit/envoy/index.js'),
  ]);
  return null;
}
