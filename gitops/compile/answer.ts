import { hasErrors } from '../../core/diagnostics/diagnostic';
import { buildRelease, compile, type Compiled } from '../../compiler/pipeline';
import { readCommit } from '../../compiler/source';
import { formatDiff, semanticDiff } from '../../compiler/diff';
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
    diagnostics: [], irs: new Map([[environment, compiled.ir]]), objects: new Map([[environment, compiled.objects]]), sources: compiled.sources,
    timings: {}, cached: false,
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
  const text = formatDiff(semanticDiff(previous?.ir ?? null, compiled.ir), 'text');
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const summary = lines.length > 1 ? `${lines[0]?.trim()} (and ${lines.length - 1} more)` : (lines[0]?.trim() ?? 'no call changes');
  return { diagnostics: release.diagnostics, plan: { release: release.value, summary, diff: text } };
}

async function warm(): Promise<null> {
  await Promise.allSettled([
    import('../../compiler/typecheck/index.js'), import('../../compiler/evaluate/index.js'), import('../../compiler/lower/index.js'),
    import('../../compiler/analyse/index.js'), import('../../compiler/analyse/order.js'), import('../../compiler/emit/envoy/index.js'),
  ]);
  return null;
}
