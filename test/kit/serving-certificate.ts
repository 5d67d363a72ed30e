/** A certificate authority of one test, and certificates for this machine and for clients. */
import { webcrypto } from 'node:crypto';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
export interface Pair {
  readonly cert: string;
  readonly key: string;
}
export interface LocalAuthority {
  readonly ca: string;
  /** For `https://127.0.0.1` and `https://localhost`. */
  serving(lifetimeMs?: number): Promise<Pair>;
  client(commonName: string): Promise<Pair>;
}

export async function localAuthority(name = 'CN=test'): Promise<LocalAuthority> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const day = 86_400_000;
  const from = new Date(Date.now() - 3_600_000);
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name,
    keys,
    notBefore: from,
    notAfter: new Date(Date.now() + day),
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  const issue = async (subject: string, extensions: x509.Extension[], lifetimeMs: number): Promise<Pair> => {
    const own = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.create({
      subject,
      issuer: root.subject,
      publicKey: own.publicKey,
      signingKey: keys.privateKey,
      notBefore: from,
      notAfter: new Date(Date.now() + lifetimeMs),
      signingAlgorithm: algorithm,
      extensions,
    });
    const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', own.privateKey)).toString('base64');
    return { cert: certificate.toString('pem'), key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n` };
  };
  return {
    ca: root.toString('pem'),
    serving: (lifetimeMs = day) =>
      issue(
        'CN=webhook',
        [
          new x509.SubjectAlternativeNameExtension([
            { type: 'ip', value: '127.0.0.1' },
            { type: 'dns', value: 'localhost' },
          ]),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        ],
        lifetimeMs,
      ),
    client: (commonName) => issue(`CN=${commonName}`, [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])], day),
  };
}
