/** Ports for listeners that come and go during a test: outside of the range that the kernel takes outgoing connections' ports from. */
import { randomInt } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as net from 'node:net';

const lowest = 10_240;

/** `count` loopback ports that are free now and that no outgoing connection will take meanwhile; all different. */
export async function quietPorts(count: number): Promise<readonly number[]> {
  const range = await fs.readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').catch(() => '32768 60999');
  const below = Number(range.trim().split(/\s+/)[0]);
  const found = new Set<number>();
  for (let tries = 0; found.size < count; tries += 1) {
    if (tries > 100 * (count + 1)) throw new Error('no free ports outside of the ephemeral range');
    const port = randomInt(lowest, below);
    if (!found.has(port) && (await isFree(port))) found.add(port);
  }
  return [...found];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
