/** The story as it is told: each step checks itself, prints what it saw, and is kept for the summary and for `--json`. */
import { reasonOf } from '../../core/lib/reason';

export interface Check {
  readonly what: string;
  readonly ok: boolean;
  readonly saw: string;
}
export interface StepReport {
  readonly step: string;
  readonly title: string;
  readonly ok: boolean;
  readonly seconds: number;
  readonly checks: readonly Check[];
  readonly figures: Readonly<Record<string, number | string>>;
}
export interface Teller {
  /** A step that ran out of luck is reported as failed; the ones after it still run where they can. */
  step(name: string, title: string, body: (step: Step) => Promise<void>): Promise<void>;
  readonly reports: readonly StepReport[];
}
export interface Step {
  check(what: string, ok: boolean, saw: string): void;
  figure(name: string, value: number | string): void;
  say(line: string): void;
}

export function teller(write: (line: string) => void, colour: boolean): Teller {
  const reports: StepReport[] = [];
  const paint = (code: number, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  return {
    reports,
    async step(name, title, body) {
      write(`\n${paint(1, `${name}) ${title}`)}`);
      const checks: Check[] = [];
      const figures: Record<string, number | string> = {};
      const started = process.hrtime.bigint();
      const step: Step = {
        check(what, ok, saw) {
          checks.push({ what, ok, saw });
          write(`   ${ok ? paint(32, 'ok  ') : paint(31, 'FAIL')} ${what}${saw ? paint(2, `   ${saw}`) : ''}`);
        },
        figure(figure, value) {
          figures[figure] = value;
          write(`        ${figure}: ${value}`);
        },
        say: (line) => write(`        ${line}`),
      };
      try {
        await body(step);
      } catch (error) {
        step.check('the step ran to its end', false, reasonOf(error));
      }
      if (checks.length === 0) step.check('the step checked something', false, 'no check was reached');
      const seconds = Number(process.hrtime.bigint() - started) / 1e9;
      reports.push({ step: name, title, ok: checks.every((check) => check.ok), seconds: Math.round(seconds * 100) / 100, checks, figures });
    },
  };
}

/** The closing table. */
export function summary(reports: readonly StepReport[]): readonly string[] {
  const width = Math.max(...reports.map((report) => report.title.length), 5);
  return [
    `step  ${'what'.padEnd(width)}  checks     seconds  result`,
    ...reports.map((report) => {
      const good = report.checks.filter((check) => check.ok).length;
      return `${report.step.padEnd(4)}  ${report.title.padEnd(width)}  ${`${good}/${report.checks.length}`.padEnd(9)}  ${report.seconds.toFixed(2).padStart(7)}  ${report.ok ? 'ok' : 'FAILED'}`;
    }),
  ];
}
