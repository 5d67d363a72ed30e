import { newTestSigner, signTestBundle, signTestObject, testRelease, type TestSigner } from '../../test/kit/signing';
import { bundleFiles, formatJson, parseBundle, verifyBundle, type Bundle } from './bundle';
import { apiVersion, type MeshObject } from './objects';
import type { TrustRoot } from './trust';

const proxy: MeshObject = {
  apiVersion,
  kind: 'ProxyConfig',
  metadata: { namespace: 'books', name: 'books-reviews' },
  spec: {
    workload: 'books/reviews',
    principal: 'spiffe://mesh/ns/books/sa/reviews',
    envoyRange: { min: '1.36.0', below: '1.41.0' },
    proved: true,
    inbound: { listeners: [{ name: 'inbound/books/reviews.web', '10': 'é\u2028', '9': {} }], routes: [], clusters: [] },
    outbound: { listeners: [], routes: [], catchAll: null, services: ['books/ratings.web'] },
  } as never,
};
const rules: MeshObject = {
  apiVersion,
  kind: 'AdmissionRules',
  metadata: { namespace: 'mesh', name: 'rules' },
  spec: { deployers: ['ci'] },
};
const sources = { 'books/x': { file: 'books/a.policy.ts', line: 3, column: 1, chain: [{ file: 'b.ts', line: 1, column: 2 }] } };

describe('bundle', () => {
  let signer: TestSigner;
  let trust: TrustRoot;
  let bundle: Bundle;
  let files: ReadonlyMap<string, string>;

  beforeAll(async () => {
    signer = await newTestSigner();
    trust = { environments: { prod: { keys: [signer.jwk], generationFloor: 0 } } };
    bundle = await signTestBundle(signer, testRelease([proxy, rules]), [proxy, rules], sources);
    files = bundleFiles(bundle);
  });

  const accepted = async (changed: ReadonlyMap<string, string>): Promise<boolean> => {
    const parsed = parseBundle(changed);
    return parsed.value !== undefined && (await verifyBundle(parsed.value, trust)).value !== undefined;
  };

  test('what is written is read back, and verifies', async () => {
    expect([...files.keys()]).toEqual(['admission.json', 'proxies/books/books-reviews.json', 'release.json', 'sources.json']);
    const parsed = parseBundle(files);
    expect(parsed.diagnostics).toEqual([]);
    expect(bundleFiles(parsed.value ?? bundle)).toEqual(files);
    expect(await accepted(files)).toBe(true);
  });

  test('with any one byte changed, in any file at any position, it is refused', async () => {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const slipped: string[] = [];
    let tried = 0;
    for (const [path, text] of files) {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; at++) {
        const before = bytes[at] ?? 0;
        for (const after of [before ^ 0x01, [before ^ 0x20, 0x20, 0x30, 0x41][at % 4] ?? 0]) {
          if (after === before) continue;
          bytes[at] = after;
          tried++;
          let changed: string;
          try {
            changed = decoder.decode(bytes);
          } catch {
            continue; // not UTF-8: the folder's reader refuses it
          }
          if (await accepted(new Map([...files, [path, changed]]))) slipped.push(`${path} byte ${at}: ${before} -> ${after}`);
        }
        bytes[at] = before;
      }
    }
    expect(slipped).toEqual([]);
    expect(tried).toBeGreaterThan(5_000);
  });

  test('a file more, a file less, and a byte more or less are refused', async () => {
    for (const path of files.keys()) {
      expect(await accepted(new Map([...files].filter(([p]) => p !== path)))).toBe(false);
      const text = files.get(path) ?? '';
      expect(await accepted(new Map([...files, [path, `${text}\n`]]))).toBe(false);
      expect(await accepted(new Map([...files, [path, text.slice(0, -1)]]))).toBe(false);
    }
    expect(await accepted(new Map([...files, ['istio/extra.yaml', 'x']]))).toBe(false);
    const extra: MeshObject = { ...rules, kind: 'ServiceConfig', metadata: { namespace: 'a', name: 'b.c' } } as never;
    expect(await accepted(new Map([...files, ['services/a/b.c.json', formatJson(await signTestObject(signer, extra, 'prod'))]]))).toBe(
      false,
    );
  });

  test('files of other targets are covered by the signature of the release', async () => {
    const withIstio = await signTestBundle(signer, testRelease([rules]), [rules], sources);
    expect(parseBundle(new Map([...bundleFiles(withIstio), ['istio/a.yaml', 'a: 1\n']])).value).toBeDefined();
    expect(await accepted(new Map([...bundleFiles(withIstio), ['istio/a.yaml', 'a: 1\n']]))).toBe(false);
  });

  test('names the file and what is wrong with it', () => {
    const { diagnostics } = parseBundle(new Map([...files, ['release.json', '{}']]));
    expect(diagnostics.map((d) => `${d.code} ${d.message}`)).toEqual([
      'MW6020 bundle file `release.json`: it is not spelled as the compiler writes it',
    ]);
  });
});
