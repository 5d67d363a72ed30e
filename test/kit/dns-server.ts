/** A name server for tests: real UDP and TCP on one port of loopback, answers as told, counts what it was asked. Its encoder shares nothing with the product. */
import * as dgram from 'node:dgram';
import { once } from 'node:events';
import * as net from 'node:net';

export type ZoneRecord =
  | { readonly type: 'A' | 'AAAA'; readonly ttl: number; readonly address: string }
  | {
      readonly type: 'SRV';
      readonly ttl: number;
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: string;
    }
  | { readonly type: 'CNAME'; readonly ttl: number; readonly target: string };
/** What is answered about a name: records (of any type; those of the question's and aliases are given), or that there is something wrong. */
export type ZoneEntry = readonly ZoneRecord[] | 'NXDOMAIN' | 'SERVFAIL' | 'silence' | 'nonsense' | 'loop' | 'other id first' | 'lost once';
export interface DnsServer {
  readonly address: string;
  readonly zone: Map<string, ZoneEntry>;
  /** How long the answers about a name are kept back, in milliseconds. */
  readonly late: Map<string, number>;
  /** How often each `<type> <name>` was asked for, by UDP. */
  readonly asked: Map<string, number>;
  readonly byTcp: Map<string, number>;
  close(): Promise<void>;
}

const numbers = { A: 1, CNAME: 5, AAAA: 28, SRV: 33 } as const;

/** `wanted`: the port, where resolvers take no other than 53; 0 for any. */
export async function serveDns(host = '127.0.0.1', wanted = 0): Promise<DnsServer> {
  const zone = new Map<string, ZoneEntry>();
  const asked = new Map<string, number>();
  const byTcp = new Map<string, number>();
  const late = new Map<string, number>();
  const waiting = new Set<NodeJS.Timeout>();
  const answerTo = (query: Buffer, counts: Map<string, number>, limit: number, sendNow: (bytes: Buffer) => void): void => {
    const { name, type, end } = question(query);
    const send = (bytes: Buffer): void => {
      const after = late.get(name.toLowerCase());
      if (after === undefined) sendNow(bytes);
      else waiting.add(setTimeout(() => sendNow(bytes), after));
    };
    const key = `${Object.entries(numbers).find(([, number]) => number === type)?.[0] ?? type} ${name}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    const entry = zone.get(name.toLowerCase()) ?? 'NXDOMAIN';
    const head = (flags: number, answers: number): Buffer => {
      const bytes = Buffer.from(query.subarray(0, end));
      bytes.writeUInt16BE(0x8180 | flags, 2);
      bytes.writeUInt16BE(answers, 6);
      bytes.writeUInt32BE(0, 8);
      return bytes;
    };
    switch (entry) {
      case 'silence':
        return;
      case 'lost once':
        if (counts.get(key) === 1) return;
        return send(Buffer.concat([head(0, 1), record(name, { type: 'A', ttl: 60, address: '192.0.2.1' })]));
      case 'nonsense':
        return send(Buffer.concat([head(0, 1), Buffer.from([0xc0, 0xff, 0, 1])]));
      case 'loop': // a name that points at itself
        return send(Buffer.concat([head(0, 1), Buffer.from([0xc0, end, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 1, 2, 3, 4])]));
      case 'other id first': {
        const forged = Buffer.concat([head(0, 1), record(name, { type: 'A', ttl: 60, address: '203.0.113.66' })]);
        forged.writeUInt16BE((forged.readUInt16BE(0) + 1) & 0xffff, 0);
        send(forged);
        return send(Buffer.concat([head(0, 1), record(name, { type: 'A', ttl: 60, address: '192.0.2.1' })]));
      }
      case 'NXDOMAIN':
        return send(head(3, 0));
      case 'SERVFAIL':
        return send(head(2, 0));
      default: {
        const chain: Buffer[] = [];
        let owner = name;
        for (let records: readonly ZoneRecord[] = entry; ;) {
          const alias = records.find((one) => one.type === 'CNAME');
          if (alias?.type !== 'CNAME') {
            for (const one of records) if (numbers[one.type] === type) chain.push(record(owner, one));
            break;
          }
          chain.push(record(owner, alias));
          owner = alias.target;
          const next = zone.get(owner) ?? [];
          records = typeof next === 'string' ? [] : next;
        }
        const whole = Buffer.concat([head(0, chain.length), ...chain]);
        return send(whole.length > limit ? head(0x0200, 0) : whole);
      }
    }
  };
  const tcp = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (bytes) =>
      answerTo(bytes.subarray(2), byTcp, 65_535, (answer) => {
        const length = Buffer.alloc(2);
        length.writeUInt16BE(answer.length, 0);
        socket.write(length);
        socket.end(answer);
      }),
    );
  });
  const { udp, port } = await onePort(tcp, host, wanted);
  udp.on('message', (query, from) => answerTo(query, asked, 512, (bytes) => udp.send(bytes, from.port, from.address)));
  return {
    address: `${host}:${port}`,
    ...{ zone, late },
    asked,
    byTcp,
    async close() {
      for (const timer of waiting) clearTimeout(timer);
      await Promise.all([
        new Promise<void>((resolve) => udp.close(() => resolve())),
        new Promise<void>((resolve) => void tcp.close(() => resolve())),
      ]);
    },
  };
}

/** One number for both protocols: what is free for one may be taken for the other, by anybody on this machine, so another is tried. */
async function onePort(tcp: net.Server, host: string, wanted: number): Promise<{ readonly udp: dgram.Socket; readonly port: number }> {
  for (let tries = 0; ; tries++) {
    const udp = dgram.createSocket('udp4');
    udp.bind(wanted, host);
    await once(udp, 'listening');
    const { port } = udp.address();
    try {
      tcp.listen(port, host);
      await once(tcp, 'listening');
      return { udp, port };
    } catch (error) {
      udp.close();
      if (tries === 20) throw error;
    }
  }
}

function question(query: Buffer): { readonly name: string; readonly type: number; readonly end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let size = query.readUInt8(at); size > 0; size = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + size));
    at += size + 1;
  }
  return { name: labels.join('.'), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function wireName(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '');
  return Buffer.concat([...labels.map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1')), Buffer.from([0])]);
}

function record(owner: string, one: ZoneRecord): Buffer {
  const data = ((): Buffer => {
    switch (one.type) {
      case 'A':
        return Buffer.from(one.address.split('.').map(Number));
      case 'AAAA':
        return Buffer.from(
          one.address
            .split(':')
            .map((group) => group.padStart(4, '0'))
            .join(''),
          'hex',
        );
      case 'CNAME':
        return wireName(one.target);
      case 'SRV': {
        const numbersOf = Buffer.alloc(6);
        numbersOf.writeUInt16BE(one.priority, 0);
        numbersOf.writeUInt16BE(one.weight, 2);
        numbersOf.writeUInt16BE(one.port, 4);
        return Buffer.concat([numbersOf, wireName(one.target)]);
      }
    }
  })();
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(numbers[one.type], 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(one.ttl, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([wireName(owner), fixed, data]);
}
