/** What no policy test decided, with its lines. */
import type { SourceMap } from '../../core/bundle/objects';
import { coverageKinds, type CoverageKind, type CoverageReport } from '../../compiler/coverage';
import { counted } from '../output';
import { placeOf } from '../places';

/** One rule that no test decided. `file` is as it is shown; null where nothing says the line. */
interface Undecided {
  readonly id: string;
  readonly kind: CoverageKind;
  readonly file: string | null;
  readonly line: number | null;
  readonly column: number | null;
}
/** Coverage as `--json` has it. */
export type PlacedCoverage = Omit<CoverageReport, 'undecided'> & { readonly undecided: readonly Undecided[] };

export function withPlaces(report: CoverageReport, sources: SourceMap, show: (file: string) => string): PlacedCoverage {
  return {
    ...report,
    undecided: report.undecided.map(({ id, kind }) => {
      const place = placeOf(sources, id);
      return { id, kind, file: place ? show(place.file) : null, line: place?.line ?? null, column: place?.column ?? null };
    }),
  };
}

/** Down, so that 99.96 % never reads as all of it. */
export const percentText = (percent: number): string => `${(Math.floor(percent * 10) / 10).toFixed(1)} %`;

const words: Readonly<Record<CoverageKind, string>> = { access: 'access rules', route: 'routes', guarantee: 'guarantees' };

/** `decided by a test: access rules 5 of 6, routes 4 of 4` and the lines of the others. */
export function coverageLines(coverage: PlacedCoverage): readonly string[] {
  const kinds = coverageKinds
    .filter((kind) => coverage.kinds[kind].rules > 0)
    .map((kind) => `${words[kind]} ${coverage.kinds[kind].decided} of ${coverage.kinds[kind].rules}`);
  if (kinds.length === 0) return ['decided by a test: there is nothing to decide'];
  const total = `${percentText(coverage.percent)} of ${counted(coverage.rules, 'rule')}`;
  const rows = coverage.undecided.map((one) => ({ ...one, place: one.file === null ? '' : `${one.file}:${one.line}:${one.column}` }));
  const width = Math.max(0, ...rows.map((row) => row.place.length));
  return [
    `decided by a test: ${kinds.join(', ')}: ${total}`,
    ...(rows.length === 0 ? [] : ['decided by none:']),
    ...rows.map((row) => `  ${row.place.padEnd(width)}  ${row.kind.padEnd(9)}  ${row.id}`),
  ];
}
