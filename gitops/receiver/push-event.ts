/** A push webhook's request, judged. Its body is never trusted for what to deploy: a good one only says that it is time to look at the branch. */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** `X-Hub-Signature-256: sha256=<hex>` over the raw body, compared in constant time. Any other form is false. */
export function signatureIsGood(secret: string, body: Uint8Array, header: string | undefined): boolean {
  const given = /^sha256=([0-9a-f]{64})$/.exec(header ?? '')?.[1];
  if (given === undefined) return false;
  const wanted = createHmac('sha256', secret).update(body).digest();
  return timingSafeEqual(Buffer.from(given, 'hex'), wanted);
}

export type PushVerdict =
  | { readonly kind: 'look'; readonly after: string }
  | { readonly kind: 'ignored'; readonly reason: string }
  | { readonly kind: 'malformed'; readonly reason: string };

/** What a signed delivery means for a loop that follows `branch`. */
export function judgePush(event: string | undefined, body: Uint8Array, branch: string): PushVerdict {
  if (event !== 'push') return { kind: 'ignored', reason: `event ${event ?? 'without a name'}` };
  let payload: unknown;
  try {
    payload = JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    return { kind: 'malformed', reason: 'the body is not JSON' };
  }
  if (typeof payload !== 'object' || payload === null || !('ref' in payload) || typeof payload.ref !== 'string') {
    return { kind: 'malformed', reason: 'the body has no `ref`' };
  }
  if (payload.ref !== `refs/heads/${branch}`) return { kind: 'ignored', reason: 'another branch' };
  const after = 'after' in payload && typeof payload.after === 'string' ? payload.after : '';
  return { kind: 'look', after: /^[0-9a-f]{40}$/.test(after) ? after : '' };
}

/** Remembers the last delivery ids, so that one that is sent again does nothing. */
export class Deliveries {
  private readonly seen = new Set<string>();

  constructor(private readonly most = 1_024) {}

  /** Whether the id is new; a delivery without one always is. */
  isNew(id: string | undefined): boolean {
    if (id === undefined || id === '') return true;
    if (this.seen.has(id)) return false;
    this.seen.add(id);
    if (this.seen.size > this.most) for (const oldest of this.seen) return this.seen.delete(oldest);
    return true;
  }
}
