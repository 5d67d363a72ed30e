import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import * as net from 'node:net';
import { Client } from '@grpc/grpc-js';
import * as os from 'node:os';
import * as path from 'node:path';
import { systemClock, type Clock } from '../../platform/clock';
import { silentLog } from '../../platform/log';
import type { Principal, WorkloadKey } from '../../core/mesh/ids';
import { channelOptions, clientCredentials } from '../rpc/credentials';
import { CsrRefused, fingerprintOf, newKeyAndCsr, openAuthority } from './authority';
import { holdIdentity, type Holder } from './client';
import { serveCa, type CaConfig, type RunningCa } from './main';
import { caMethods } from './protocol';
import { caPrincipal, identityOf, uriOf } from './spiffe';
import { openTokens } from './tokens';

const identity = {
  instance: 'reviews-v1-1',
  workload: 'bookinfo/reviews' as WorkloadKey,
  principal: 'spiffe://mesh.test/ns/bookinfo/sa/bookinfo-reviews' as Principal,
};
let folder: string;
beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'meshwright-ca-'));
});
afterEach(() => fs.rm(folder, { recursive: true, force: true }));

/** In front of a CA: cuts, once, the connection over which the answer would come to who spent a token. */
async function losing(address: string): Promise<{ readonly address: string; lost(): number; close(): Promise<unknown> }> {
  let lost = 0;
  const spent = (): boolean => readFileSync(path.join(folder, 'tokens.json'), 'utf8').includes('"spentBy":"');
  const server = net.createServer((client) => {
    const there = net.connect(Number(address.split(':')[1]), '127.0.0.1');
    const cut = (): void => void (client.destroy(), there.destroy());
    for (const socket of [client, there]) socket.on('error', cut).on('close', cut);
    client.pipe(there);
    there.on('data', (bytes) => {
      // a use is on disk before the certificate is made, so an answer comes when this is so
      if (lost > 0 || !spent()) return void client.write(bytes);
      lost += 1;
      cut();
    });
  });
  const { port } = await new Promise<net.AddressInfo>((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve(server.address() as net.AddressInfo)),
  );
  return { address: `127.0.0.1:${port}`, lost: () => lost, close: () => new Promise((resolve) => server.close(resolve)) };
}

describe('the authority', () => {
  test('an SVID carries exactly the identity that was asked for, whatever the CSR says', async () => {
    const authority = await openAuthority(folder, 'mesh.test', Date.now);
    const { csr } = await newKeyAndCsr();
    const { chain, notAfter } = await authority.issueSvid(csr, identity, 3600_000);
    const leaf = new X509Certificate(chain);
    expect(leaf.subjectAltName).toBe(`URI:${identity.principal}`);
    expect(identityOf(leaf.raw)).toEqual({ ...identity, notAfter });
    expect(leaf.verify(new X509Certificate(authority.trust).publicKey)).toBe(true);
    expect(leaf.ca).toBe(false);
  });
  test('the root is kept, its key is readable by its owner only, and another trust domain is refused', async () => {
    const first = await openAuthority(folder, 'mesh.test', Date.now);
    expect((await openAuthority(folder, 'mesh.test', Date.now)).trust).toBe(first.trust);
    expect((await fs.stat(path.join(folder, 'root.key'))).mode & 0o777).toBe(0o600);
    await expect(openAuthority(folder, 'other.test', Date.now)).rejects.toThrow('another trust domain');
    await fs.chmod(path.join(folder, 'root.key'), 0o644);
    await expect(openAuthority(folder, 'mesh.test', Date.now)).rejects.toThrow('chmod 600');
  });
  test('a root that is damaged is told by its name', async () => {
    await openAuthority(folder, 'mesh.test', Date.now);
    for (const name of ['root.crt', 'root.key']) {
      const file = path.join(folder, name);
      const whole = await fs.readFile(file);
      await fs.writeFile(file, whole.subarray(0, whole.length / 2), { mode: 0o600 });
      await expect(openAuthority(folder, 'mesh.test', Date.now)).rejects.toThrow(/root\.crt or the key beside it is damaged/);
      await fs.writeFile(file, whole, { mode: 0o600 });
    }
  });
  test('a CSR that is not signed by its own key is refused', async () => {
    const authority = await openAuthority(folder, 'mesh.test', Date.now);
    const { csr } = await newKeyAndCsr();
    const der = Buffer.from(csr.replace(/-----[^-]+-----|\s/g, ''), 'base64');
    const last = der.length - 1;
    der.writeUInt8(der.readUInt8(last) ^ 1, last);
    await expect(authority.issueSvid(der.toString('base64'), identity, 1000)).rejects.toThrow(/not signed by its key|not PEM/);
    await expect(authority.issueSvid('nonsense', identity, 1000)).rejects.toThrow('not PEM of PKCS#10');
  });
  test('whatever byte of a CSR is another one, it is refused as one, or is as good as before', async () => {
    const der = Buffer.from((await newKeyAndCsr()).csr.replace(/-----[^-]+-----|\s/g, ''), 'base64');
    for (let at = 0; at < der.length; at += 1) {
      const other = Buffer.from(der);
      other.writeUInt8(der.readUInt8(at) ^ 1, at);
      await fingerprintOf(other.toString('base64')).catch((error: unknown) => expect(error).toBeInstanceOf(CsrRefused));
    }
  });
  test('only one SPIFFE URI alone makes a principal', () => {
    expect(uriOf(`URI:${identity.principal}`)).toBe(identity.principal);
    for (const bad of [
      undefined,
      '',
      `DNS:a, URI:${identity.principal}`,
      `URI:${identity.principal}, URI:spiffe://mesh.test/ns/a/sa/b`,
      'URI:spiffe://mesh.test/ns/../sa/x',
      'URI:https://mesh.test',
    ])
      expect(uriOf(bad)).toBeNull();
  });
});

