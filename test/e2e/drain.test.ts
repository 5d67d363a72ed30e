/** An agent that is told to end: work that is open goes on until it is done, connections that are not HTTP too, and no longer than the drain may take. */
import * as net from 'node:net';
import type { DeclarationValue } from '../../core/declarations/declaration';
import { emitEnvoy } from '../../compiler/emit/envoy';
import { allow, named, service, workload } from '../kit/declarations';
import { lowered, port } from '../kit/layered-mesh';
import { present } from '../kit/present';
import { runMesh, type RunningMesh } from '../kit/running-mesh';

jest.setTimeout(300_000);
const declarations: { readonly [id: string]: DeclarationValue } = {
  'books/app': workload('books/bookinfo', 'app'),
  'books/echo': service('books/bookinfo', 'echo', { ports: { web: { protocol: 'tcp', number: 9000 } } }),
  'books/echoUse': allow('books/echo', [named('books/app')]),
};
let mesh: RunningMesh;
const clients: Client[] = [];
async function start(drainMs: number): Promise<void> {
  const ir = lowered(declarations);
  const { value } = emitEnvoy(ir);
  const principal = (name: string): string => `spiffe://${ir.trustDomain}/ns/bookinfo/sa/sa-${name}`;
  mesh = await runMesh(
    [
      { id: 'app-1', workload: 'bookinfo/app', principal: principal('app'), ports: [], outboundPorts: [port('echo')] },
      { id: 'echo-1', workload: 'bookinfo/echo', principal: principal('echo'), ports: ['web'] },
    ],
    {
      trustDomain: ir.trustDomain,
      agent: { drainMs },
      application: () => net.createServer((socket) => void socket.on('error', () => undefined).pipe(socket)),
    },
  );
  await Promise.all(['app-1', 'echo-1'].map((id) => mesh.startAgent(id)));
  expect((await mesh.release([...present(value).services, ...present(value).proxies])).status).toBe(202);
  await mesh.until('converged', ({ state }) => state === 'converged');
}
afterEach(async () => {
  for (const client of clients.splice(0)) client.end();
  await mesh?.stop();
});

interface Client {
  /** The echo of a line; '' when the connection was closed. */
  say(line: string): Promise<string>;
  end(): void;
}
function connect(): Client {
  const at = present(present(mesh.inventory.instances.find(({ id }) => id === 'app-1')).outboundPorts?.[port('echo')]);
  const socket = net.connect(at);
  let closed = false;
  let hear: (line: string) => void = () => undefined;
  socket.on('data', (chunk) => hear(chunk.toString()));
  socket.on('error', () => undefined);
  socket.on('close', () => ((closed = true), hear('')));
  const client: Client = {
    say: (line) =>
      new Promise((resolve) => {
        if (closed) return resolve('');
        hear = resolve;
        socket.write(line);
      }),
    end: () => socket.end(),
  };
  clients.push(client);
  return client;
}
test.each(['echo-1', 'app-1'])(
  '%s: a connection that is open goes on while its proxy drains, and the proxy ends when it has ended',
  async (id) => {
    await start(600_000); // the test does not wait for that
    const client = connect();
    expect(await client.say('one')).toBe('one');
    let over = false;
    const closing = present(mesh.agents.get(id))
      .close()
      .then(() => (over = true));
    // for longer than an agent takes that has nothing to wait for
    for (let turn = 0; turn < 30; turn += 1) {
      expect([await client.say(`${turn}`), over]).toEqual([`${turn}`, false]);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    client.end();
    await closing;
  },
);
test('an Envoy that is too busy to say what is open is waited for, and an open connection with it', async () => {
  await start(600_000); // the test does not wait for that
  const client = connect();
  expect(await client.say('one')).toBe('one');
  const agent = present(mesh.agents.get('echo-1'));
  const pid = present(agent.envoyPid());
  let over = false;
  const closing = agent.close().then(() => (over = true));
  process.kill(pid, 'SIGSTOP');
  // for longer than an agent waits for an answer of its Envoy, drained or not
  await new Promise((resolve) => setTimeout(resolve, 15_000));
  process.kill(pid, 'SIGCONT');
  expect([await client.say('two'), over]).toEqual(['two', false]);
  client.end();
  await closing;
});
test('one that does not end is closed when the time is over', async () => {
  await start(1_000);
  const client = connect();
  expect(await client.say('one')).toBe('one');
  await present(mesh.agents.get('echo-1')).close();
  expect(await client.say('two')).toBe('');
});
