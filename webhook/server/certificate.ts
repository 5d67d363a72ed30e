/** The certificate that is served, wherever it comes from. */
import { X509Certificate } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { Log } from '../../platform/log';
import { followFile } from '../state/followed-file';

/** PEM: the chain, leaf first, and its key. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}
export interface CertificateSource {
  current(): CertificatePair;
  /** Told of each new pair, which is good as it is. */
  onChange(listener: (pair: CertificatePair) => void): void;
  /** Why the newest cannot be served, or the API server would not take what is; null while all is well. */
  problem(): string | null;
  /** What is wrong beside what is served, told only: one line, null while nothing is. */
  aside?(): string | null;
  /** Whether the server is not ready while there is a problem. Default: it is told only. */
  readonly decidesReadiness?: boolean;
  /** Told where the server listens, for a source that asks it. */
  listensAt?(place: { readonly host: string; readonly port: number }): void;
  close(): void;
}

/** Two files, as a mounted Secret has them; read again when they change. Rejects with one line when they cannot be served to begin with. */
export async function certificateFromFiles(
  { certFile, keyFile }: { readonly certFile: string; readonly keyFile: string },
  log: Log,
  everyMs?: number,
): Promise<CertificateSource> {
  const listeners = new Set<(pair: CertificatePair) => void>();
  const followed = await followFile<CertificatePair>({
    what: `the certificate ${certFile}`,
    read: async () => JSON.stringify([await fs.readFile(certFile, 'utf8'), await fs.readFile(keyFile, 'utf8')]),
    parse: (text) => {
      const [cert, key]: readonly string[] = JSON.parse(text);
      return checkedPair({ cert: cert ?? '', key: key ?? '' });
    },
    log,
    ...(everyMs === undefined ? {} : { everyMs }),
    onChange: (pair) => {
      for (const listener of listeners) listener(pair);
    },
  });
  return {
    current: followed.current,
    problem: followed.problem,
    onChange: (listener) => void listeners.add(listener),
    close: followed.close,
  };
}

/** The pair, when key and certificate belong together. While one of two files is new and the other not yet, they do not. Throws with one line. */
export function checkedPair(pair: CertificatePair): CertificatePair {
  try {
    // A file that is being written is empty for a moment, and a context without a certificate is a context all the same.
    if (pair.cert.trim() === '' || pair.key.trim() === '') throw new Error('empty');
    createSecureContext(pair);
  } catch {
    throw new Error('certificate and key are not a pair of PEM files');
  }
  return pair;
}

/** Milliseconds since the epoch at which the leaf lapses. */
export const expiryOf = ({ cert }: CertificatePair): number => Date.parse(new X509Certificate(cert).validTo);
