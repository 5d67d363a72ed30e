import * as net from 'node:net';
import type { AddressInfo } from 'node:net';
import * as tls from 'node:tls';
import { freePorts } from '../../platform/ports';
import { until } from '../../test/kit/until';
import { issueCa, issueLeaf } from './issue';
import { handshake, type Shake } from './probe';
import { after, notAskedYet, type Readiness } from './readiness';

const hour = 3_600_000;
const good: Shake = { kind: 'good' };
const unheard: Shake = { kind: 'unheard', why: 'no answer within five seconds' };
const refused: Shake = { kind: 'refused', why: 'certificate has expired' };
const through = (...shakes: readonly Shake[]): Readiness => shakes.reduce(after, notAskedYet);

describe('readiness', () => {
  test('begins with the first handshake that verifies, and with nothing less', () => {
    expect(notAskedYet.because).not.toBeNull();
    expect(through(unheard, unheard, unheard).because).toBe(notAskedYet.because);
    expect(through(unheard, good).because).toBeNull();
  });
  test('is lost at once by what verification says, and comes back at once', () => {
    expect(through(good, refused).because).toBe('the API server would not take the certificate that is served: certificate has expired');
    expect(through(good, refused, good).because).toBeNull();
  });
  test('is lost by silence only when it repeats: one look that a busy machine missed says nothing', () => {
    expect(through(good, unheard, unheard).because).toBeNull();
    expect(through(good, unheard, unheard, good, unheard, unheard).because).toBeNull();
    expect(through(good, unheard, unheard, unheard).because).toBe('the own listener does not answer: no answer within five seconds');
    expect(through(good, unheard, unheard, unheard, good).because).toBeNull();
  });
  test('silence does not give back what verification took', () => {
    expect(through(good, refused, unheard).because).toBe(through(refused).because);
    expect(through(good, refused, unheard, unheard, unheard).because).toBe(through(refused).because);
  });
});

describe('a handshake', () => {
  const closers: (() => void)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });
  const listening = async (server: net.Server): Promise<number> => {
    closers.push(() => server.close());
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port; // a TCP server that listens has one
  };
  const shake = (port: number, bundle: string, name = 'webhook.meshwright.svc'): Promise<Shake> =>
    handshake({ host: '127.0.0.1', port }, name, bundle);
  /** A machine that stood still has not heard; then it is asked again. */
  const heard = async (port: number, bundle: string, name?: string): Promise<Shake> => {
    let said: Shake = unheard;
    await until('it is heard', async () => (said = await shake(port, bundle, name)).kind !== 'unheard');
    return said;
  };

  test('tells what the certificate is from a listener that could not answer', async () => {
    const now = Date.now();
    const ca = await issueCa(now, hour);
    const other = await issueCa(now, hour);
    const leaf = await issueLeaf(ca, ['webhook.meshwright.svc'], now, hour);
    const port = await listening(tls.createServer({ cert: leaf.certificate, key: leaf.key }, (socket) => socket.resume()));
    expect(await heard(port, ca.certificate)).toEqual({ kind: 'good' });
    for (const bundle of ['', other.certificate, '-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n'])
      expect(await heard(port, bundle)).toMatchObject({ kind: 'refused' });
    expect(await heard(port, ca.certificate, 'other.svc')).toMatchObject({ kind: 'refused' });
    // At its limit, or ending: what came is closed before anything is said.
    const full = await listening(net.createServer((socket) => socket.destroy()));
    expect(await shake(full, ca.certificate)).toMatchObject({ kind: 'unheard' });
    const [free = 0] = await freePorts(1);
    expect(await shake(free, ca.certificate)).toMatchObject({ kind: 'unheard' });
  });
});
