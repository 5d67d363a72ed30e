/** The exponent b of y = a·x^b, by least squares over the logarithms. */
export function exponent(xs: readonly number[], ys: readonly number[]): number {
  const [lx, ly] = [xs.map(Math.log), ys.map(Math.log)];
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mx, my] = [mean(lx), mean(ly)];
  const above = lx.reduce((sum, x, i) => sum + (x - mx) * ((ly[i] ?? 0) - my), 0);
  return above / lx.reduce((sum, x) => sum + (x - mx) ** 2, 0);
}
