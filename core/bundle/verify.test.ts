import {
  newTestSigner,
  signTestObject,
  signTestRelease,
  testJws as jwsOf,
  testRelease,
  type TestSigner as Signer,
} from '../../test/kit/signing';
import { digestOfJson, type Digest } from '../lib/digest';
import { canonicalJson } from '../lib/json';
import { apiVersion, type MeshObject, type Release, type SignedObject, type SignedRelease } from './objects';
import { objectType, releaseStatement, releaseType, statementBytes } from './statement';
import { parseTrust, type TrustRoot } from './trust';
import { verifyObject, verifyRelease } from './verify';

const object: MeshObject = { apiVersion, kind: 'AdmissionRules', metadata: { namespace: 'mesh', name: 'rules' }, spec: { a: [1, 'x'] } };
const first = testRelease([object], { notAfter: '2026-11-22T12:00:00Z', waves: [10, 100] });
const now = Date.parse('2026-11-22T11:00:00Z');

describe('verify', () => {
  let live: Signer;
  let preview: Signer;
  let stranger: Signer;
  let trust: TrustRoot;

  beforeAll(async () => {
    [live, preview, stranger] = await Promise.all([newTestSigner(), newTestSigner(), newTestSigner()]);
    trust = {
      environments: {
        prod: { keys: [live.jwk], previewKeys: [preview.jwk], generationFloor: 0 },
        dev: { keys: [live.jwk], generationFloor: 4 },
      },
    };
  });

  const signedObject = (signer: Signer, environment = 'prod', header: Record<string, unknown> = {}): Promise<SignedObject> =>
    signTestObject(signer, object, environment, header);
  const signedRelease = (release: Release): Promise<SignedRelease> => signTestRelease(live, release);
  const codes = (outcome: { diagnostics: readonly { code: string }[] }): string[] => outcome.diagnostics.map((d) => d.code);

  test('a signed object is believed, in its environment only', async () => {
    const signed = await signedObject(live);
    expect((await verifyObject(signed, 'prod', trust)).value).toBe(object);
    expect((await verifyObject(signed, 'dev', trust)).diagnostics[0]).toMatchObject({
      code: 'MW6007',
      message: expect.stringContaining('another environment'),
    });
    expect(codes(await verifyObject(signed, 'qa', trust))).toEqual(['MW6008']);
    expect(codes(await verifyObject(signed, '__proto__', trust))).toEqual(['MW6008']);
  });

  test('a key that the environment does not trust, and a preview key outside a dry run, are refused', async () => {
    expect(codes(await verifyObject(await signedObject(stranger), 'prod', trust))).toEqual(['MW6004']);
    const forPreview = await signedObject(preview);
    expect(codes(await verifyObject(forPreview, 'prod', trust))).toEqual(['MW6005']);
    expect(codes(await verifyObject(forPreview, 'prod', trust, 'dry-run'))).toEqual([]);
  });

  test('a stranger who names a trusted kid is refused', async () => {
    expect(codes(await verifyObject(await signedObject(stranger, 'prod', { kid: live.jwk.kid }), 'prod', trust))).toEqual(['MW6003']);
  });

  test.each([
    ['another typ', { typ: releaseType }],
    ['no typ', { typ: undefined }],
    ['an extra member', { jwk: { kty: 'OKP' } }],
  ])('a header with %s is refused', async (_name, header) => {
    expect(codes(await verifyObject(await signedObject(live, 'prod', header), 'prod', trust))).toEqual(['MW6003']);
  });

  test('`crit` and other algorithms are refused, whatever the signature', async () => {
    const signed = await signedObject(live);
    const [, payload, signature] = signed.jws.split('.');
    const withHeader = (header: object): SignedObject => ({
      ...signed,
      jws: `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${payload}.${signature}`,
    });
    const base = { alg: 'EdDSA', kid: live.jwk.kid, typ: objectType };
    for (const header of [
      { ...base, crit: ['b64'], b64: false },
      { ...base, alg: 'none' },
      { ...base, alg: 'HS256' },
      { ...base, alg: 'ES256' },
    ]) {
      expect(codes(await verifyObject(withHeader(header), 'prod', trust))).toEqual(['MW6003']);
    }
    expect(codes(await verifyObject({ ...signed, jws: '' }, 'prod', trust))).toEqual(['MW6002']);
  });

  test('content, name, kind and digest are bound', async () => {
    const signed = await signedObject(live);
    const changed = (next: unknown, digest: Digest = digestOfJson(next)): unknown => ({ ...signed, object: next, digest });
    expect(codes(await verifyObject(changed({ ...object, spec: { a: [1, 'y'] } }), 'prod', trust))).toEqual(['MW6007']);
    expect(codes(await verifyObject(changed({ ...object, metadata: { namespace: 'mesh', name: 'other' } }), 'prod', trust))).toEqual([
      'MW6007',
    ]);
    expect(codes(await verifyObject(changed({ ...object, kind: 'ProxyConfig' }), 'prod', trust))).toEqual(['MW6007']);
    expect(codes(await verifyObject(changed(object, digestOfJson('x')), 'prod', trust))).toEqual(['MW6006']);
  });

  test('every byte of the signed object counts, also those base64url ignores', async () => {
    const text = canonicalJson(await signedObject(live));
    let accepted = 0;
    for (let i = 0; i < text.length; i++) {
      for (const char of ['A', 'B', '0', ' ']) {
        if (text[i] === char) continue;
        const changed = text.slice(0, i) + char + text.slice(i + 1);
        let value: unknown;
        try {
          value = JSON.parse(changed);
        } catch {
          continue;
        }
        if ((await verifyObject(value, 'prod', trust)).value !== undefined) accepted++;
      }
    }
    expect(accepted).toBe(0);
  });

  test('hostile shapes are refused and never throw', async () => {
    let deep: unknown = 1;
    for (let i = 0; i < 20_000; i++) deep = [deep];
    const shapes: unknown[] = [
      null,
      1,
      [],
      {},
      { object: null, digest: '', jws: '' },
      { ...(await signedObject(live)), object: { ...object, spec: { deep } } },
    ];
    for (const shape of shapes) {
      expect(codes(await verifyObject(shape, 'prod', trust))).toEqual(['MW6001']);
    }
    for (const shape of [null, 1, [], {}, { release: null, digest: '', jws: '' }]) {
      expect(codes(await verifyRelease(shape, { trust, now, live: null }))).toEqual(['MW6001']);
    }
  });

  test('a first release must be above the floor', async () => {
    expect(codes(await verifyRelease(await signedRelease(first), { trust, now, live: null }))).toEqual([]);
    const dev = { ...first, environment: 'dev' };
    expect(codes(await verifyRelease(await signedRelease({ ...dev, generation: 4 }), { trust, now, live: null }))).toEqual(['MW6009']);
    expect(codes(await verifyRelease(await signedRelease({ ...dev, generation: 5 }), { trust, now, live: null }))).toEqual([]);
  });

  test('a later release follows the live one in generation, parent and stable set', async () => {
    const digest = digestOfJson(first);
    const second: Release = { ...first, generation: 2, parent: digest, stable: first.candidate };
    const context = { trust, now, live: { generation: 1, digest, inForce: first.candidate } };
    expect(codes(await verifyRelease(await signedRelease(second), context))).toEqual([]);
    expect(codes(await verifyRelease(await signedRelease({ ...second, generation: 3 }), context))).toEqual(['MW6009']);
    expect(codes(await verifyRelease(await signedRelease({ ...second, generation: 1 }), context))).toEqual(['MW6009']);
    expect(codes(await verifyRelease(await signedRelease({ ...second, parent: digestOfJson('else') }), context))).toEqual(['MW6010']);
    expect(codes(await verifyRelease(await signedRelease({ ...second, parent: null }), context))).toEqual(['MW6010']);
    expect(codes(await verifyRelease(await signedRelease({ ...second, stable: {} }), context))).toEqual(['MW6012']);
  });

  test('a late release is refused, the one in force is not', async () => {
    const late = Date.parse('2026-11-22T12:00:01Z');
    const signed = await signedRelease(first);
    expect(codes(await verifyRelease(signed, { trust, now: late, live: null }))).toEqual(['MW6011']);
    expect(codes(await verifyRelease(signed, { trust, now: late, live: { generation: 1, digest: digestOfJson(first) } }))).toEqual([]);
  });

  test.each<[string, Partial<Record<keyof Release | 'more', unknown>>]>([
    ['a digest that is none', { candidate: { 'AdmissionRules/mesh/rules': 'sha256:12' } }],
    ['a name that climbs', { candidate: { 'ProxyConfig/mesh/..': digestOfJson(1) } }],
    ['waves that fall', { waves: [50, 10, 100] }],
    ['waves that end early', { waves: [50] }],
    ['an unknown member', { more: 1 }],
    ['a local time', { notAfter: '2026-11-22T12:00:00+01:00' }],
    ['a generation of zero', { generation: 0 }],
  ])('a release with %s is refused', async (_name, change) => {
    const release = { ...first, ...change };
    const signed = await signedRelease(release as Release);
    expect(codes(await verifyRelease(signed, { trust, now, live: null }))).toEqual(['MW6001']);
  });

  test("an object's signature is none for a release", async () => {
    const signed = {
      release: first,
      digest: digestOfJson(first),
      jws: await jwsOf(live, statementBytes(releaseStatement(first)), { typ: objectType }),
    };
    expect(codes(await verifyRelease(signed, { trust, now, live: null }))).toEqual(['MW6003']);
  });

  test('a trust root is refused whole when any key in it is wrong', () => {
    const text = (value: unknown): string => JSON.stringify({ environments: { prod: value } });
    expect(parseTrust(text({ keys: [live.jwk], generationFloor: 0 })).value?.environments['prod']?.keys).toEqual([live.jwk]);
    for (const wrong of [
      { keys: [{ ...live.jwk, kid: stranger.jwk.kid }], generationFloor: 0 },
      { keys: [{ ...live.jwk, d: 'secret' }], generationFloor: 0 },
      { keys: [live.jwk], previewKeys: [live.jwk], generationFloor: 0 },
      { keys: [live.jwk], generationFloor: -1 },
      { keys: [live.jwk] },
      { keys: [live.jwk], generationFloor: 0, more: 1 },
    ]) {
      expect(parseTrust(text(wrong)).diagnostics.map((d) => d.code)).toEqual(['MW6013']);
    }
    expect(parseTrust('{').diagnostics).toHaveLength(1);
  });
});
