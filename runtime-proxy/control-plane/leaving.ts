/** Instances that no inventory has any more, while their callers may not have heard: a listener that is taken away refuses who comes at once. */
import type { Instance } from '../inventory';

/** So long one keeps what it has. */
export const leavingMs = 2_000;

export class Leaving {
  readonly #gone = new Map<string, { readonly instance: Instance; readonly until: number }>();

  /** After another inventory, at a time in milliseconds. Whose place somebody else has taken leaves at once. Answers whether somebody is leaving. */
  note(before: ReadonlyMap<string, Instance>, after: ReadonlyMap<string, Instance>, at: number): boolean {
    for (const [id, { until }] of this.#gone) if (until <= at || after.has(id)) this.#gone.delete(id);
    for (const [id, instance] of before) if (!after.has(id)) this.#gone.set(id, { instance, until: at + leavingMs });
    if (this.#gone.size === 0) return false;
    const taken = new Set([...after.values()].flatMap(placesOf));
    for (const [id, { instance }] of this.#gone) if (placesOf(instance).some((place) => taken.has(place))) this.#gone.delete(id);
    return this.#gone.size > 0;
  }
  /** One that is leaving at that time. */
  of(id: string, at: number): Instance | undefined {
    const known = this.#gone.get(id);
    return known !== undefined && known.until > at ? known.instance : undefined;
  }
}

const placesOf = ({ inbound }: Instance): readonly string[] => Object.values(inbound).map(({ host, port }) => `${host} ${port}`);
