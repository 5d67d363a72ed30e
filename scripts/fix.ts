/** `npm run fix`: what a machine can put right: lint fixes, format, generated documents. */
import { runSteps, step } from './steps';

const steps = [
  step('lint', 'oxlint --fix'),
  step('generated schemas', 'node dist/scripts/generate-schemas.js'),
  step('generated chart', 'node dist/scripts/chart/main.js'),
  step('generated documents', 'node dist/scripts/docs/main.js'),
  step('format', 'prettier --write --log-level warn .'),
];

runSteps(steps, { atOnce: 1 }).then(
  (results) => (process.exitCode = results.every((result) => result.code === 0) ? 0 : 1),
  (error: unknown) => {
    process.stderr.write(`fix: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 2;
  },
);
