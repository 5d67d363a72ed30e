/** The body of a review, whole and within bounds, or a refusal. What is refused is answered with an HTTP error, which the API server never takes for an allowance. */
import type { IncomingMessage } from 'node:http';

export type Body =
  | { readonly kind: 'whole'; readonly bytes: Buffer }
  | { readonly kind: 'refused'; readonly status: number; readonly reason: string }
  /** Nobody waits for an answer any more. */
  | { readonly kind: 'gone' };

/** Bytes of bodies that are held at the same moment, over all connections. */
export interface Budget {
  held: number;
  readonly most: number;
  /** Bodies that are still arriving, the oldest first; each can be told to give way. */
  readonly arriving: Set<() => void>;
}
export const bodyBudget = (most: number): Budget => ({ held: 0, most, arriving: new Set() });

/** Why the head of a request already says that its body is none of ours; null when it may be read. */
export function refusedHead(request: IncomingMessage, limit: number): { readonly status: number; readonly reason: string } | null {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') return { status: 415, reason: 'the body has to be `application/json`' };
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding !== 'identity') return { status: 415, reason: 'a compressed body is not read' };
  if (Number(request.headers['content-length'] ?? 0) > limit) return { status: 413, reason: `the body is larger than ${limit} bytes` };
  return null;
}

/** Reads the body into one buffer. `release` gives the budget back; call it when the bytes are done with. */
export function readBody(
  request: IncomingMessage,
  limit: number,
  budget: Budget,
): Promise<{ readonly body: Body; readonly release: () => void }> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let given = false;
    const release = (): void => {
      if (!given) budget.held -= size;
      given = true;
    };
    const end = (body: Body): void => {
      budget.arriving.delete(giveWay);
      request.off('data', onData).off('end', onEnd).off('close', onGone);
      if (body.kind !== 'whole') {
        request.pause();
        release();
      }
      resolve({ body, release });
    };
    const giveWay = (): void => end({ kind: 'refused', status: 503, reason: 'too much is under way' });
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      budget.held += chunk.length;
      chunks.push(chunk);
      if (size > limit) return end({ kind: 'refused', status: 413, reason: `the body is larger than ${limit} bytes` });
      // What has been arriving for longest gives way: an API server sends at once, and who does not could keep everybody else out.
      for (const oldest of budget.arriving) {
        if (budget.held <= budget.most) break;
        oldest();
      }
    };
    const onEnd = (): void => end({ kind: 'whole', bytes: chunks.length === 1 ? (chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(chunks) });
    const onGone = (): void => end({ kind: 'gone' });
    budget.arriving.add(giveWay);
    request.on('data', onData).once('end', onEnd).once('close', onGone);
    request.once('error', () => undefined);
  });
}
