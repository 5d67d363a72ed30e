/** Certificates of the webhook's own authority: ECDSA P-256, made here and known to nobody but the API server, by `caBundle`. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
/** Certificates are valid from a little before they are made: clocks differ. */
export const skewMs = 5 * 60_000;

/** A certificate with its key, PEM. Times in milliseconds since the epoch. */
export interface Issued {
  readonly certificate: string;
  readonly key: string;
  readonly issued: number;
  readonly notAfter: number;
}

export async function issueCa(now: number, lifetimeMs: number): Promise<Issued> {
  const keys = await newKeys();
  const serialNumber = serial();
  const notAfter = wholeSecond(now + lifetimeMs);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber,
      // A name of its own: while two of them are trusted, nobody has to try which is meant.
      name: `CN=meshwright webhook ${serialNumber.slice(0, 12)}`,
      notBefore: new Date(now - skewMs),
      notAfter: new Date(notAfter),
      keys,
      signingAlgorithm: ecdsa,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    },
    crypto,
  );
  return { certificate: certificate.toString('pem'), key: await keyPem(keys), issued: now, notAfter };
}

/** A serving certificate of the authority, which it never outlives. */
export async function issueLeaf(ca: Issued, dnsNames: readonly string[], now: number, lifetimeMs: number): Promise<Issued> {
  const keys = await newKeys();
  const root = new x509.X509Certificate(ca.certificate);
  const notAfter = wholeSecond(Math.min(now + lifetimeMs, ca.notAfter));
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serial(),
      subject: [{ O: ['meshwright'] }, { CN: ['webhook'] }],
      issuer: root.subjectName,
      notBefore: new Date(now - skewMs),
      notAfter: new Date(notAfter),
      publicKey: keys.publicKey,
      signingKey: await webcrypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(ca.key), ecdsa, false, ['sign']),
      signingAlgorithm: ecdsa,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(dnsNames.map((value) => ({ type: 'dns', value }))),
        await x509.AuthorityKeyIdentifierExtension.create(root.publicKey),
      ],
    },
    crypto,
  );
  return { certificate: certificate.toString('pem'), key: await keyPem(keys), issued: now, notAfter };
}

const newKeys = (): Promise<webcrypto.CryptoKeyPair> => webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify']);
const keyPem = async ({ privateKey }: webcrypto.CryptoKeyPair): Promise<string> =>
  `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY').trim()}\n`;
/** X.509 counts whole seconds: round down. */
const wholeSecond = (time: number): number => Math.floor(time / 1_000) * 1_000;

/** 16 random bytes, positive. */
function serial(): string {
  const bytes = Buffer.from(webcrypto.getRandomValues(new Uint8Array(16)));
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0);
  return bytes.toString('hex');
}
