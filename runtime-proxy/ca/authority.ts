/** The certificate authority's keys and what it issues. ECDSA P-256 by WebCrypto; the issuing key never leaves this module. */
import 'reflect-metadata';
import { createHash, X509Certificate as NodeCertificate, webcrypto } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import * as x509 from '@peculiar/x509';
import { writeFileAtomic, readTextIfThere } from '../../platform/files';
import { caPrincipal, organisationOf, type Identity } from './spiffe';

const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const day = 24 * 3600 * 1000;
const rootLifetimeMs = 3650 * day;
/** Certificates are valid from a little before they are made: clocks differ. */
const skewMs = 30_000;

/** A certificate with the chain up to (without) the root, in PEM. */
export interface Issued {
  readonly chain: string;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
}
export interface Authority {
  readonly trustDomain: string;
  /** The roots that peers are verified by, PEM. */
  readonly trust: string;
  /** An SVID: exactly one SPIFFE URI, chosen here from `identity`; of the CSR only the key is used, after its self-signature was checked. */
  issueSvid(csr: string, identity: Identity, lifetimeMs: number): Promise<Issued>;
  /** A serving certificate for DNS names (a gateway's). It names no principal, so it opens nothing in the mesh. */
  issueServing(csr: string, hosts: readonly string[], lifetimeMs: number): Promise<Issued>;
}
export class CsrRefused extends Error {
  override readonly name = 'CsrRefused';
}

/** A private key and a CSR that it signed, both PEM. */
export interface KeyAndCsr {
  readonly key: string;
  readonly csr: string;
}
/** A fresh P-256 key and a CSR for it. The subject says nothing: the CA chooses the names. */
export async function newKeyAndCsr(): Promise<KeyAndCsr> {
  const keys = await webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify']);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({ name: 'CN=request', keys, signingAlgorithm: ecdsa }, crypto);
  return { key: pem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)), csr: request.toString('pem') };
}

/** Opens the authority kept in a folder, or founds one there: `root.key` (0600) and `root.crt`. Founding is atomic: the key is in place before the certificate. */
export async function openAuthority(folder: string, trustDomain: string, now: () => number): Promise<Authority> {
  await fs.mkdir(folder, { recursive: true, mode: 0o700 });
  const keyFile = path.join(folder, 'root.key');
  const certificateFile = path.join(folder, 'root.crt');
  const kept = await readTextIfThere(keyFile);
  if (kept !== null && ((await fs.stat(keyFile)).mode & 0o077) !== 0) throw new Error(`${keyFile} can be read by others: chmod 600 it`);
  const key = kept ?? (await newRootKey());
  if (kept === null) await writeFileAtomic(keyFile, key, { mode: 0o600 });
  let certificate = await readTextIfThere(certificateFile);
  if (certificate === null) {
    certificate = await rootCertificate(key, trustDomain, now);
    await writeFileAtomic(certificateFile, certificate);
  }
  return authorityOf({ key, certificate }, trustDomain, now, certificateFile);
}

/** The issuing key and the root it belongs to, PEM. */
export interface RootMaterial {
  readonly key: string;
  readonly certificate: string;
}
/** Makes a root anew. */
export async function foundRoot(trustDomain: string, now: () => number): Promise<RootMaterial> {
  const key = await newRootKey();
  return { key, certificate: await rootCertificate(key, trustDomain, now) };
}

/** The authority of a root that is kept somewhere. `place` names it where it is refused: the root of another trust domain, or a key that is not the certificate's. */
export async function authorityOf(material: RootMaterial, trustDomain: string, now: () => number, place: string): Promise<Authority> {
  const { keys, root, subjectAltName, publicKey } = await parsedRoot(material, place);
  if (subjectAltName !== `URI:spiffe://${trustDomain}`) throw new Error(`${place} is the root of another trust domain than ${trustDomain}`);
  const own = Buffer.from(await webcrypto.subtle.exportKey('spki', keys.publicKey));
  if (!own.equals(publicKey.export({ type: 'spki', format: 'der' })))
    throw new Error(`${place} is not the certificate of the key beside it`);
  return authority(root, keys, trustDomain, now);
}

async function parsedRoot({ key, certificate }: RootMaterial, place: string) {
  try {
    const { subjectAltName, publicKey } = new NodeCertificate(certificate);
    return { keys: await importKeys(key), root: new x509.X509Certificate(certificate), subjectAltName, publicKey };
  } catch (error) {
    throw new Error(`${place} or the key beside it is damaged: put both back as they were, from a copy`, { cause: error });
  }
}

async function newRootKey(): Promise<string> {
  const keys = await webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify']);
  return pem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
}

