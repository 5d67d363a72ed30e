import { UsageError } from './command';

/** The arguments and options of one call, read by name and with their shape. */
export class Values {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }
  /** The text given, or undefined. */
  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === 'string' ? value : undefined;
  }
  /** The text, or a usage error that names it. */
  need(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw new UsageError(`\`--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}\` is missing`);
    return value;
  }
  /** Whether a flag was given; `noCache` for `--no-cache`, which the parser keeps as `cache: false`. */
  flag(name: string): boolean {
    const negated = /^no([A-Z].*)$/.exec(name)?.[1];
    if (negated !== undefined && this.#values[negated.charAt(0).toLowerCase() + negated.slice(1)] === false) return true;
    return this.#values[name] === true;
  }
  many(name: string): readonly string[] {
    const value = this.#values[name];
    if (Array.isArray(value)) return value.filter((entry) => typeof entry === 'string');
    return typeof value === 'string' ? [value] : [];
  }
  /** A whole number from `least` up, or undefined. */
  count(name: string, least = 0): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const number = Number(text);
    if (!Number.isSafeInteger(number) || number < least)
      throw new UsageError(`\`--${name}\` takes a whole number from ${least} up, not \`${text}\``);
    return number;
  }
}
