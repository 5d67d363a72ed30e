/** `meshwright/testing` as it runs in the sandbox; what authors see is sdk/types/testing.d.ts. */
export { ask, callersOf, reachableFrom } from './ask';
export { expect } from './expect';
export { test } from './run';
