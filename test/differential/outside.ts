/** The servers outside the mesh: one for each port that somebody else has, in the clear or with TLS, which say what came as the applications do. */
import * as fs from 'node:fs/promises';
import type * as net from 'node:net';
import type { AddressInfo } from 'node:net';
import * as path from 'node:path';
import * as tls from 'node:tls';
import type { EmittedEnvoy } from '../../compiler/emit/envoy';
import type { Json, JsonObject } from '../../core/lib/json';
import { isIpAddress } from '../../core/mesh/ip-address';
import { testAuthority, type TestAuthority } from '../kit/certificates';
import { type DnsServer, serveDns } from '../kit/dns-server';
import { type Arrival, echoApplication, lineApplication } from '../kit/echo-application';
import { lostNames, outsideTrust, servedNames, strangers, wildDomain, wildNumber } from '../kit/mesh-generator-outside';

export interface Outside {
  /** What was emitted, with the servers of this run where policies say the numbers of ports outside. */
  found(emitted: EmittedEnvoy): EmittedEnvoy;
  /** The name server that knows where all hosts are: `host:port`. */
  readonly names: string;
  close(): Promise<void>;
}

/** `folder`: where agents look for the authorities that verify the servers. */
export async function serveOutside(folder: string, loopback: string, note: (arrival: Arrival) => void): Promise<Outside> {
  const authority = await testAuthority('outside.example');
  await fs.mkdir(path.join(folder, outsideTrust), { recursive: true });
  await fs.writeFile(path.join(folder, outsideTrust, 'ca.crt'), authority.trust);
  const servers: net.Server[] = [];
  const sockets = new Set<net.Socket>();
  /** By `host:number` as policies have them. */
  const listening = new Map<string, number>();
  const listen = async (server: net.Server, host = '127.0.0.1', number = 0): Promise<number> => {
    server.on('connection', (socket: net.Socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(number, host, resolve));
    servers.push(server);
    return (server.address() as AddressInfo).port; // decoding: it listens by TCP
  };
  for (const { key, hosts, ports } of strangers) {
    const { key: privateKey, chain } = await authority.serving(hosts);
    for (const [port, [protocol, number]] of Object.entries(ports)) {
      if (protocol === 'tls' || protocol === 'tcp') {
        const own = protocol === 'tls' ? { key: privateKey, chain } : null;
        // what is said in a connection nobody reads, so each host has a server that says its name
        for (const host of hosts) listening.set(`${host}:${number}`, await listen(lineApplication(`${key}/${port} ${host}`, own)));
        continue;
      }
      const application = echoApplication({ instance: key, port }, note);
      const server = protocol.endsWith('s')
        ? tls
            .createServer({ key: privateKey, cert: chain, ALPNProtocols: [protocol === 'grpcs' ? 'h2' : 'http/1.1'] }, (socket) => {
              application.emit('connection', socket);
            })
            .on('tlsClientError', () => undefined)
        : application;
      const actual = await listen(server);
      for (const host of hosts) listening.set(`${host}:${number}`, actual);
    }
  }
  const names = await serveWild(authority, listen, loopback, note);
  const found = (value: Json): Json => {
    if (Array.isArray(value)) return value.map(found);
    if (typeof value !== 'object' || value === null) return value;
    const { address, portValue } = value as JsonObject; // no list
    const actual = typeof address === 'string' ? listening.get(`${address}:${String(portValue)}`) : undefined;
    // a name leads here by itself
    if (actual !== undefined) return { ...value, portValue: actual, ...(isIpAddress(String(address)) ? { address: '127.0.0.1' } : {}) };
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, found(inner)]));
  };
  const all = <T extends object>(objects: readonly T[]): readonly T[] =>
    objects.map((one) => found(one as unknown as Json) as unknown as T); // JSON stays what it was
  return {
    names: names.address,
    found: ({ services, proxies }) => ({ services: all(services), proxies: all(proxies) }),
    async close() {
      for (const socket of sockets) socket.destroy();
      for (const server of servers) server.close();
      await names.close();
    },
  };
}

/** One server for all names under the domain of wildcards, and who says where these names and all others lead. */
async function serveWild(
  authority: TestAuthority,
  listen: (server: net.Server, host: string, number: number) => Promise<number>,
  loopback: string,
  note: (arrival: Arrival) => void,
): Promise<DnsServer> {
  const application = echoApplication({ instance: wildDomain, port: 'secure' }, note);
  const { key, chain } = await authority.serving([...servedNames, lostNames.strayed]);
  for (const host of [loopback, astray])
    await listen(
      tls
        .createServer({ key, cert: chain, ALPNProtocols: ['http/1.1'] }, (socket) => void application.emit('connection', socket))
        .on('tlsClientError', () => undefined),
      host,
      wildNumber,
    );
  const names = await serveDns(loopback);
  const leads = (name: string, address: string): void => void names.zone.set(name, [{ type: 'A', ttl: 60, address }]);
  for (const name of [...servedNames, lostNames.forged]) leads(name, loopback);
  leads(lostNames.strayed, astray);
  for (const host of strangers.flatMap(({ hosts }) => hosts)) if (!isIpAddress(host)) leads(host, '127.0.0.1');
  return names;
}
/** In none of the networks that the names may lead to, and this process' own as far as it can be. */
const astray = `127.${128 + ((process.pid >> 16) % 64)}.${(process.pid >> 8) & 0xff}.${process.pid & 0xff || 1}`;
