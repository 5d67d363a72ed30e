import * as fc from 'fast-check';
import { gzipSync } from 'node:zlib';
import { bigRelease, bigService } from '../../test/kit/big-objects';
import { newTestSigner, signTestObject, signTestRelease, testJws, testRelease, type TestSigner } from '../../test/kit/signing';
import { digestOfJson } from '../lib/digest';
import { canonicalJson } from '../lib/json';
import { bundleFiles, parseBundle, verifyBundle } from './bundle';
import { objectResource, releaseFits, releaseResource, signedObjectOf, signedReleaseOf } from './custom-resource';
import type { ServiceConfig, SignedObject } from './objects';
import { maxReleaseUnpacked, maxUnpacked, packAbove, partDigests } from './packing';
import { groupResources, joinParts, objectResources, partOf, signedObjectIn, type PartResource } from './parts';
import { FormError } from './release-form';
import { objectStatement, objectType, statementBytes } from './statement';
import type { TrustRoot } from './trust';
import { verifyObject, verifyPart, verifyReleaseSignature, verifyResources } from './verify';

const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value));
const isPart = (resource: object): resource is PartResource => 'packed' in resource;

let signer: TestSigner;
let trust: TrustRoot;
let object: ServiceConfig;
let signed: SignedObject;
let parts: readonly PartResource[];
beforeAll(async () => {
  signer = await newTestSigner();
  const keys = [signer.jwk];
  trust = { environments: { prod: { keys, generationFloor: 0 }, dev: { keys, generationFloor: 0 } } };
  object = bigService(3_000_000);
  signed = await signTestObject(signer, object, 'prod');
  parts = objectResources(signed, 'prod').filter(isPart);
});

const errors = async (resource: unknown): Promise<readonly string[]> =>
  (await verifyPart(resource, 'prod', trust)).diagnostics.map(({ code }) => code);

