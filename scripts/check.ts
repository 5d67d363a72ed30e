/** `npm run check`: everything that can be said about the source without running the product, and the unit tests. `--static` leaves the tests out. */
import { runSteps, step } from './steps';

const still = process.argv.includes('--static');
const steps = [
  step('types', 'tsc -b'),
  step('format', 'prettier --check --log-level warn --cache --cache-location dist/.prettier-cache .'),
  step('lint', 'oxlint --deny-warnings'),
  step('types of tests', 'tsc -p test'),
  step(
    'boundaries',
    'depcruise --config .dependency-cruiser.cjs core platform sdk compiler runtime-proxy webhook deploy gitops web cli scripts bench policies examples',
  ),
  step('generated schemas', 'node dist/scripts/generate-schemas.js --check'),
  step('generated chart', 'node dist/scripts/chart/main.js --check'),
  step('unused', 'knip --no-progress'),
  step('generated documents', 'node dist/scripts/docs/main.js --check'),
  ...(still
    ? []
    : [step('unit tests', 'jest --silent --testPathIgnorePatterns /node_modules/ /dist/ \\.policy\\.test\\.ts$ <rootDir>/test/')]),
];

runSteps(steps).then(
  (results) => {
    const failed = results.filter((result) => result.code !== 0);
    process.stdout.write(
      failed.length === 0 ? `check: ${results.length} steps ok\n` : `check: failed: ${failed.map((result) => result.name).join(', ')}\n`,
    );
    process.exitCode = failed.length === 0 ? 0 : 1;
  },
  (error: unknown) => {
    process.stderr.write(`check: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 2;
  },
);
