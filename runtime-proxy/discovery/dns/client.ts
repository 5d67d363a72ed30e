/** One question to name servers: by UDP, put again when it may have got lost, by TCP when the answer is too long for that, to the next server when one does not say. */
import { randomInt } from 'node:crypto';
import * as dgram from 'node:dgram';
import { isIP, connect } from 'node:net';
import { reasonOf } from '../../../core/lib/reason';
import { BadMessage, decodeResponse, encodeQuery, type DnsResponse, type RecordType } from './message';

export interface NameServer {
  /** An IP address. */
  readonly host: string;
  readonly port: number;
}
export type DnsAnswer = Exclude<DnsResponse, { readonly kind: 'truncated' }>;
/** Asks; never rejects. */
export type Ask = (name: string, type: RecordType) => Promise<DnsAnswer>;

/**
 * Thousands of names come due together, and who answers for one may name dozens of others: put at once, most of the questions get lost at the name server, and
 * each has a socket here. So many are under way; one that is not answered soon makes way for the next, so that silence holds up nobody for long.
 */
const pace = { atOnce: 64, soonMs: 250 } as const;

/** Asks `servers` in turn, each for at most `timeoutMs`. The first that says something, even that there is nothing, is believed. */
export function asker(servers: readonly NameServer[], timeoutMs: number): Ask {
  const turns = new Turns(pace.atOnce);
  return async (name, type) => {
    const end = await turns.take();
    const soon = setTimeout(end, pace.soonMs);
    try {
      return await askEach(servers, name, type, timeoutMs);
    } finally {
      clearTimeout(soon);
      end();
    }
  };
}

/** Lets so many go; the others wait, first come, first served. */
class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];
  constructor(most: number) {
    this.#free = most;
  }
  /** Resolves when it is its turn, with what ends that; once counts. */
  async take(): Promise<() => void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    };
  }
}

async function askEach(servers: readonly NameServer[], name: string, type: RecordType, timeoutMs: number): Promise<DnsAnswer> {
  const failures: string[] = [];
  for (const server of servers) {
    const said = await askOne(server, name, type, timeoutMs);
    if (said.kind !== 'failed') return said;
    failures.push(`${server.host}: ${said.why}`);
  }
  return { kind: 'failed', why: failures.length > 0 ? failures.join('; ') : 'there is no name server to ask' };
}

async function askOne(server: NameServer, name: string, type: RecordType, timeoutMs: number): Promise<DnsAnswer> {
  try {
    const first = await byUdp(server, name, type, timeoutMs);
    if (first.kind !== 'truncated') return first;
    const second = await byTcp(server, name, type, timeoutMs);
    return second.kind === 'truncated' ? { kind: 'failed', why: 'it is truncated by TCP too' } : second;
  } catch (error) {
    return { kind: 'failed', why: reasonOf(error) };
  }
}

/** A port of its own for each question, and only packets of that server: whoever else would answer has to guess port and id. */
function byUdp(server: NameServer, name: string, type: RecordType, timeoutMs: number): Promise<DnsResponse> {
  const id = randomInt(0x1_0000);
  const socket = dgram.createSocket(isIP(server.host) === 6 ? 'udp6' : 'udp4');
  return new Promise<DnsResponse>((resolve, reject) => {
    const put = (): void => socket.send(encodeQuery(id, name, type));
    const timer = setTimeout(() => reject(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
    let again: NodeJS.Timeout | undefined;
    socket.once('close', () => (clearTimeout(timer), clearTimeout(again)));
    socket.on('error', reject);
    socket.on('message', (bytes) => {
      try {
        resolve(decodeResponse(bytes, id, name, type));
      } catch (error) {
        // A packet that is no answer to this is not believed; the answer may still come.
        if (!(error instanceof BadMessage)) reject(error);
      }
    });
    // Told as an event where there is no callback: a server to which there is no way (a family that the machine has no route for) is one that does not answer.
    socket.once('connect', () => {
      put();
      // Datagrams get lost, the question or its answer.
      again = setTimeout(put, timeoutMs / 2);
    });
    socket.connect(server.port, server.host);
  }).finally(() => socket.close());
}

/** RFC 1035 section 4.2.2: two bytes of length before the message. */
function byTcp(server: NameServer, name: string, type: RecordType, timeoutMs: number): Promise<DnsResponse> {
  const id = randomInt(0x1_0000);
  const socket = connect(server.port, server.host);
  return new Promise<DnsResponse>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer by TCP in ${timeoutMs} ms`)), timeoutMs);
    let heard = Buffer.alloc(0);
    socket.once('close', () => {
      clearTimeout(timer);
      reject(new Error('it closed the connection without an answer'));
    });
    socket.on('error', reject);
    socket.on('data', (bytes: Buffer) => {
      heard = Buffer.concat([heard, bytes]);
      if (heard.length < 2 || heard.length < 2 + heard.readUInt16BE(0)) return;
      try {
        resolve(decodeResponse(heard.subarray(2, 2 + heard.readUInt16BE(0)), id, name, type));
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
    socket.once('connect', () => {
      const query = encodeQuery(id, name, type);
      const length = Buffer.alloc(2);
      length.writeUInt16BE(query.length, 0);
      socket.write(Buffer.concat([length, query]));
    });
  }).finally(() => socket.destroy());
}
