/** A client's connection: from an address of its own, behind a balancer that says whose it is, in the clear or with TLS. */
import { once } from 'node:events';
import * as net from 'node:net';
import * as tls from 'node:tls';
import type { Address } from '../../runtime-proxy/inventory';

export interface DialOptions {
  /** Absent: in the clear. null: TLS that names no server. */
  readonly sni?: string | null;
  readonly alpn?: readonly string[];
  readonly localAddress?: string;
  /** Sent before anything else. */
  readonly preface?: Buffer;
  /** What the client shows where it is asked. */
  readonly certificate?: { readonly key: string; readonly chain: string } | undefined;
}

/** Rejects where no TCP connection comes about; TLS may not be there yet. */
export async function dial(to: Address, { sni, alpn, localAddress, preface, certificate }: DialOptions): Promise<net.Socket> {
  const plain = net.connect({ host: to.host, port: to.port, ...(localAddress === undefined ? {} : { localAddress }) });
  await once(plain, 'connect');
  if (preface) plain.write(preface);
  if (sni === undefined) return plain;
  return tls.connect({
    socket: plain,
    rejectUnauthorized: false,
    ...(sni === null ? {} : { servername: sni }),
    ...(alpn ? { ALPNProtocols: [...alpn] } : {}),
    ...(certificate ? { key: certificate.key, cert: certificate.chain } : {}),
  });
}

/** What a balancer says of a connection that it makes for somebody (HAProxy: "The PROXY protocol"). */
export type ProxyHeader = 'v1' | 'v2' | 'local' | 'unknown';
/** `local` and `unknown` say nothing of whose it is: the connection's own address counts. */
export function proxyHeader(kind: ProxyHeader, address: string): Buffer {
  const isSix = address.includes(':');
  switch (kind) {
    case 'v1':
      return Buffer.from(`PROXY ${isSix ? 'TCP6' : 'TCP4'} ${address} ${isSix ? '::1' : '127.0.0.1'} 40000 80\r\n`);
    case 'unknown':
      return Buffer.from('PROXY UNKNOWN\r\n');
    case 'v2': {
      const ends = [...bytesOf(address), ...bytesOf(isSix ? '::1' : '127.0.0.1'), 0x9c, 0x40, 0, 80];
      return Buffer.from([...signature, 0x21, isSix ? 0x21 : 0x11, 0, ends.length, ...ends]);
    }
    case 'local':
      return Buffer.from([...signature, 0x20, 0, 0, 0]);
  }
}
const signature = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];

/** An address of either family; `::ffff:127.0.0.1` is one of IPv6. */
function bytesOf(address: string): readonly number[] {
  if (!address.includes(':')) return address.split('.').map(Number);
  const four = /:([0-9.]+)$/.exec(address)?.[1];
  const hex =
    four?.includes('.') === true
      ? `${address.slice(0, -four.length)}${[0, 2]
          .map((at) =>
            bytesOf(four)
              .slice(at, at + 2)
              .reduce((sum, byte) => 256 * sum + byte, 0)
              .toString(16),
          )
          .join(':')}`
      : address;
  const [head = [], tail = []] = hex.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const groups = [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => '0'), ...tail].map((group) =>
    Number.parseInt(group, 16),
  );
  return groups.flatMap((group) => [group >> 8, group & 0xff]);
}
