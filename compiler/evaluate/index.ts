export { evaluate, type EvaluateOptions } from './evaluate';
export { createSandbox, type Sandbox } from './sandbox';
