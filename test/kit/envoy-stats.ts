/** Of a page of Envoy's statistics: the sum of those whose lines match. */
export const sumOf = (page: string, what: RegExp): number =>
  page
    .split('\n')
    .filter((line) => what.test(line))
    .reduce((sum, line) => sum + Number(line.replace(/^.*: /, '')), 0);
