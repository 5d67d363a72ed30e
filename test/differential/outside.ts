/** The servers outside the mesh: one for each port that somebody else has, in the clear or with TLS, which say what came as the applications do. */
import * as fs from 'node:fs/promises';
import type * as net from 'node:net';
import type { AddressInfo } from 'node:net';
import * as path from 'node:path';
import * as tls from 'node:tls';
import type { EmittedEnvoy } from '../../compiler/emit/envoy';
import type { Json, JsonObject } from '../../core/lib/json';
import { isIpAddress } from '../../core/mesh/ip-address';
import { testAuthority } from '../kit/certificates';
import { type Arrival, echoApplication, lineApplication } from '../kit/echo-application';
import { outsideTrust, strangers } from '../kit/mesh-generator-outside';

export interface Outside {
  /** What was emitted, with the servers of this run where policies say the numbers of ports outside. */
  found(emitted: EmittedEnvoy): EmittedEnvoy;
  close(): void;
}

/** `folder`: where agents look for the authorities that verify the servers. */
export async function serveOutside(folder: string, note: (arrival: Arrival) => void): Promise<Outside> {
  const authority = await testAuthority('outside.example');
  await fs.mkdir(path.join(folder, outsideTrust), { recursive: true });
  await fs.writeFile(path.join(folder, outsideTrust, 'ca.crt'), authority.trust);
  const servers: net.Server[] = [];
  const sockets = new Set<net.Socket>();
  /** By `host:number` as policies have them. */
  const listening = new Map<string, number>();
  const listen = async (server: net.Server): Promise<number> => {
    server.on('connection', (socket: net.Socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
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
    found: ({ services, proxies }) => ({ services: all(services), proxies: all(proxies) }),
    close() {
      for (const socket of sockets) socket.destroy();
      for (const server of servers) server.close();
    },
  };
}
