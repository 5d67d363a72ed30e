/** The keys of the issuer of deployer tokens: from a file, or fetched in the background. A review never waits for them. */
import * as https from 'node:https';
import * as fs from 'node:fs/promises';
import type { JSONWebKeySet } from 'jose';
import type { Log } from '../../platform/log';
import { isFields, memberOf } from '../review/json';
import { followFile, lineOf } from './followed-file';
import { readGuarded } from './trust-file';

const maxBytes = 1 << 20;
const fetchTimeoutMs = 10_000;
const fetchEveryMs = 5 * 60_000;
const retryMs = 15_000;

export interface IssuerKeys {
  /** null: they were never had. */
  current(): JSONWebKeySet | null;
  /** Why the newest cannot be had; null while they can. */
  problem(): string | null;
  close(): void;
}

/** Keys in a file, read again when it changes. Rejects with one line when there are none to begin with. */
export async function keysFromFile(file: string, log: Log): Promise<IssuerKeys> {
  return followFile({ what: `the issuer's keys ${file}`, read: () => readGuarded(file), parse: parseKeys, log });
}

/** Keys at an address. Starts at once and goes on for ever; what was had last stays while the address does not answer. */
export function keysFromUrl(url: string, caFile: string | null, log: Log): IssuerKeys {
  let keys: JSONWebKeySet | null = null;
  let problem: string | null = 'they were not fetched yet';
  let timer: NodeJS.Timeout | null = null;
  let closed = false;
  const turn = async (): Promise<void> => {
    try {
      keys = parseKeys(await fetchText(url, caFile === null ? null : await fs.readFile(caFile, 'utf8')));
      problem = null;
    } catch (error) {
      if (problem !== lineOf(error)) log.warn({ url, reason: lineOf(error) }, "cannot fetch the issuer's keys");
      problem = lineOf(error);
    }
    if (closed) return;
    timer = setTimeout(() => void turn(), problem === null ? fetchEveryMs : retryMs);
    timer.unref();
  };
  void turn();
  return {
    current: () => keys,
    problem: () => problem,
    close() {
      closed = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}

/** A JSON Web Key Set with public keys only. Throws with one line. */
export function parseKeys(text: string): JSONWebKeySet {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('it is not JSON');
  }
  const keys = memberOf(value, 'keys');
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > 100) throw new Error('it is no key set with 1 to 100 `keys`');
  const list = keys.map((key: unknown, index) => {
    const kty = memberOf(key, 'kty');
    if (!isFields(key) || typeof kty !== 'string' || kty === 'oct') throw new Error(`\`keys[${index}]\` is no public key`);
    if (Object.hasOwn(key, 'd')) throw new Error(`\`keys[${index}]\` is a private key`);
    return { ...key, kty };
  });
  return { keys: list };
}

function fetchText(url: string, ca: string | null): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = https.get(
      url,
      { ...(ca === null ? {} : { ca }), agent: false, headers: { accept: 'application/json' } },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        if (response.statusCode !== 200) {
          request.destroy(new Error(`it answers ${response.statusCode ?? 'nothing'}`));
          return;
        }
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > maxBytes) request.destroy(new Error(`it answers more than ${maxBytes} bytes`));
          else chunks.push(chunk);
        });
        response.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
        response.once('error', reject);
      },
    );
    const timer = setTimeout(() => request.destroy(new Error(`it does not answer within ${fetchTimeoutMs / 1_000} s`)), fetchTimeoutMs);
    request.once('error', reject);
    request.once('close', () => {
      clearTimeout(timer);
      reject(new Error('the connection ended'));
    });
  });
}
