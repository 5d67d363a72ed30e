import * as fs from 'node:fs/promises';
import * as http from 'node:http';
import * as path from 'node:path';
import { temporaryFolder } from '../../platform/files';
import { envoyAdmin } from './envoy-admin';

let folder: string;
let server: http.Server;
/** What the admin interface answers, by path without the query. */
let answers: { readonly [path: string]: unknown };
beforeAll(async () => {
  folder = await temporaryFolder('admin');
  server = http.createServer((request, response) => void response.end(JSON.stringify(answers[(request.url ?? '').split('?')[0] ?? ''])));
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path.join(folder, 'admin.sock'), resolve));
});
afterAll(async () => {
  server.close();
  await fs.rm(folder, { recursive: true, force: true });
});
const admin = () => envoyAdmin(path.join(folder, 'admin.sock'));

const manager = { typed_config: { '@type': 'type.googleapis.com/envoy.x.v3.HttpConnectionManager' } };
const tcp = { typed_config: { '@type': 'type.googleapis.com/envoy.x.v3.TcpProxy' } };
const listener = (name: string, port: number, ...chains: readonly object[]) => ({
  active_state: { listener: { name, address: { socket_address: { address: '127.0.0.1', port_value: port } }, filter_chains: chains } },
});
const doors = async (...listeners: readonly object[]): Promise<readonly number[]> => {
  answers = { '/config_dump': { configs: listeners } };
  return (await admin().doors()).map(({ port }) => port);
};

test('doors are where a handshake reaches no application', async () => {
  expect(
    await doors(
      listener('inbound/shop/db.pg', 1, { filters: [tcp], transport_socket: {} }),
      listener('capture/inbound', 2, { filters: [tcp] }),
      listener('gateway/https', 3, { filters: [manager], transport_socket: {} }),
      listener('gateway/http', 4, { filters: [manager] }),
      listener('gateway/passed', 5, { filters: [tcp], filter_chain_match: { server_names: ['a.example'] } }),
      listener('gateway/tcp', 6, { filters: [tcp] }),
      listener('outbound/shop/db.pg', 7, { filters: [tcp] }),
      listener('outbound', 8, { filters: [manager] }),
    ),
  ).toEqual([1, 2, 3, 4, 5]);
});
test('who only calls has the door of its application; one that opens connections has none', async () => {
  expect(await doors(listener('outbound/shop/db.pg', 7, { filters: [tcp] }), listener('outbound', 8, { filters: [manager] }))).toEqual([8]);
  expect(await doors(listener('gateway/tcp', 6, { filters: [tcp] }))).toEqual([]);
});
test('work is requests, and connections that are not HTTP; nothing of the admin interface, and each once', async () => {
  const stats = {
    'listener.127.0.0.1_80.downstream_cx_active': 3,
    'listener.127.0.0.1_80.worker_0.downstream_cx_active': 3,
    'listener.127.0.0.1_5432.downstream_cx_active': 2,
    'listener.admin.downstream_cx_active': 1,
    'listener.admin.main_thread.downstream_cx_active': 1,
    'http.inbound.downstream_cx_active': 3,
    'http.inbound.downstream_rq_active': 1,
    'http.admin.downstream_cx_active': 1,
    'http.admin.downstream_rq_active': 1,
  };
  answers = { '/stats': { stats: Object.entries(stats).map(([name, value]) => ({ name, value })) } };
  expect(await admin().work()).toEqual({ requests: 1, connections: 2 });
});
