import type { Server, ServerDuplexStream } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import { principalOf, workloadKey } from '../../core/mesh/ids';
import { systemClock, type Clock } from '../../platform/clock';
import { silentLog } from '../../platform/log';
import { testAuthority } from '../../test/kit/certificates';
import { controlPlanePrincipal } from '../ca/spiffe';
import type { Holder, Svid } from '../ca/client';
import { until } from '../../test/kit/until';
import { serverCredentials } from '../rpc/credentials';
import { bind, createServer, stopServer } from '../rpc/server';
import { noActivity, reportMethod, type AgentReport, type ReportAnswer } from './protocol';
import { report, type Reporter } from './reporter';

const trustDomain = 'mesh.test';
const said: AgentReport = {
  envoyVersion: '1.40.0',
  live: true,
  draining: false,
  starts: 1,
  notAfter: 1,
  secrets: [],
  activity: noActivity,
};
let svid: Svid;
let answer: (stream: ServerDuplexStream<AgentReport, ReportAnswer>) => void = () => undefined;
let server: Server;
let port: number;
let reporter: Reporter | null = null;

beforeAll(async () => {
  const authority = await testAuthority(trustDomain);
  const { trust } = authority;
  const made = await authority.svid(principalOf(trustDomain, 'shop', 'a'), workloadKey('shop', 'a'));
  svid = { ...made, trust, obtained: Date.now(), notAfter: Date.now() + 3_600_000 };
  const own = await authority.svid(controlPlanePrincipal(trustDomain), workloadKey('meshwright', 'control-plane'));
  server = createServer();
  server.addService(
    { report: reportMethod },
    { report: (stream: ServerDuplexStream<AgentReport, ReportAnswer>) => (stream.on('error', () => undefined), answer(stream)) },
  );
  port = await bind(server, '127.0.0.1', 0, serverCredentials({ ...own, trust }, 'required').credentials);
});
afterEach(() => reporter?.close());
afterAll(() => stopServer(server, 0));

/** `slept`: how long it meant to wait between two attempts; nobody waits. */
function start(slept: number[], monotonic = systemClock.monotonic): Reporter {
  const holder: Holder = {
    current: () => svid,
    onRotation: () => () => undefined,
    serving: () => Promise.reject(new Error('nothing is served')),
    renew: () => Promise.resolve(),
    lapsed: new Promise(() => undefined),
    close: () => undefined,
  };
  const looking = 2_000;
  const clock: Clock = {
    ...{ ...systemClock, monotonic },
    sleep: (ms, options) => {
      if (ms === looking) return systemClock.sleep(ms, options);
      slept.push(ms);
      return systemClock.sleep(1, options);
    },
  };
  return (reporter = report(
    {
      ...{ controlPlane: { host: '127.0.0.1', port }, server: controlPlanePrincipal(trustDomain), holder },
      look: () => Promise.resolve(said),
      onConnection: () => undefined,
      onKeys: () => undefined,
    },
    { clock, log: silentLog },
  ));
}
test('who is answered and then sent away waits longer each time, and never as long as somebody else', async () => {
  const slept: number[] = [];
  answer = (stream) => {
    stream.write({ hurry: false });
    stream.emit('error', { code: status.INTERNAL, details: 'internal error' });
  };
  start(slept, () => 0); // no connection lasts, however busy the machine is
  await until('twelve waits', () => slept.length >= 12);
  expect(slept.slice(0, 12).every((ms, index) => ms <= Math.min(100 * 2 ** index, 5_000) && ms >= Math.min(50 * 2 ** index, 2_500))).toBe(
    true,
  );
  expect(new Set(slept).size).toBe(slept.length);
});

test('a control plane to which many come at once answers late: who waits for it longer each time is answered', async () => {
  answer = (stream) => void setTimeout(() => stream.write({ hurry: false }), 7_000).unref();
  const made = start([]);
  await until('it is answered', () => made.connected());
});

test('who ends while nobody has answered yet leaves no connection behind, whatever is answered then', async () => {
  const came: ServerDuplexStream<AgentReport, ReportAnswer>[] = [];
  let left = 0;
  answer = (stream) => {
    came.push(stream);
    stream.on('cancelled', () => (left += 1));
  };
  const made = start([]);
  await until('it has come', () => came.length > 0);
  made.close();
  for (const stream of came) stream.write({ hurry: false });
  await until('it has left', () => left === came.length);
  expect(made.connected()).toBe(false);
});
