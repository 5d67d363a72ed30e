/**
 * SSH signatures (`-----BEGIN SSH SIGNATURE-----`), parsed and verified strictly. Ed25519, ECDSA on the NIST curves and RSA with SHA-2.
 * @see https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.sshsig
 */
import { createHash, createPublicKey, verify, type KeyObject } from 'node:crypto';

export interface SshSignature {
  /** The public key's wire form, as in `authorized_keys` (base64). */
  readonly publicKey: string;
  readonly keyType: string;
  /** `SHA256:...`, as ssh-keygen shows it. */
  readonly fingerprint: string;
  readonly namespace: string;
}
export class BadSignature extends Error {}

const maxLength = 16_384;
const curves: { readonly [type: string]: { readonly name: string; readonly hash: string; readonly size: number } } = {
  'ecdsa-sha2-nistp256': { name: 'P-256', hash: 'sha256', size: 32 },
  'ecdsa-sha2-nistp384': { name: 'P-384', hash: 'sha384', size: 48 },
  'ecdsa-sha2-nistp521': { name: 'P-521', hash: 'sha512', size: 66 },
};

/** Verifies an armoured signature over a message in a namespace (`git`). Whether its key may sign is for the caller to say. Throws `BadSignature`. */
export function verifySshSignature(armoured: string, message: Uint8Array, namespace: string): SshSignature {
  const blob = new Reader(unarmour(armoured));
  if (blob.take(6).toString('latin1') !== 'SSHSIG') throw new BadSignature('it is not an SSH signature');
  if (blob.number() !== 1) throw new BadSignature('its version is not 1');
  const publicKey = blob.text();
  const actualNamespace = blob.text().toString('latin1');
  const reserved = blob.text();
  const hash = blob.text().toString('latin1');
  const signature = new Reader(blob.text());
  blob.end();
  if (actualNamespace !== namespace) throw new BadSignature(`it is for \`${printable(actualNamespace)}\`, not for \`${namespace}\``);
  if (hash !== 'sha256' && hash !== 'sha512') throw new BadSignature(`its hash \`${printable(hash)}\` is not known`);
  const algorithm = signature.text().toString('latin1');
  const bytes = signature.text();
  signature.end();

  const signed = Buffer.concat([
    Buffer.from('SSHSIG'),
    framed(Buffer.from(namespace)),
    framed(reserved),
    framed(Buffer.from(hash)),
    framed(createHash(hash).update(message).digest()),
  ]);
  const { key, type } = readKey(publicKey);
  if (!good(key, type, algorithm, signed, bytes)) throw new BadSignature('it does not match the content');
  return {
    publicKey: publicKey.toString('base64'),
    keyType: type,
    fingerprint: `SHA256:${createHash('sha256').update(publicKey).digest('base64').replace(/=+$/, '')}`,
    namespace,
  };
}

function good(key: KeyObject, type: string, algorithm: string, signed: Buffer, bytes: Buffer): boolean {
  if (type === 'ssh-ed25519') return algorithm === type && bytes.length === 64 && verify(null, signed, key, bytes);
  const curve = curves[type];
  if (curve) {
    if (algorithm !== type) return false;
    const halves = new Reader(bytes);
    const raw = Buffer.concat([padded(halves.text(), curve.size), padded(halves.text(), curve.size)]);
    halves.end();
    return verify(curve.hash, signed, { key, dsaEncoding: 'ieee-p1363' }, raw);
  }
  if (algorithm === 'rsa-sha2-512') return verify('sha512', signed, key, bytes);
  return algorithm === 'rsa-sha2-256' && verify('sha256', signed, key, bytes);
}

function readKey(wire: Buffer): { readonly key: KeyObject; readonly type: string } {
  const reader = new Reader(wire);
  const type = reader.text().toString('latin1');
  const jwk = keyParts(type, reader);
  reader.end();
  try {
    return { type, key: createPublicKey({ format: 'jwk', key: jwk }) };
  } catch {
    throw new BadSignature('its key is not a valid one');
  }
}

function keyParts(type: string, reader: Reader): { [field: string]: string } {
  const encode = (bytes: Buffer): string => bytes.toString('base64url');
  if (type === 'ssh-ed25519') return { kty: 'OKP', crv: 'Ed25519', x: encode(reader.text()) };
  const curve = curves[type];
  if (curve) {
    reader.text();
    const point = reader.text();
    if (point.length !== 1 + 2 * curve.size || point[0] !== 4) throw new BadSignature('its key is not a valid one');
    return { kty: 'EC', crv: curve.name, x: encode(point.subarray(1, 1 + curve.size)), y: encode(point.subarray(1 + curve.size)) };
  }
  if (type !== 'ssh-rsa') throw new BadSignature(`keys of type \`${printable(type)}\` are not accepted`);
  const e = reader.text();
  const n = reader.text();
  if (n.length < 256) throw new BadSignature('its RSA key is shorter than 2048 bits');
  return { kty: 'RSA', e: encode(e), n: encode(n[0] === 0 ? n.subarray(1) : n) };
}

function unarmour(text: string): Buffer {
  const body = /^-----BEGIN SSH SIGNATURE-----\n((?:[A-Za-z0-9+/=]{1,100}\n)+)-----END SSH SIGNATURE-----\n?$/.exec(
    text.slice(0, maxLength),
  )?.[1];
  if (body === undefined) throw new BadSignature('it is not an SSH signature in its usual armour');
  return Buffer.from(body.replaceAll('\n', ''), 'base64');
}

const framed = (bytes: Buffer): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};
function padded(number: Buffer, size: number): Buffer {
  const bare = number[0] === 0 ? number.subarray(1) : number;
  if (bare.length > size) throw new BadSignature('it is not of the known form');
  return Buffer.concat([Buffer.alloc(size - bare.length), bare]);
}
const printable = (text: string): string => text.replace(/[^\x21-\x7e]/g, '?').slice(0, 40);

/** Reads the wire form: lengths are checked against what is there. */
class Reader {
  private at = 0;

  constructor(private readonly bytes: Buffer) {}

  take(count: number): Buffer {
    if (count > this.bytes.length - this.at) throw new BadSignature('it ends too early');
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  number(): number {
    return this.take(4).readUInt32BE();
  }

  text(): Buffer {
    return this.take(this.number());
  }

  end(): void {
    if (this.at !== this.bytes.length) throw new BadSignature('it goes on where it should end');
  }
}
