export { evaluate, type EvaluateOptions } from './evaluate';
export { createSandbox, type Sandbox } from './sandbox';
export { runPolicyTests, type PolicyTest, type PolicyTestOptions, type TestFailure, type TestReport } from './policy-tests';
