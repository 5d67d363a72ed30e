/** The terminal: words on stdout, progress on stderr, colour only where somebody looks. */
import type { Writable } from 'node:stream';

export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
}
const paint =
  (on: boolean, open: number, close: number) =>
  (text: string): string =>
    on ? `\u001b[${open}m${text}\u001b[${close}m` : text;
export const styleOf = (colour: boolean): Style => ({
  bold: paint(colour, 1, 22),
  dim: paint(colour, 2, 22),
  red: paint(colour, 31, 39),
  green: paint(colour, 32, 39),
  yellow: paint(colour, 33, 39),
});

export interface Output {
  readonly style: Style;
  /** A line for people; nothing under `--json`. */
  line(text?: string): void;
  /** Text as it is (a report, a file): nothing under `--json`. */
  text(text: string): void;
  /** The one document of `--json`; nothing otherwise. */
  document(value: unknown): void;
  /** What is being done, on stderr, if it takes longer than a second. Call the result when it is over. */
  progress(what: string): (next?: string) => void;
  /** A line on stderr at once, in both modes: a warning, where a log is kept. */
  note(text: string): void;
}

interface Streams {
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean };
}

/** @param colour whether stdout takes colour; see `wantsColour`. */
export function createOutput(streams: Streams, options: { readonly json: boolean; readonly colour: boolean }): Output {
  let documents = 0;
  return {
    style: styleOf(options.colour && !options.json),
    line: (text = '') => void (options.json || streams.stdout.write(`${text}\n`)),
    text: (text) => void (options.json || streams.stdout.write(text)),
    document: (value) => {
      if (!options.json) return;
      documents += 1;
      if (documents > 1) throw new Error('internal: `--json` prints one document');
      streams.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
    },
    note: (text) => void streams.stderr.write(`${text}\n`),
    progress: (what) => {
      let current = what;
      const begun = performance.now();
      const show = (): void => {
        const seconds = `${((performance.now() - begun) / 1000).toFixed(0)} s`;
        streams.stderr.write(streams.stderr.isTTY === true ? `\r\u001b[2K${current} ... ${seconds}` : `${current} ... ${seconds}\n`);
        timer = setTimeout(show, streams.stderr.isTTY === true ? 1_000 : 10_000);
        timer.unref();
      };
      let timer = setTimeout(show, 1_000);
      timer.unref();
      return (next) => {
        if (next !== undefined) {
          current = next;
          return;
        }
        clearTimeout(timer);
        if (streams.stderr.isTTY === true && performance.now() - begun >= 1_000) streams.stderr.write('\r\u001b[2K');
      };
    },
  };
}

/** By https://no-color.org and FORCE_COLOR, else whether it is a terminal. */
export function wantsColour(env: Readonly<Record<string, string | undefined>>, stream: { readonly isTTY?: boolean }): boolean {
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return false;
  if (env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '' && env['FORCE_COLOR'] !== '0') return true;
  return stream.isTTY === true && env['TERM'] !== 'dumb';
}

/** `1.4 s`, `38 ms`, `60 min`. */
export const duration = (milliseconds: number): string => {
  if (milliseconds >= 120_000 && milliseconds % 60_000 === 0) return `${milliseconds / 60_000} min`;
  return milliseconds >= 1_000 ? `${(milliseconds / 1_000).toFixed(1)} s` : `${Math.round(milliseconds)} ms`;
};

/** `1 service`, `1,204 services`. */
export const counted = (count: number, noun: string, plural = `${noun}s`): string =>
  `${count.toLocaleString('en-US')} ${count === 1 ? noun : plural}`;