async function rootCertificate(key: string, trustDomain: string, now: () => number): Promise<string> {
  const keys = await importKeys(key);
  const root = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serial(),
      name: `CN=${trustDomain} mesh root,O=meshwright`,
      notBefore: new Date(now() - skewMs),
      notAfter: new Date(now() + rootLifetimeMs),
      keys,
      signingAlgorithm: ecdsa,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
        new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${trustDomain}` }]),
      ],
    },
    crypto,
  );
  return root.toString('pem');
}

function authority(root: x509.X509Certificate, keys: webcrypto.CryptoKeyPair, trustDomain: string, now: () => number): Authority {
  const issue = async (
    csr: string,
    subject: x509.JsonName,
    names: x509.JsonGeneralNames,
    usages: readonly x509.ExtendedKeyUsage[],
    lifetimeMs: number,
  ): Promise<Issued> => {
    const publicKey = await keyOfCsr(csr);
    // A leaf that outlives its root would be refused by everybody. X.509 counts whole seconds: round down.
    const notAfter = Math.floor(Math.min(now() + lifetimeMs, root.notAfter.getTime()) / 1000) * 1000;
    const leaf = await x509.X509CertificateGenerator.create(
      {
        serialNumber: serial(),
        subject,
        issuer: root.subjectName,
        notBefore: new Date(now() - skewMs),
        notAfter: new Date(notAfter),
        publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: ecdsa,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([...usages]),
          new x509.SubjectAlternativeNameExtension(names),
          await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
        ],
      },
      crypto,
    );
    return { chain: leaf.toString('pem'), notAfter };
  };
  return {
    trustDomain,
    trust: `${root.toString('pem').trim()}\n`,
    issueSvid: (csr, identity, lifetimeMs) =>
      issue(
        csr,
        [{ O: [organisationOf(identity)] }, { OU: [identity.workload] }, { CN: [identity.instance] }],
        [{ type: 'url', value: identity.principal }],
        [x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth],
        lifetimeMs,
      ),
    issueServing: (csr, hosts, lifetimeMs) =>
      issue(
        csr,
        [{ O: ['meshwright'] }],
        hosts.map((value) => ({ type: 'dns', value })),
        [x509.ExtendedKeyUsage.serverAuth],
        lifetimeMs,
      ),
  };
}

/** The identity the CA's own server shows. */
export const caIdentity = (trustDomain: string): Identity => ({
  principal: caPrincipal(trustDomain),
  workload: 'meshwright/ca' as Identity['workload'],
  instance: 'ca',
});

/** The SHA-256 of the public key that a CSR is of and signed by, 64 hexadecimal digits. Refuses what `issueSvid` would refuse. */
export async function fingerprintOf(csr: string): Promise<string> {
  return createHash('sha256')
    .update(Buffer.from((await keyOfCsr(csr)).rawData))
    .digest('hex');
}

async function keyOfCsr(csr: string): Promise<x509.PublicKey> {
  let request: x509.Pkcs10CertificateRequest;
  try {
    request = new x509.Pkcs10CertificateRequest(csr);
  } catch {
    throw new CsrRefused('the certificate request is not PEM of PKCS#10');
  }
  if (!isP256(request)) throw new CsrRefused('the key must be ECDSA P-256');
  // it rejects where the key is no point of the curve, or the signature none of ECDSA
  if (!(await request.verify(crypto).catch(() => false))) throw new CsrRefused('the certificate request is not signed by its key');
  return request.publicKey;
}

function isP256(request: x509.Pkcs10CertificateRequest): boolean {
  try {
    const { algorithm } = request.publicKey; // it throws where its parameters are none of a curve
    return algorithm.name === 'ECDSA' && 'namedCurve' in algorithm && algorithm.namedCurve === 'P-256';
  } catch {
    return false;
  }
}

async function importKeys(keyPem: string): Promise<webcrypto.CryptoKeyPair> {
  const der = x509.PemConverter.decodeFirst(keyPem);
  const privateKey = await webcrypto.subtle.importKey('pkcs8', der, ecdsa, true, ['sign']);
  const { kty, crv, x, y } = await webcrypto.subtle.exportKey('jwk', privateKey);
  const publicKey = await webcrypto.subtle.importKey(
    'jwk',
    { kty: kty ?? 'EC', crv: crv ?? 'P-256', x: x ?? '', y: y ?? '' },
    ecdsa,
    true,
    ['verify'],
  );
  return { privateKey, publicKey };
}

/** 16 random bytes, positive: more than the 64 bits that the CA/Browser Forum asks for. */
function serial(): string {
  const bytes = Buffer.from(webcrypto.getRandomValues(new Uint8Array(16)));
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0);
  return bytes.toString('hex');
}

const pem = (label: string, der: ArrayBuffer): string => x509.PemConverter.encode(der, label).trim() + '\n';
