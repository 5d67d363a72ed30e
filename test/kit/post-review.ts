/** Asks a webhook as an API server does: one review, posted over TLS. */
import { request, type Agent } from 'node:https';

export interface PostOptions {
  /** false: a connection of its own. */
  readonly agent: Agent | false;
  /** PEM; without it what the agent trusts. */
  readonly ca?: string;
  readonly servername?: string;
}
export type ReviewAnswer =
  | { readonly kind: 'answered'; readonly allowed: boolean | undefined; readonly message: string; readonly at: number }
  | { readonly kind: 'failed'; readonly why: string; readonly clientPort: number | null };

/** A limit against hanging, not a measurement. */
const noAnswerMs = 60_000;

/** The answer, or why there is none. Never rejects. */
export function postReview(url: URL, body: Buffer, { agent, ca, servername }: PostOptions): Promise<ReviewAnswer> {
  return new Promise((resolve) => {
    let clientPort: number | null = null;
    const fail = (why: string): void => resolve({ kind: 'failed', why, clientPort });
    const sent = request(
      url,
      {
        method: 'POST',
        agent,
        headers: { 'content-type': 'application/json', 'content-length': body.length },
        ...(ca === undefined ? {} : { ca }),
        ...(servername === undefined ? {} : { servername }),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', (error) => fail(error.message));
        response.once('end', () => {
          const at = performance.now();
          const text = Buffer.concat(chunks).toString('utf8');
          if (response.statusCode !== 200) return fail(`status ${response.statusCode}: ${text.slice(0, 300)}`);
          const answer = JSON.parse(text) as { response?: { allowed?: boolean; status?: { message?: string } } };
          resolve({ kind: 'answered', allowed: answer.response?.allowed, message: answer.response?.status?.message ?? '', at });
        });
      },
    );
    sent.once('socket', (socket) => {
      clientPort = socket.localPort ?? null;
      if (socket.connecting) socket.once('connect', () => (clientPort = socket.localPort ?? null));
    });
    sent.setTimeout(noAnswerMs, () => sent.destroy(new Error('no answer')));
    sent.once('error', (error) => fail(error.message));
    sent.end(body);
  });
}
