// A WebSocket client that talks all the time, until the other side ends it. With a server name as third argument it speaks TLS and asks for that name.
import WebSocket from 'ws';
import { report } from './report.mjs';

await report(
  ({ host, port, rest: [authority, path, servername] }) =>
    new Promise((resolve, reject) => {
      const tls = servername === undefined ? {} : { servername, rejectUnauthorized: false };
      const socket = new WebSocket(`${servername === undefined ? 'ws' : 'wss'}://${host}:${port}${path}`, {
        headers: { host: authority },
        ...tls,
      });
      let first;
      let count = 0;
      socket.on('open', () => socket.send('0'));
      socket.on('message', (data) => {
        first ??= data.toString();
        setTimeout(() => socket.readyState === WebSocket.OPEN && socket.send(String((count += 1))), 20);
      });
      socket.on('unexpected-response', (_request, response) => reject(new Error(String(response.statusCode))));
      socket.on('error', (error) => first === undefined && reject(error));
      socket.on('close', () => first !== undefined && resolve({ first, closed: true }));
    }),
);
