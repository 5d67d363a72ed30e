import type { EnvoyRange } from '../../../core/bundle/objects';
import { emit } from '../../../core/diagnostics/emit';
import type { Diagnostic } from '../../../core/diagnostics/diagnostic';
import type { MeshIr } from '../../../core/ir/ir';

/** The Envoys that what is emitted is right for, by test. */
export const supportedEnvoy: EnvoyRange = { min: '1.40.0', below: '1.41.0' };

export function checkVersions(ir: MeshIr): readonly Diagnostic[] {
  const runs = ir.runs.envoy;
  const diagnostics: Diagnostic[] = [];
  if (!within(runs, supportedEnvoy.min, supportedEnvoy.below))
    diagnostics.push(emit.envoyVersion({ runs, range: `${supportedEnvoy.min} to below ${supportedEnvoy.below}` }, { rule: 'mesh/mesh' }));
  for (const patch of ir.patches) {
    const { min, below } = patch.envoy;
    if (!within(runs, min, below))
      diagnostics.push(
        emit.patchVersion(
          {
            rule: patch.id,
            range: [min === null ? '' : `from ${min}`, below === null ? '' : `below ${below}`].filter(Boolean).join(' '),
            runs,
          },
          { rule: patch.id },
        ),
      );
  }
  return diagnostics;
}

function within(version: string, min: string | null, below: string | null): boolean {
  const value = parse(version);
  return (
    value !== null &&
    (min === null || compare(value, parse(min) ?? value) >= 0) &&
    (below === null || compare(value, parse(below) ?? value) < 0)
  );
}
/** `1.40`, `1.40.0`, `v1.40.2`: missing parts are 0. null when it is no version. */
function parse(version: string): readonly number[] | null {
  const match = /^v?(\d+)\.(\d+)(?:\.(\d+))?$/.exec(version);
  return match ? [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)] : null;
}
function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < 3; i += 1) if (a[i] !== b[i]) return (a[i] ?? 0) - (b[i] ?? 0);
  return 0;
}
