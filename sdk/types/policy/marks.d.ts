/** Keys that nobody can write: a value of these types is made by the SDK or not at all. The run time looks again. */
export declare const kind: unique symbol,
  scope: unique symbol,
  identity: unique symbol,
  versionNames: unique symbol,
  requestLines: unique symbol,
  names: unique symbol,
  envValue: unique symbol;
