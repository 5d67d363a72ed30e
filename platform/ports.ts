import { randomInt } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as net from 'node:net';

/** Below it are well-known services of hosts. */
const lowest = 10_240;
/** Fewer than these outside of the kernel's range, and the kernel is asked instead. */
const enough = 2_000;
/** What this process was given lately: two callers that have not listened yet get different ports. */
const given = new Set<number>();
const remembered = 1_000;

/**
 * `count` ports of `host` that are free now, all different, and that no outgoing connection takes before they are listened at: they lie below the range
 * from which the kernel takes the ports of outgoing connections (Linux: `net.ipv4.ip_local_port_range`).
 */
export async function freePorts(count: number, host = '127.0.0.1'): Promise<readonly number[]> {
  const below = await ephemeralFrom();
  if (below - lowest < enough) return fromKernel(count, host);
  const found: number[] = [];
  for (let tries = 0; found.length < count; tries += 1) {
    if (tries > 100 * (count + 1)) return fromKernel(count, host);
    const port = randomInt(lowest, below);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port, host)) found.push(port);
  }
  for (const port of given) if (given.size > remembered) given.delete(port); // the oldest first
  return found;
}

async function ephemeralFrom(): Promise<number> {
  const range = await fs.readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').catch(() => '32768 60999');
  return Number(range.trim().split(/\s+/)[0]);
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    // that the host is not ours is no question of the port
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' || error.code === 'EACCES' ? resolve(false) : reject(error),
    );
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

/** Held until the last is known, so that all are different. */
async function fromKernel(count: number, host: string): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = net.createServer();
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, host, resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('internal: a TCP server without a port');
    return address.port;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
