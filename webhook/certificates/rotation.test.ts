import { X509Certificate } from 'node:crypto';
import { bundleOf, found, step, type Certificates, type Facts } from './rotation';

const day = 24 * 3600_000;
const lifetimes = { caMs: 30 * day, leafMs: 3 * day, graceMs: 1000 };
const facts = (now: number, over: Partial<Facts> = {}): Facts => ({
  now,
  dnsNames: ['webhook.meshwright.svc'],
  lifetimes,
  isCarried: () => true,
  ...over,
});
const settle = async (from: Certificates, at: Facts): Promise<Certificates> => {
  const next = await step(from, at);
  return next === from ? from : settle(next, at);
};
const inBundle = (certificates: Certificates): number => bundleOf(certificates).split('BEGIN CERTIFICATE').length - 1;

describe('rotation', () => {
  test('a leaf is renewed at two thirds of its life, by the same authority', async () => {
    const first = await found(facts(0));
    expect(await step(first, facts(2 * day - 1))).toBe(first);
    const second = await step(first, facts(2 * day));
    expect(second.leaf.certificate).not.toBe(first.leaf.certificate);
    expect(second.issuing).toBe(first.issuing);
    expect(new X509Certificate(second.leaf.certificate).subjectAltName).toBe('DNS:webhook.meshwright.svc');
    expect((await step(second, facts(2 * day, { dnsNames: ['other.svc'] }))).leaf).not.toBe(second.leaf);
  });
  test('a new authority is carried everywhere, and some time later serves; the old one stays until nothing of it lives', async () => {
    const first = await settle(await found(facts(0)), facts(19 * day));
    const announced = await settle(first, facts(20 * day, { isCarried: () => false }));
    expect(inBundle(announced)).toBe(2);
    const waited = await settle(announced, facts(25 * day, { isCarried: () => false }));
    expect(waited.issuing).toEqual(first.issuing);
    const carried = await step(waited, facts(25 * day));
    expect(carried.next?.carried).toBe(25 * day);
    expect(await step(carried, facts(25 * day + 999))).toBe(carried);
    // Lost again before the time is over: nothing is served that it would not verify.
    expect(await step(carried, facts(25 * day + 1000, { isCarried: () => false }))).toBe(carried);
    const swapped = await step(carried, facts(25 * day + 1000));
    expect(new X509Certificate(swapped.leaf.certificate).checkIssued(new X509Certificate(swapped.issuing.certificate))).toBe(true);
    expect(swapped.issuing.certificate).toBe(announced.next?.certificate);
    expect(bundleOf(swapped)).toContain(first.issuing.certificate.trim());
    const alive = await settle(swapped, facts(carried.leaf.notAfter + 60_000));
    expect(inBundle(alive)).toBe(2);
    expect(inBundle(await settle(alive, facts(carried.leaf.notAfter + day)))).toBe(1);
  });
  test('whoever trusts the bundle of any step verifies what is served before and after it', async () => {
    let now = 0;
    let bundles: readonly string[] = [];
    let certificates = await found(facts(now));
    for (let turn = 0; turn < 400; turn += 1) {
      now += 6 * 3600_000;
      const carried = bundleOf(certificates);
      const next = await settle(certificates, facts(now, { isCarried: (one) => carried.includes(one.trim()) }));
      for (const bundle of [bundleOf(next), carried])
        expect(
          bundle.split(/(?=-----BEGIN)/).some((ca) => new X509Certificate(next.leaf.certificate).checkIssued(new X509Certificate(ca))),
        ).toBe(true);
      expect(next.leaf.notAfter).toBeGreaterThan(now);
      bundles = [...new Set([...bundles, bundleOf(next)])];
      certificates = next;
    }
    expect(bundles.length).toBeGreaterThan(10);
  });
  test('after a long sleep everything is made anew', async () => {
    const first = await found(facts(0));
    const later = await step(first, facts(31 * day));
    expect(later.leaf.notAfter).toBeGreaterThan(31 * day);
    expect(bundleOf(later)).not.toContain(first.issuing.certificate.trim());
  });
});
