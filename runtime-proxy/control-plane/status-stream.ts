/** The status as it changes, as server-sent events. Who reads more slowly than it changes gets the newest, and what was overtaken waits nowhere. */
import type { ServerResponse } from 'node:http';
import type { RolloutStatus } from '../../core/bundle/status';

export interface StatusSource {
  /** The status now; undefined: nobody says it. */
  readonly look: () => Promise<unknown>;
  /** Whether another replica knows it: then it is asked for now and then. */
  readonly isElsewhere: () => boolean;
  /** Registers for each new status here; answers how to leave. */
  readonly watch: (listener: (status: RolloutStatus) => void) => () => void;
}
const lookMs = 500;
const beatMs = 15_000;

/** The status now, then each new one; a comment now and then keeps the line open. */
export function streamStatus(response: ServerResponse, { look, isElsewhere, watch }: StatusSource): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', connection: 'keep-alive' });
  response.flushHeaders();
  let last = '';
  let full = false;
  let overtaking: { readonly status: unknown } | null = null;
  const send = (status: unknown): void => {
    if (full) return void (overtaking = { status });
    const text = JSON.stringify(status);
    if (text === last) return;
    last = text;
    full = !response.write(`event: status\ndata: ${text}\n\n`);
  };
  response.on('drain', () => {
    full = false;
    const next = overtaking;
    overtaking = null;
    if (next !== null) send(next.status);
  });
  let looking = false;
  const lookNow = async (): Promise<void> => {
    if (looking) return;
    looking = true;
    const status = await look().finally(() => (looking = false));
    if (status !== undefined) send(status);
  };
  const lookOrLeave = (): void => void lookNow().catch(() => response.destroy());
  lookOrLeave();
  const leave = watch((status) => {
    if (!isElsewhere()) send(status);
  });
  const poll = setInterval(() => {
    if (isElsewhere()) lookOrLeave();
  }, lookMs);
  const beat = setInterval(() => void (full || response.write(': still here\n\n')), beatMs);
  for (const timer of [poll, beat]) timer.unref();
  response.on('close', () => {
    clearInterval(beat);
    clearInterval(poll);
    leave();
  });
  response.on('error', () => undefined);
}
