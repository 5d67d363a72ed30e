import { randomInt } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as net from 'node:net';

/** Below it are well-known services of hosts. */
const lowest = 10_240;
/** Fewer than these outside of the kernel's range, and the kernel is asked instead. */
const enough = 2_000;
/** What this process was given lately, the oldest first: two callers that have not listened yet get different ports. */
const given = new Set<number>();
const remembered = 1_000;
/** Within it a port is listened at, and again by a server that is started anew, in milliseconds; so long no other process on this machine is given it. */
const reservedMs = 1_800_000;

/**
 * `count` ports of `host` that are free now, all different, and that no outgoing connection takes before they are listened at: they lie below the range
 * from which the kernel takes the ports of outgoing connections (Linux: `net.ipv4.ip_local_port_range`). On Linux, no other process that asks here is
 * given the same before this one ends, or half an hour has passed.
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
    if ((await reservePort(port)) && (await isFree(port, host))) found.push(port);
  }
  for (const port of given) if (given.size > remembered) given.delete(port); // the oldest first
  return found;
}

async function ephemeralFrom(): Promise<number> {
  const range = await fs.readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').catch(() => '32768 60999');
  return Number(range.trim().split(/\s+/)[0]);
}

/**
 * Reserves a port, which nobody needs to listen at yet: false when another process has it reserved. A reservation is a name in Linux's abstract socket
 * namespace: one process has it, it ends with that process at the latest, leaves no file, and belongs to the same network namespace as the port.
 */
export function reservePort(port: number): Promise<boolean> {
  if (process.platform !== 'linux') return Promise.resolve(true);
  return new Promise((resolve) => {
    const held = net.createServer((caller) => caller.destroy());
    // where such a name cannot be had for another reason, ports are found without
    held.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'EADDRINUSE'));
    held.listen(`\0meshwright-port-${port}`, () => {
      held.unref();
      setTimeout(() => held.close(), reservedMs).unref();
      resolve(true);
    });
  });
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
