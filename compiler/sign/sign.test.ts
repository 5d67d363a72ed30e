import * as fs from 'node:fs/promises';
import * as http from 'node:http';
import * as path from 'node:path';
import { bundleFiles, parseBundle, verifyBundle } from '../../core/bundle/bundle';
import { apiVersion, type MeshObject } from '../../core/bundle/objects';
import { objectResources } from '../../core/bundle/parts';
import { objectStatement } from '../../core/bundle/statement';
import { parseTrust } from '../../core/bundle/trust';
import { verifyPart, verifyRelease } from '../../core/bundle/verify';
import { temporaryFolder } from '../../platform/files';
import { bigService } from '../../test/kit/big-objects';
import { testRelease, testReleaseAfter } from '../../test/kit/signing';
import {
  generateKeys,
  readKeyRing,
  retireKey,
  rotateKey,
  serveSigner,
  signBundle,
  signerClient,
  unsignedBundle,
  type RunningSigner,
} from './index';

const object: MeshObject = { apiVersion, kind: 'AdmissionRules', metadata: { namespace: 'mesh', name: 'rules' }, spec: { a: 1 } };
const codes = (outcome: { diagnostics: readonly { code: string }[] }): string[] => outcome.diagnostics.map((d) => d.code);

describe('sign', () => {
  let folder: string;
  let files: { keyFile: string; trustFile: string };
  let config: { keyFile: string; socketPath: string; stateFile: string };
  const running: RunningSigner[] = [];

  beforeEach(async () => {
    folder = await temporaryFolder('sign');
    files = { keyFile: path.join(folder, 'keys.json'), trustFile: path.join(folder, 'trust.json') };
    config = { keyFile: files.keyFile, socketPath: path.join(folder, 's', 'signer.sock'), stateFile: path.join(folder, 'floors.json') };
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((signer) => signer.close()));
    await fs.rm(folder, { recursive: true, force: true });
  });
  const start = async (): Promise<RunningSigner> => {
    const { value, diagnostics } = await serveSigner(config);
    if (!value) throw new Error(diagnostics.map((d) => d.message).join());
    running.push(value);
    return value;
  };
  const trust = async () => parseTrust(await fs.readFile(files.trustFile, 'utf8')).value ?? { environments: {} };

  test('signs a bundle that verifies, and again to the same bytes', async () => {
    await generateKeys(files, ['prod']);
    await start();
    const client = signerClient(config.socketPath);
    const unsigned = { release: testRelease([object]), objects: [object], sources: {}, files: new Map([['istio/a.yaml', 'a: 1\n']]) };
    const { value, diagnostics } = await signBundle(client, unsigned);
    expect(diagnostics).toEqual([]);
    if (!value) throw new Error('unsigned');
    expect((await verifyBundle(parseBundle(bundleFiles(value)).value ?? value, await trust())).diagnostics).toEqual([]);
    const again = await signBundle(client, unsigned);
    expect(again.value).toEqual(value);
    expect(codes(await verifyBundle({ ...value, files: new Map([['istio/a.yaml', 'a: 2\n']]) }, await trust()))).toEqual(['MW6020']);
    expect(codes(await verifyBundle(unsignedBundle(unsigned), await trust()))).toEqual(['MW6002', 'MW6002']);
  });

  test('an object that is too big for one resource is packed, its parts under the one signature', async () => {
    await generateKeys(files, ['prod']);
    await start();
    const big = bigService(3_000_000);
    const unsigned = { release: testRelease([object, big]), objects: [object, big], sources: {} };
    const { value, diagnostics } = await signBundle(signerClient(config.socketPath), unsigned);
    expect(diagnostics).toEqual([]);
    if (!value) throw new Error('unsigned');
    expect(value.objects.map((one) => [one.object.kind, one.packed !== undefined])).toEqual([
      ['AdmissionRules', false],
      ['ServiceConfig', true],
    ]);
    const back = parseBundle(bundleFiles(value));
    expect((await verifyBundle(back.value ?? value, await trust())).diagnostics).toEqual([]);
    const signed = back.value?.objects.find(({ packed }) => packed !== undefined);
    if (!signed) throw new Error('nothing is packed');
    for (const part of objectResources(signed, 'prod')) expect((await verifyPart(part, 'prod', await trust())).diagnostics).toEqual([]);
    const client = signerClient(config.socketPath);
    const statement = { ...objectStatement(big, 'prod'), parts: ['no digest'] };
    for (const parts of [statement.parts, [], Array.from({ length: 129 }, () => '0'.repeat(64))])
      expect(codes(await client.signObjects({ environment: 'prod', purpose: 'live', statements: [{ ...statement, parts }] }))).toEqual([
        'MW6031',
      ]);
    const tooBig = { ...big, spec: { ...big.spec, virtualHost: { name: 'x'.repeat(64 * 1024 * 1024) } } };
    const refused = await signBundle(client, { ...unsigned, objects: [tooBig] });
    expect(codes(refused)).toEqual(['MW6021']);
  });

  test('what preview keys sign is refused outside a dry run', async () => {
    await generateKeys(files, ['prod']);
    await start();
    const { value } = await signBundle(
      signerClient(config.socketPath),
      { release: testRelease([object]), objects: [object], sources: {} },
      'preview',
    );
    if (!value) throw new Error('unsigned');
    expect(codes(await verifyBundle(value, await trust()))).toEqual(['MW6005', 'MW6005']);
    expect(codes(await verifyBundle(value, await trust(), 'dry-run'))).toEqual([]);
  });

  test('an older generation is refused, also after a restart; the same one is not', async () => {
    await generateKeys(files, ['prod']);
    const first = await start();
    const client = signerClient(config.socketPath);
    const sign = (generation: number) =>
      client.signRelease({ purpose: 'live', release: testRelease([object], { generation }), byproducts: {} });
    expect(codes(await sign(5))).toEqual([]);
    expect(codes(await sign(4))).toEqual(['MW6033']);
    await first.close();
    await start();
    expect(codes(await sign(4))).toEqual(['MW6033']);
    expect(codes(await sign(5))).toEqual([]);
    expect((await client.state()).value?.floors).toEqual({ prod: 4 });
    const preview = await client.signRelease({ purpose: 'preview', release: testRelease([object], { generation: 1 }), byproducts: {} });
    expect(codes(preview)).toEqual([]);
  });

  test('damaged floors stop the signer: they are not guessed', async () => {
    await generateKeys(files, ['prod']);
    for (const text of ['{', '{}', '[]', '{"floors":{"prod":"5"}}']) {
      await fs.writeFile(config.stateFile, text);
      expect(codes(await serveSigner(config))).toEqual(['MW6030']);
    }
  });

  test('rotation overlaps: both keys are believed until the old one is retired', async () => {
    await generateKeys(files, ['prod']);
    let signer = await start();
    const client = signerClient(config.socketPath);
    const one = testRelease([object]);
    const old = await client.signRelease({ purpose: 'live', release: one, byproducts: {} });
    const oldKid = (await trust()).environments['prod']?.keys[0]?.kid ?? '';
    expect(codes(await retireKey(files, oldKid))).toEqual(['MW6032']);
    await rotateKey(files, 'prod');
    await signer.close();
    signer = await start();
    const two = testReleaseAfter(one, [object]);
    const next = await client.signRelease({ purpose: 'live', release: two, byproducts: {} });
    const accepts = async (release: typeof one, jws: string | undefined): Promise<string[]> => {
      const { digestOfJson } = await import('../../core/lib/digest.js');
      return codes(
        await verifyRelease(
          { release, digest: digestOfJson(release), jws },
          { trust: await trust(), now: 0, live: release === one ? null : { generation: 1, digest: digestOfJson(one) } },
        ),
      );
    };
    expect(await accepts(one, old.value?.jws)).toEqual([]);
    expect(await accepts(two, next.value?.jws)).toEqual([]);
    expect(codes(await retireKey(files, oldKid))).toEqual([]);
    expect(await accepts(one, old.value?.jws)).toEqual(['MW6004']);
    expect(await accepts(two, next.value?.jws)).toEqual([]);
  });

  test('generating again keeps the keys that are there, and floors', async () => {
    await generateKeys(files, ['prod']);
    const before = await trust();
    await generateKeys(files, ['prod', 'dev']);
    const after = await trust();
    expect(after.environments['prod']).toEqual(before.environments['prod']);
    expect(after.environments['dev']?.keys).toHaveLength(1);
  });

  test('the key file is for its owner alone, and its secrets stay out of trust and messages', async () => {
    await generateKeys(files, ['prod']);
    expect((await fs.stat(files.keyFile)).mode & 0o777).toBe(0o600);
    const ring = (await readKeyRing(files.keyFile)).value;
    for (const { d } of ring?.keys ?? []) expect(await fs.readFile(files.trustFile, 'utf8')).not.toContain(d);
    await fs.chmod(files.keyFile, 0o640);
    expect((await serveSigner(config)).diagnostics[0]).toMatchObject({ code: 'MW6032', message: expect.stringContaining('0640') });
    const text = await fs.readFile(files.keyFile, 'utf8');
    await fs.writeFile(files.keyFile, text.slice(0, -20), { mode: 0o600 });
    await fs.chmod(files.keyFile, 0o600);
    const { diagnostics } = await readKeyRing(files.keyFile);
    expect(codes({ diagnostics })).toEqual(['MW6032']);
    for (const { d } of ring?.keys ?? []) expect(JSON.stringify(diagnostics)).not.toContain(d.slice(0, 8));
  });

  test('the socket is private; a second signer and an open folder are refused', async () => {
    await generateKeys(files, ['prod']);
    await start();
    expect((await fs.stat(path.dirname(config.socketPath))).mode & 0o777).toBe(0o700);
    expect((await fs.stat(config.socketPath)).mode & 0o777).toBe(0o600);
    expect((await serveSigner(config)).diagnostics[0]?.message).toContain('another signer');
    const open = path.join(folder, 'open');
    await fs.mkdir(open);
    await fs.chmod(open, 0o755);
    expect((await serveSigner({ ...config, socketPath: path.join(open, 'x.sock') })).diagnostics[0]?.message).toContain('others can enter');
  });

  test('a signer that died leaves a socket behind, and the next one takes its place', async () => {
    await generateKeys(files, ['prod']);
    await fs.mkdir(path.dirname(config.socketPath), { mode: 0o700 });
    const server = http.createServer().listen(config.socketPath);
    await new Promise((resolve) => server.once('listening', resolve));
    await fs.link(config.socketPath, `${config.socketPath}.kept`);
    await new Promise((resolve) => server.close(resolve));
    await fs.rename(`${config.socketPath}.kept`, config.socketPath);
    await start();
    expect((await signerClient(config.socketPath).state()).value?.keys).toHaveLength(2);
  });

  test('requests of the wrong form, and things it has no key for, are refused with the reason', async () => {
    await generateKeys(files, ['prod']);
    await start();
    const client = signerClient(config.socketPath);
    const refusal = async (request: unknown): Promise<string | undefined> =>
      (await client.signObjects(request as never)).diagnostics[0]?.message;
    expect(await refusal({ environment: 'dev', purpose: 'live', statements: [] })).toContain('no live key for environment `dev`');
    expect(await refusal({ environment: 'prod', purpose: 'root', statements: [] })).toContain('`purpose`');
    const statement = { environment: 'dev', kind: 'X', namespace: 'a', name: 'b', sha256: '0'.repeat(64) };
    expect(await refusal({ environment: 'prod', purpose: 'live', statements: [statement] })).toContain('another environment');
    expect(
      await refusal({ environment: 'prod', purpose: 'live', statements: [{ ...statement, environment: 'prod', sha256: 'x' }] }),
    ).toContain('sha256');
    expect(codes(await client.signRelease({ purpose: 'live', release: { ...testRelease([]), waves: [] }, byproducts: {} }))).toEqual([
      'MW6031',
    ]);
    expect(codes(await signerClient(path.join(folder, 'none.sock')).state())).toEqual(['MW6030']);
  });
});
