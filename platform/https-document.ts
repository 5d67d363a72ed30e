/**
 * A document of somebody else's, by HTTPS, from a place that is not trusted: the certificate is verified for the name, no redirect is followed, time and size
 * have an end, and the connection goes to the very address that was looked at.
 */
import * as dns from 'node:dns';
import * as https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';

export interface HttpsDocumentOptions {
  /** PEM of the authorities that count; null: those of the system. */
  readonly ca: string | null;
  readonly mayReach: (address: string) => boolean;
  readonly maxBytes: number;
  /** For all of it: the name, the connection, the answer. */
  readonly timeoutMs: number;
}

const notFrom = 'where nothing may be fetched from: name the network if it is meant';

/** The text, in UTF-8. Rejects with one line, in which nothing of the answer stands. `url` has a name for a host. */
export function httpsDocument(url: string, { ca, mayReach, maxBytes, timeoutMs }: HttpsDocumentOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    // what was on its way may still end well after the connection was given up
    const fail = (why: string): void => {
      reject(new Error(why));
      request.destroy();
    };
    // an address is dialled as it stands, and nobody looks it up
    const { hostname } = new URL(url);
    const literal = hostname.replace(/^\[|\]$/g, '');
    if (isIP(literal) !== 0 && !mayReach(literal)) return reject(new Error(`\`${literal}\` is an address ${notFrom}`));
    const request = https.get(
      url,
      {
        ...(ca === null ? {} : { ca }),
        agent: false,
        lookup: lookupAmong(mayReach),
        headers: { accept: 'application/json, application/jwk-set+json', 'accept-encoding': 'identity', 'user-agent': 'meshwright' },
      },
      (response) => {
        const { statusCode, headers } = response;
        if (statusCode !== 200) return fail(`it answers ${statusCode ?? 'nothing'}`);
        if ((headers['content-encoding'] ?? 'identity') !== 'identity') return fail('its answer is compressed');
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > maxBytes) fail(`it answers more than ${maxBytes} bytes`);
          else chunks.push(chunk);
        });
        response.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
        response.once('error', reject);
      },
    );
    const timer = setTimeout(() => fail(`it does not answer within ${timeoutMs / 1_000} s`), timeoutMs);
    request.once('error', reject);
    request.once('close', () => {
      clearTimeout(timer);
      reject(new Error('the connection ended'));
    });
  });
}

/** What a name stands for is looked at once, and dialled: a second answer of the DNS changes nothing. */
const lookupAmong =
  (mayReach: (address: string) => boolean): LookupFunction =>
  (host, { family }, done) => {
    const wanted = family === 4 || family === 6 ? family : 0;
    dns.lookup(host, { all: true, family: wanted }, (error, found) => {
      if (error) return done(error, []);
      const good = found.filter(({ address }) => mayReach(address));
      if (good.length > 0) return done(null, good);
      const named = found.map(({ address }) => address).join(', ');
      done(new Error(`\`${host}\` is at ${named || 'no address'}, ${notFrom}`), []);
    });
  };