describe('an object that is too big for one resource', () => {
  test('is several resources below 1 MB under one signature, each verifies alone, and together they are the object', async () => {
    expect(parts.length).toBeGreaterThan(2);
    expect(parts.map(({ metadata }) => metadata.name)).toEqual(
      parts.map((_, index) => `big.web.${signed.digest.slice(7, 19)}${index === 0 ? '' : `.part-${index}`}`),
    );
    for (const part of parts) {
      expect(JSON.stringify(part).length).toBeLessThan(1_000_000);
      expect(part.proof).toEqual(parts[0]?.proof);
      const { value, diagnostics } = await verifyPart(copy(part), 'prod', trust);
      expect(diagnostics).toEqual([]);
      expect(value).toMatchObject({
        kind: 'ServiceConfig',
        namespace: 'bookinfo',
        name: 'big.web',
        digest: signed.digest,
        part: part.packed.part,
      });
    }
    const joined = joinParts(copy(parts).toReversed());
    expect(joined).toEqual(signed);
    expect((await verifyObject(joined, 'prod', trust)).diagnostics).toEqual([]);
  });

  test('comes through a bundle with the very parts that were signed', async () => {
    const release = testRelease([object]);
    const bundle = { release: await signTestRelease(signer, release), objects: [signed], sources: {} };
    const back = parseBundle(bundleFiles(bundle));
    expect(back.diagnostics).toEqual([]);
    expect(back.value?.objects).toEqual([signed]);
    expect((await verifyBundle({ ...bundle, objects: back.value?.objects ?? [] }, trust)).diagnostics.map(({ code }) => code)).toEqual([
      'MW6020',
    ]); // sources.json alone is not covered here
    const without = bundleFiles({ ...bundle, objects: [{ ...signed, packed: [gzipSync('{}').toString('base64')] }] });
    expect(parseBundle(without).diagnostics[0]?.message).toContain('`packed` does not hold the object');
  });

  test('is refused when any character of any part is another one, alone and joined', async () => {
    const position = fc.record({
      part: fc.nat(parts.length - 1),
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      step: fc.integer({ min: 1, max: 63 }),
    });
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    await fc.assert(
      fc.asyncProperty(position, async ({ part, at, step }) => {
        const changed = copy(parts).map((resource, index) => {
          if (index !== part) return resource;
          const { data } = resource.packed;
          const full = data.replace(/=+$/, '');
          const index_ = Math.floor(at * full.length);
          const other = alphabet.charAt((alphabet.indexOf(full.charAt(index_)) + step) % 64);
          return { ...resource, packed: { ...resource.packed, data: full.slice(0, index_) + other + data.slice(index_ + 1) } };
        });
        expect(await errors(changed[part])).toHaveLength(1);
        const joined = ((): SignedObject | null => {
          try {
            return joinParts(changed);
          } catch (error) {
            expect(error).toBeInstanceOf(FormError);
            return null;
          }
        })();
        if (joined) expect((await verifyObject(joined, 'prod', trust)).value).toBeUndefined();
      }),
      { numRuns: 40, seed: 4 },
    );
  });

  test('is refused when any claim of a part is another one', async () => {
    const [part] = parts;
    if (!part) throw new Error('no part');
    const other = digestOfJson('other');
    const proof = (change: object): unknown => ({ ...part, proof: { ...part.proof, ...change } });
    const packed = (change: object): unknown => ({ ...part, packed: { ...part.packed, ...change } });
    expect(await errors(part)).toEqual([]);
    expect((await verifyPart(part, 'dev', trust)).diagnostics[0]?.code).toBe('MW6007');
    for (const bad of [
      proof({ environment: 'dev' }),
      proof({ name: 'other.web' }),
      proof({ digest: other }),
      proof({ jws: '' }),
      proof({ jws: (await signTestObject(signer, { ...object, metadata: { ...object.metadata, name: 'other.web' } }, 'prod')).jws }),
      proof({ jws: await testJws(signer, statementBytes(objectStatement(object, 'prod')), { typ: objectType }) }),
      proof({ more: 1 }),
      packed({ part: 1 }),
      packed({ parts: parts.length + 1 }),
      packed({ parts: 1 }),
      packed({ data: '' }),
      packed({ data: parts[1]?.packed.data }),
      packed({ part: -1 }),
      { ...part, spec: {} },
      { ...part, kind: 'ProxyConfig' },
      { ...part, metadata: { ...part.metadata, namespace: 'elsewhere' } },
      { ...part, metadata: parts[1]?.metadata },
      objectResource(await signTestObject(signer, bigService(2_000), 'prod'), 'prod'),
      null,
    ])
      expect(await errors(bad)).toHaveLength(1);
  });

  test('is not joined when a part is missing, there twice, or of another object', async () => {
    const stranger = objectResources(await signTestObject(signer, bigService(3_000_000, 'other'), 'prod'), 'prod');
    const again = objectResources({ ...signed, jws: `${signed.jws}A` }, 'prod');
    expect(() => joinParts([])).toThrow('there are no parts');
    expect(() => joinParts(parts.slice(1))).toThrow(`part 0 of ${parts.length} of ServiceConfig/bookinfo/big.web is missing`);
    expect(() => joinParts(parts.slice(0, -1))).toThrow('is missing');
    expect(() => joinParts([...parts, parts[1]])).toThrow('part 1 of ServiceConfig/bookinfo/big.web is there twice');
    expect(() => joinParts([parts[0], stranger[1], ...parts.slice(2)])).toThrow(
      'ServiceConfig/bookinfo/other.web is not of ServiceConfig/bookinfo/big.web',
    );
    expect(() => joinParts([again[0], ...parts.slice(1)])).toThrow(FormError);
    const small = await signTestObject(signer, bigService(2_000), 'prod');
    expect(() => joinParts([objectResource(small, 'prod')])).toThrow('it is no part of an object');
    expect(() => signedObjectOf(parts[0])).toThrow('it is packed');
  });

  test('is found among the resources of other objects, and nothing of it when a part is missing', async () => {
    const small = await signTestObject(signer, bigService(2_000, 'small'), 'prod');
    const stranger = await signTestObject(signer, bigService(3_000_000, 'other'), 'prod');
    const others = [...objectResources(small, 'prod'), ...objectResources(stranger, 'prod').slice(1)];
    const groups = groupResources([parts[2], ...others, { kind: 'nonsense' }, parts[0], parts[1]]);
    expect(groups.map((group) => group.length)).toEqual([3, 1, others.length - 1, 1]);
    const read = groups.map((group): unknown => {
      try {
        return signedObjectIn(group);
      } catch (error) {
        return error instanceof FormError ? error.message : error;
      }
    });
    const verified = await Promise.all(groups.map((group) => verifyResources(group, 'prod', trust)));
    expect(verified.map(({ value }) => value)).toEqual([signed, small, undefined, undefined]);
    expect(await verifyResources(groups[0] ?? [], 'dev', trust)).toEqual({ value: null, diagnostics: [] });
    expect(read).toEqual([
      { signed, environment: 'prod' },
      { signed: small, environment: 'prod' },
      expect.stringContaining('of ServiceConfig/bookinfo/other.web is missing'),
      '`metadata` is not an object',
    ]);
  });

  test('packs what it says, and no more than 64 MiB', async () => {
    const bomb = gzipSync(Buffer.alloc(maxUnpacked + 1, ' ')).toString('base64');
    const packedAs = async (packed: readonly string[]): Promise<SignedObject> => ({
      object,
      digest: signed.digest,
      packed,
      jws: await testJws(signer, statementBytes(objectStatement(object, 'prod', packed)), { typ: objectType }),
    });
    const exploding = await packedAs([bomb]);
    expect((await verifyObject(exploding, 'prod', trust)).diagnostics[0]?.message).toContain(`more than ${maxUnpacked} bytes`);
    const [resource] = objectResources(exploding, 'prod');
    expect(partOf(resource)).toMatchObject({ parts: 1 });
    expect(() => joinParts([resource])).toThrow(`more than ${maxUnpacked} bytes`);
    // By somebody else's key it is not even unpacked.
    const stranger = await signTestObject(await newTestSigner(), object, 'prod');
    const [theirs] = objectResources({ ...stranger, packed: [bomb] }, 'prod');
    expect((await verifyResources([theirs], 'prod', trust)).diagnostics.map(({ code }) => code)).toEqual(['MW6004']);
    // Genuinely signed, yet not this object: spaces, or another one.
    for (const text of [` ${canonicalJson(object)}`, canonicalJson(bigService(2_000_000))]) {
      const packed = [gzipSync(text).toString('base64')];
      expect((await verifyObject(await packedAs(packed.map((data) => data)), 'prod', trust)).value).toBeUndefined();
    }
    expect((await verifyObject({ ...signed, packed: undefined }, 'prod', trust)).value).toBeUndefined();
    const { packed: _, ...unpacked } = signed;
    expect((await verifyObject(unpacked, 'prod', trust)).diagnostics[0]?.message).toContain('was made for another form');
    expect(partDigests(signed.packed ?? [])).toHaveLength(parts.length);
  });

  test('is whole up to the limit and packed above it', async () => {
    const small = await signTestObject(signer, bigService(900_000), 'prod');
    expect(small.packed).toBeUndefined();
    expect(objectResources(small, 'prod')).toEqual([objectResource(small, 'prod')]);
    expect(canonicalJson(small.object).length).toBeLessThan(packAbove);
  });
});

