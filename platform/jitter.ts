/** Between half of a wait and all of it: many who failed at the same moment do not come back at the same moment. `random` is in [0, 1). */
export const jittered = (ms: number, random: () => number = Math.random): number => ms * (0.5 + random() / 2);
