/** Each service is called by 5 to 10 others. */
export const fanOutOf = (index: number): number => 5 + (index % 6);