describe('join tokens', () => {
  const key = (index: number): string => String(index).padStart(64, '0');
  const memory = () => {
    let text: string | null = null;
    return { read: async () => text, write: async (next: string) => void (text = next), peek: () => text };
  };
  test('a token works once, and its text is not kept', async () => {
    const file = memory();
    const store = await openTokens(file, () => 0);
    const { token } = await store.mint(identity, 1000);
    expect(file.peek()).not.toContain(token);
    const uses = await Promise.all(Array.from({ length: 8 }, (_, index) => store.redeem(token, key(index))));
    expect(uses.filter((use) => use !== null)).toEqual([identity]);
    expect(await (await openTokens(file, () => 0)).redeem(token, key(8))).toBeNull();
  });
  test('the key that spent a token has it until it expires, after a restart too, and no other key has', async () => {
    let now = 0;
    const file = memory();
    const store = await openTokens(file, () => now);
    const { token } = await store.mint(identity, 1000);
    expect(await store.redeem(token, key(1))).toEqual(identity);
    for (const opened of [store, await openTokens(file, () => now)]) {
      expect(await opened.redeem(token, key(1))).toEqual(identity);
      expect(await opened.redeem(token, key(2))).toBeNull();
    }
    now = 1000;
    expect(await store.redeem(token, key(1))).toBeNull();
  });
  test('a file of a CA from before is read as it was meant, and one from before takes no spent token of ours for an open one', async () => {
    const file = memory();
    const { token } = await (await openTokens(file, () => 0)).mint(identity, 1000);
    const { tokens } = JSON.parse(file.peek() ?? '');
    expect(tokens).toEqual([{ hash: expect.any(String), identity, expires: 1000 }]);
    await file.write(JSON.stringify({ tokens }));
    const store = await openTokens(file, () => 0);
    expect(await store.redeem(token, key(1))).toEqual(identity);
    expect(JSON.parse(file.peek() ?? '').tokens).toEqual([]);
  });
  test('a token outlives a restart and not its time', async () => {
    let now = 0;
    const file = memory();
    const { token } = await (await openTokens(file, () => now)).mint(identity, 1000);
    const later = (await (await openTokens(file, () => now)).mint(identity, 1000)).token;
    expect(await (await openTokens(file, () => now)).redeem(token, key(1))).toEqual(identity);
    now = 1000;
    expect(await (await openTokens(file, () => now)).redeem(later, key(1))).toBeNull();
  });
  test('a damaged file is refused rather than forgotten', async () => {
    await expect(openTokens({ read: async () => '{"tokens":[{"hash":"x"}]}', write: async () => undefined }, () => 0)).rejects.toThrow(
      'damaged',
    );
  });
});

