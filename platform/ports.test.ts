import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as net from 'node:net';
import { freePorts, reservePort } from './ports';

test('ports are free, all different, also between callers that have not listened yet', async () => {
  const ports = (await Promise.all([freePorts(20), freePorts(20), freePorts(20)])).flat();
  expect(new Set(ports).size).toBe(60);
  const servers = await Promise.all(
    ports.map(
      (port) =>
        new Promise<net.Server>((resolve, reject) => {
          const server = net.createServer();
          server.once('error', reject).listen(port, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
});

const onLinux = process.platform === 'linux' ? test : test.skip;
onLinux('what another process has reserved and does not listen at yet is not given, until that process ends', async () => {
  const [port = 0] = await freePorts(1); // held by this process
  const script = `const server = require('node:net').createServer();
    server.once('error', (error) => console.log(error.code)).listen('\\0meshwright-port-' + process.argv[1], () => console.log('held'));`;
  const other = (wanted: number): ChildProcess =>
    spawn(process.execPath, ['-e', script, String(wanted)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const said = async (child: ChildProcess): Promise<string> => String((await once(child.stdout ?? child, 'data'))[0]).trim();
  expect(await said(other(port))).toBe('EADDRINUSE');

  const theirs = 10_239; // below what is ever given
  const holder = other(theirs);
  expect(await said(holder)).toBe('held');
  expect(await reservePort(theirs)).toBe(false);
  const ended = once(holder, 'exit');
  holder.kill('SIGKILL');
  await ended;
  expect(await reservePort(theirs)).toBe(true);
});

test('a host that is not of this machine is an error, not a search without end', async () => {
  await expect(freePorts(1, '203.0.113.9')).rejects.toThrow('EADDRNOTAVAIL');
});
