/** A GET as a probe sends it: on a connection of its own. One that was kept, to a server that is gone since, fails and says nothing of the one that is there. */
import * as http from 'node:http';

/** A limit against hanging, not a measurement. */
const noAnswerMs = 60_000;

/** Rejects when nobody answers. */
export function plainGet(url: string): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const asked = http.get(url, { agent: false, timeout: noAnswerMs }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.once('error', reject);
      answer.once('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }));
    });
    asked.once('timeout', () => asked.destroy(new Error('no answer')));
    asked.once('error', reject);
  });
}
