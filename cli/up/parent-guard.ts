/**
 * Preloaded (`node --require`) into every process that `meshwright up` starts: when the pipe to the supervisor closes, for whatever reason and
 * even by kill -9, the process ends itself as if it had been asked to. So nothing outlives the supervisor.
 */
process.stdin.on('end', () => process.kill(process.pid, 'SIGTERM'));
process.stdin.on('error', () => process.kill(process.pid, 'SIGTERM'));
process.stdin.resume();
// Waiting for the supervisor is no reason to stay alive. The stream is a pipe, so it has a handle to let go of.
const stdin: { unref?: () => void } = process.stdin;
stdin.unref?.();
export {};
