/** A seeded source of choices (mulberry32): equal seeds, equal meshes, on every machine. */
export interface Random {
  /** A whole number from 0 up to, not including, `below`. */
  below(below: number): number;
  chance(percent: number): boolean;
  pick<T>(values: readonly T[]): T;
  /** Some of the values, in order, at least `least`. */
  some<T>(values: readonly T[], least: number, most: number): T[];
}

export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  const pick = <T>(values: readonly T[]): T => {
    const value = values[below(values.length)];
    if (value === undefined) throw new Error('nothing to pick from');
    return value;
  };
  return {
    below,
    chance: (percent) => below(100) < percent,
    pick,
    some: (values, least, most) => {
      const wanted = Math.min(values.length, least + below(most - least + 1));
      const chosen = new Set<number>();
      while (chosen.size < wanted) chosen.add(below(values.length));
      return values.filter((_, index) => chosen.has(index));
    },
  };
}
