import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { Clock } from '../../platform/clock';
import { temporaryFolder } from '../../platform/files';
import { silentLog } from '../../platform/log';
import { localAuthority, type LocalAuthority, type Pair } from '../../test/kit/serving-certificate';
import { provideSecrets, type Provider } from './provide';
import type { Secret } from './secrets';

const hour = 3_600_000;
const name = 'platform/edge-tls';
const secretName = `certificate/${name}`;
let folder: string;
let own: LocalAuthority;
let later = 0;
let wake: (() => void)[] = [];
let given: Map<string, Secret>;
let unwanted: Set<string>;
let provider: Provider;
/** What the CA answers; null: it issues none. */
let issued: Pair | null = null;

/** Time that stands, but for `later`; who sleeps is woken by `looked`. */
const clock: Clock = {
  now: () => Date.now() + later,
  monotonic: () => later,
  sleep: (_ms, { signal } = {}) =>
    new Promise((resolve, reject) => {
      wake.push(resolve);
      signal?.addEventListener('abort', () => reject(signal.reason));
    }),
};
/** Once everybody has looked again. */
async function looked(): Promise<void> {
  const sleepers = wake;
  wake = [];
  for (const one of sleepers) one();
  while (wake.length < sleepers.length) await new Promise((resolve) => setImmediate(resolve));
}
const put = async (file: string, text: string): Promise<void> => {
  await fs.mkdir(path.join(folder, name), { recursive: true });
  await fs.writeFile(path.join(folder, name, file), text);
};
const putPair = async ({ cert, key }: Pair): Promise<void> => {
  await put('tls.crt', cert);
  await put('tls.key', key);
};
const said = (): readonly string[] => provider.troubles().map(({ kind, state, reason }) => `${kind} ${state}: ${reason}`);

beforeEach(async () => {
  folder = await temporaryFolder('provide');
  own = await localAuthority();
  [later, wake, issued] = [0, [], null];
  [given, unwanted] = [new Map(), new Set()];
  provider = provideSecrets(
    {
      folder,
      holder: {
        serving: () =>
          issued
            ? Promise.resolve({
                ...{ key: issued.key, chain: issued.cert, trust: '' },
                obtained: clock.now(),
                notAfter: clock.now() + hour,
              })
            : Promise.reject(new Error('no such gateway')),
      },
      secrets: { set: (one, secret) => void given.set(one, secret), isWanted: (one) => !unwanted.has(one) },
    },
    { clock, log: silentLog },
  );
});
afterEach(async () => {
  provider.close();
  await fs.rm(folder, { recursive: true, force: true });
});
const wanted = async (one = secretName): Promise<void> => {
  provider.want(one);
  while (wake.length === 0) await new Promise((resolve) => setImmediate(resolve));
};

test('a certificate that is not there is missing until it comes', async () => {
  await wanted();
  expect(said()).toEqual([
    `certificate missing: the agent's folder of certificates has no \`${name}\`, and the CA gives none: no such gateway`,
  ]);
  await putPair(await own.serving());
  await looked();
  expect(said()).toEqual([]);
  expect(given.has(secretName)).toBe(true);
});
test('one that the CA issues is none of anybody’s', async () => {
  issued = await own.serving();
  await wanted();
  expect(said()).toEqual([]);
});
test('a key that does not fit leaves the one before in use, and says so', async () => {
  await putPair(await own.serving());
  await wanted();
  const before = given.get(secretName);
  await put('tls.key', (await own.serving()).key);
  await looked();
  expect(said()).toEqual([
    expect.stringMatching(/^certificate unusable: the key in `tls.key` is not that of .*; the one before is used until 20\d\d-.*Z$/),
  ]);
  expect(given.get(secretName)).toBe(before);
  later = 48 * hour;
  await looked();
  expect(said()).toEqual([expect.not.stringContaining('the one before')]);
});
test('one that ends is said beforehand, then as ended, and not any more when it is renewed', async () => {
  await putPair(await own.serving(24 * hour));
  await wanted();
  expect(said()).toEqual([]);
  later = 20 * hour;
  await looked();
  expect(said()).toEqual([expect.stringMatching(/^certificate ending: ends /)]);
  later = 25 * hour;
  await looked();
  expect(said()).toEqual([expect.stringMatching(/^certificate unusable: ended /)]);
  await putPair(await own.serving(80 * hour));
  await looked();
  expect(said()).toEqual([]);
});
test('what Envoy does not take is unusable until there is another', async () => {
  await putPair(await own.serving());
  await wanted();
  provider.refused(secretName, 'the key is too short');
  await looked();
  expect(said()).toEqual(['certificate unusable: Envoy does not take it: the key is too short']);
  await putPair(await own.serving());
  await looked();
  expect(said()).toEqual([]);
});
test('what Envoy has no use for any more is nobody’s trouble', async () => {
  await wanted();
  unwanted.add(secretName);
  expect(said()).toEqual([]);
});
test('authorities are files alone', async () => {
  await wanted(`authorities/${name}`);
  expect(said()).toEqual([`authorities missing: the agent's folder of certificates has no \`${name}/ca.crt\``]);
  await put('ca.crt', (await own.serving()).key);
  await looked();
  expect(said()).toEqual(['authorities unusable: `ca.crt` has no certificate that can be read']);
  await put('ca.crt', own.ca);
  await looked();
  expect(said()).toEqual([]);
});