describe('the server', () => {
  let ca: RunningCa;
  let holder: Holder | null = null;
  const start = async (over: Partial<CaConfig> = {}): Promise<void> => {
    const listen = { host: '127.0.0.1', port: 0 };
    ca = await serveCa(
      { trustDomain: 'mesh.test', stateDir: folder, listen, admin: listen, adminTokenFile: path.join(folder, 'admin.token'), ...over },
      silentLog,
    );
  };
  const mint = async (body: object = identity, authorization?: string): Promise<Response> =>
    fetch(`${ca.adminUrl}/v1/join-tokens`, {
      method: 'POST',
      headers: { authorization: authorization ?? `Bearer ${(await fs.readFile(path.join(folder, 'admin.token'), 'utf8')).trim()}` },
      body: JSON.stringify(body),
    });
  const enrol = async (
    token: string | (() => string | null),
    over: { readonly clock?: Clock; readonly signal?: AbortSignal } = {},
  ): Promise<Holder> =>
    holdIdentity(
      {
        ...{ trustDomain: 'mesh.test', address: ca.address, trust: await fs.readFile(ca.trustFile, 'utf8') },
        token: async () => (typeof token === 'string' ? token : token()),
      },
      { clock: systemClock, log: silentLog, ...over },
    );
  /** What an enrolment is told by the CA; undefined when it is enrolled. */
  const refusal = async (csr: string, shown: string): Promise<string | undefined> => {
    const roots = await fs.readFile(ca.trustFile, 'utf8');
    const client = new Client(ca.address, clientCredentials(roots, caPrincipal('mesh.test'), null), channelOptions);
    const { path: name, requestSerialize, responseDeserialize } = caMethods.enrol;
    return new Promise<string | undefined>((resolve) =>
      client.makeUnaryRequest(name, requestSerialize, responseDeserialize, { csr, token: shown }, (error) => resolve(error?.details)),
    ).finally(() => client.close());
  };
  const token = async (): Promise<string> => String(((await (await mint()).json()) as { token?: unknown }).token);
  afterEach(async () => {
    holder?.close();
    holder = null;
    await ca.close();
  });

  test('enrols by token, renews by the SVID, and never gives a second SVID for a token', async () => {
    await start();
    const text = await token();
    holder = await enrol(text);
    const first = holder.current();
    await holder.renew();
    const second = holder.current();
    expect(second.key).not.toBe(first.key);
    expect(identityOf(new X509Certificate(second.chain).raw)).toMatchObject(identity);
    expect(await refusal((await newKeyAndCsr()).csr, text)).toContain('unknown, spent or expired');
  });
  test('who loses the answer to its enrolment comes again with its key and is enrolled; a request that is none spends no token', async () => {
    await start();
    const [text, roots] = [await token(), await fs.readFile(ca.trustFile, 'utf8')];
    const lossy = await losing(ca.address);
    const asked = { trustDomain: 'mesh.test', address: lossy.address, trust: roots, token: async () => text };
    try {
      expect(await refusal('none', text)).toContain('not PEM of PKCS#10');
      expect(await refusal('none', 'mwj_none')).toContain('unknown, spent or expired');
      holder = await holdIdentity(asked, { clock: systemClock, log: silentLog });
      expect(lossy.lost()).toBe(1);
      expect(identityOf(new X509Certificate(holder.current().chain).raw)).toMatchObject(identity);
      expect(await refusal((await newKeyAndCsr()).csr, text)).toContain('unknown, spent or expired');
    } finally {
      await lossy.close();
    }
  });
  test('a certificate that has lapsed renews nothing, on a connection older than that either', async () => {
    await start();
    holder = await enrol(await token());
    const own = holder.current();
    holder.close();
    const client = new Client(ca.address, clientCredentials(own.trust, caPrincipal('mesh.test'), own), channelOptions);
    const renew = async (): Promise<string> => {
      const { path: name, requestSerialize, responseDeserialize } = caMethods.renew;
      const { csr } = await newKeyAndCsr();
      return new Promise((resolve) => {
        client.makeUnaryRequest(name, requestSerialize, responseDeserialize, { csr }, (error) => resolve(error?.details ?? 'renewed'));
      });
    };
    try {
      expect(await renew()).toBe('renewed');
      jest.spyOn(Date, 'now').mockReturnValue(own.notAfter);
      expect(await renew()).toContain('that has not lapsed');
    } finally {
      jest.restoreAllMocks();
      client.close();
    }
  });
  test('rotates by itself before two thirds of the life are over', async () => {
    await start();
    const meant: number[] = [];
    const clock: Clock = { ...systemClock, sleep: (ms, options) => (meant.push(ms), systemClock.sleep(1, options)) };
    holder = await enrol(await token(), { clock });
    const keys = new Set([holder.current().key]);
    await new Promise<void>((resolve) => holder?.onRotation((svid) => keys.add(svid.key).size === 3 && resolve()));
    for (const ms of meant.slice(0, 2)) {
      expect(ms).toBeLessThan(3_600_000 * 0.67);
      expect(ms).toBeGreaterThan(3_600_000 * 0.55);
    }
  });
  test('a holder whose certificate lapsed while the CA was away says so, when it has no token for another', async () => {
    await start();
    const given = [await token()];
    let passed = 0;
    const clock: Clock = { ...systemClock, now: () => Date.now() + passed, sleep: (_ms, options) => systemClock.sleep(1, options) };
    holder = await enrol(() => given.pop() ?? null, { clock });
    await ca.close();
    passed = 2 * 3_600_000;
    expect(await holder.lapsed).toContain('has lapsed');
    await start();
  });
  test('minting needs the admin token, an identity of this trust domain, and decodes strictly', async () => {
    await start();
    expect((await mint(identity, 'Bearer wrong')).status).toBe(401);
    expect((await mint({ ...identity, principal: 'spiffe://other.test/ns/a/sa/b' })).status).toBe(400);
    expect((await mint({ ...identity, instance: 'CN=x,OU=y' })).status).toBe(400);
    expect((await mint({ ...identity, principal: 'spiffe://mesh.test/ns/bookinfo/sa/*' })).status).toBe(400);
  });
  test('a gateway gets the certificate that is named for it, and nobody else does', async () => {
    await start({
      certificates: {
        'bookinfo/edge': { hosts: ['bookinfo.example'], principals: [identity.principal] },
        'pay/edge': { hosts: ['pay.example'], principals: ['spiffe://mesh.test/ns/pay/sa/edge'] },
      },
    });
    holder = await enrol(await token());
    const leaf = new X509Certificate((await holder.serving('bookinfo/edge')).chain);
    expect(leaf.subjectAltName).toBe('DNS:bookinfo.example');
    expect(identityOf(leaf.raw)).toBeNull();
    await expect(holder.serving('pay/edge')).rejects.toThrow('may not have');
    await expect(holder.serving('no/such')).rejects.toThrow('may not have');
  });
  test('one whose admin token is none does not begin, and leaves nobody at its port', async () => {
    await start();
    const port = Number(ca.address.split(':')[1]);
    await ca.close();
    await fs.writeFile(path.join(folder, 'admin.token'), 'two words');
    await expect(start({ listen: { host: '127.0.0.1', port } })).rejects.toThrow('admin.token holds no token');
    await fs.rm(path.join(folder, 'admin.token'));
    await start({ listen: { host: '127.0.0.1', port } });
  });
  test('a taken port is one clear line', async () => {
    await start();
    const port = Number(ca.address.split(':')[1]);
    await expect(
      serveCa(
        {
          trustDomain: 'mesh.test',
          stateDir: path.join(folder, 'two'),
          listen: { host: '127.0.0.1', port },
          admin: { host: '127.0.0.1', port: 0 },
          adminTokenFile: path.join(folder, 'two.token'),
        },
        silentLog,
      ),
    ).rejects.toThrow(`port ${port} on 127.0.0.1 is taken`);
  });
});
