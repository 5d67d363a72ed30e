/** The value, or a failed test: for what a fixture is known to have. */
export function present<T>(value: T | undefined | null): T {
  if (value === undefined || value === null) throw new Error('the fixture does not have what the test needs');
  return value;
}
