// A WebSocket client that talks all the time, until the other side ends it; where that is before a word came back, it dials again. With a server name as
// third argument it speaks TLS and asks for that name.
import WebSocket from 'ws';
import { report } from './report.mjs';

const dial = ({ host, port, rest: [authority, path, servername] }) =>
  new Promise((resolve, reject) => {
    const tls = servername === undefined ? {} : { servername, rejectUnauthorized: false };
    const socket = new WebSocket(`${servername === undefined ? 'ws' : 'wss'}://${host}:${port}${path}`, {
      headers: { host: authority },
      ...tls,
    });
    let first;
    let count = 0;
    let isOpen = false;
    socket.on('open', () => {
      isOpen = true;
      socket.send('0');
    });
    socket.on('message', (data) => {
      first ??= data.toString();
      setTimeout(() => socket.readyState === WebSocket.OPEN && socket.send(String((count += 1))), 20);
    });
    socket.on('unexpected-response', (_request, response) => reject(new Error(String(response.statusCode))));
    socket.on('error', (error) => isOpen || reject(error));
    socket.on('close', () => isOpen && resolve(first === undefined ? null : { first, closed: true }));
  });

await report(async (where) => {
  for (;;) {
    const talked = await dial(where);
    if (talked !== null) return talked;
  }
});
