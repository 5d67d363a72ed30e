/** What the page of examples/bookinfo/circuit-breaking says of its own policies, in real Envoys. */
import * as http from 'node:http';
import * as path from 'node:path';
import { compile } from '../../compiler/pipeline';
import { readDirectory } from '../../compiler/source';
import { appOf, eventually, key, type LayeredMesh, startIr } from '../kit/layered-mesh';
import { present } from '../kit/present';
import { sendRaw } from '../kit/raw-http';

const example = path.resolve(__dirname, '..', '..', 'examples', 'bookinfo', 'circuit-breaking');
let layers: LayeredMesh;
/** Requests that the application has and did not answer yet. */
const held: http.ServerResponse[] = [];
const reviews = http.createServer((request, response) => {
  request.resume();
  if (request.url === '/reviews/warm') response.end('ok');
  else held.push(response);
});

beforeAll(async () => {
  const { value: tree } = await readDirectory(example);
  const { irs } = await compile(present(tree), { asOf: '2026-11-22', typecheck: false });
  layers = await startIr(present(irs.get('prod')), async (mesh) => {
    const { port, host } = appOf(mesh, 'reviews', 'http', 'v1');
    await new Promise<void>((resolve, reject) => void reviews.once('error', reject).listen(port, host, resolve));
  });
}, 120_000);
afterAll(async () => {
  reviews.closeAllConnections();
  reviews.close();
  await layers?.stop();
}, 30_000);

const ask = async (name: string): Promise<number> =>
  (
    await sendRaw(present(layers.mesh.instanceOf(key('productpage')).outbound), {
      method: 'GET',
      path: `/reviews/${name}`,
      host: 'reviews.bookinfo:9080',
      headers: {},
    })
  ).status;

test('one request is served, one waits in the queue, and the rest is answered 503 at once', async () => {
  // a connection that is only being made counts those that wait for it too
  expect(await ask('warm')).toBe(200);
  const answered: number[] = [];
  const asked = Array.from({ length: 6 }, async (_, index) => {
    const status = await ask(String(index));
    answered.push(status);
    return status;
  });
  expect(
    await eventually(
      () => [...answered],
      (statuses) => statuses.length >= 4,
    ),
  ).toEqual([503, 503, 503, 503]);
  await eventually(
    () => held.length,
    (count) => count > 0,
  );
  expect(held).toHaveLength(1);
  present(held[0]).end('ok');
  await eventually(
    () => held.length,
    (count) => count > 1,
  );
  present(held[1]).end('ok');
  expect((await Promise.all(asked)).sort()).toEqual([200, 200, 503, 503, 503, 503]);
  expect(held).toHaveLength(2);
}, 300_000);