describe('a release that is too big for one resource', () => {
  test('has its sets and steps packed, and comes back with its signature', async () => {
    const big = await signTestRelease(signer, bigRelease(10_000), { 'sources.json': digestOfJson('x') });
    const resource = copy(releaseResource(big));
    expect(JSON.stringify(resource).length).toBeLessThan(packAbove);
    expect(Object.keys(resource.spec)).toEqual(expect.arrayContaining(['environment', 'generation', 'waves', 'packed']));
    expect(Object.keys(resource.spec)).not.toContain('candidate');
    expect(releaseFits(big)).toEqual([]);
    expect(signedReleaseOf(resource)).toEqual(big);
    expect((await verifyReleaseSignature(signedReleaseOf(resource), trust)).diagnostics).toEqual([]);
    for (const spec of [
      { stable: {} },
      { packed: 'AAAA' },
      { packed: gzipSync('[]').toString('base64') },
      { packed: gzipSync(Buffer.alloc(maxReleaseUnpacked + 1, ' ')).toString('base64') },
    ])
      expect(() => signedReleaseOf({ ...resource, spec: { ...resource.spec, ...spec } })).toThrow(FormError);
    const less = signedReleaseOf({
      ...resource,
      spec: { ...resource.spec, packed: releaseResource(await signTestRelease(signer, bigRelease(9_998))).spec['packed'] },
    });
    expect((await verifyReleaseSignature(less, trust)).value).toBeUndefined();
  });

  test('says how many objects are too many', async () => {
    const [error] = releaseFits(await signTestRelease(signer, bigRelease(30_000)));
    expect(error).toMatchObject({ code: 'MW6022', help: expect.stringContaining('split the environment') });
    expect(error?.message).toContain('`Release/prod/2` names 30000 objects');
  });
});
