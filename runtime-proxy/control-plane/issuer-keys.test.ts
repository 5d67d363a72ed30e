import { generateKeyPairSync } from 'node:crypto';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import { fetchedKeys } from '../../core/mesh/jwk-set';
import { systemClock } from '../../platform/clock';
import { silentLog } from '../../platform/log';
import { localAuthority } from '../../test/kit/serving-certificate';
import { until } from '../../test/kit/until';
import { followIssuerKeys, type IssuerKeys, type IssuerKeysParts } from './issuer-keys';

/** A set as an issuer publishes it, and as it goes on. */
function published(kid: string): { readonly text: string; readonly jwks: string } {
  const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
  const text = JSON.stringify({ keys: [{ ...jwk, kid, alg: 'ES256', use: 'sig' }] });
  const read = fetchedKeys(text);
  if ('why' in read) throw new Error(read.why);
  return { text, jwks: read.jwks };
}
const [first, second] = [published('one'), published('two')];

let issuer: https.Server;
let url: string;
let ca: string;
/** null: it answers nobody. */
let says: string | null = null;
const open: IssuerKeys[] = [];

beforeAll(async () => {
  const authority = await localAuthority();
  ca = authority.ca;
  issuer = https.createServer(
    await authority.serving(),
    (_request, response) => void (says === null ? response.destroy() : response.end(says)),
  );
  await new Promise<void>((resolve, reject) => issuer.once('error', reject).listen(0, 'localhost', resolve));
  url = `https://localhost:${(issuer.address() as AddressInfo).port}/jwks`; // a TCP server that listens has one
});
afterEach(() => open.splice(0).forEach((one) => one.close()));
afterAll(() => {
  issuer.closeAllConnections();
  issuer.close();
});

function follow(over: Partial<IssuerKeysParts> = {}): IssuerKeys {
  const made = followIssuerKeys({
    settings: { trustFile: 'ca.pem', networks: ['127.0.0.0/8', '::1/128'], everySeconds: 1 },
    readTrust: () => Promise.resolve(ca),
    kept: new Map(),
    keep: () => Promise.resolve(),
    onChange: () => undefined,
    ...{ clock: systemClock, log: silentLog },
    ...over,
  });
  open.push(made);
  return made;
}
test('nobody hears of keys before they are kept: a kill in between brings nothing back that was taken away', async () => {
  let written: () => void = () => undefined;
  const given: ReadonlyMap<string, string>[] = [];
  const heard: (string | undefined)[] = [];
  const keys = follow({
    kept: new Map([[url, first.jwks]]),
    keep: (all) => (given.push(all), new Promise<void>((resolve) => (written = resolve))),
    onChange: () => void heard.push(keys.current().get(url)),
  });
  says = second.text;
  keys.want([url]);
  await until('it is kept', () => given.length > 0);
  expect([given[0]?.get(url), heard]).toEqual([second.jwks, [first.jwks]]);
  written();
  await until('it is told', () => heard.length > 1);
  expect(heard).toEqual([first.jwks, second.jwks]);
});

test('keys that cannot be kept are told all the same, and it is tried again', async () => {
  let tries = 0;
  const keys = follow({ keep: () => ((tries += 1), Promise.reject(new Error('the disk is full'))) });
  says = second.text;
  keys.want([url]);
  await until('it is tried again', () => tries > 1);
  expect(keys.current().get(url)).toBe(second.jwks);
});

test('an address that is named again has what it had last, not what was kept at the start', async () => {
  const keys = follow({ kept: new Map([[url, first.jwks]]) });
  says = second.text;
  keys.want([url]);
  await until('they are known', () => keys.current().get(url) === second.jwks);
  says = null;
  keys.want([]);
  expect(keys.current().size).toBe(0);
  keys.want([url]);
  expect(keys.current().get(url)).toBe(second.jwks);
});

test('two issuers at once: what is kept in the end has the keys of both', async () => {
  const given: ReadonlyMap<string, string>[] = [];
  const keys = follow({ keep: (all) => (given.push(all), Promise.resolve()) });
  says = first.text;
  keys.want([url, `${url}?other`]);
  await until('both are known', () => keys.current().size === 2);
  expect([...(given.at(-1)?.keys() ?? [])].sort()).toEqual([url, `${url}?other`]);
});
