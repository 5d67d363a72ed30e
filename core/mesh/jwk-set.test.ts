import { fetchedKeys, type KeySet, pinnedKeys, whyNoKeysAddress } from './jwk-set';

const ec = { kty: 'EC', crv: 'P-256', x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4', y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM' };
const ed = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };
const rsa = { kty: 'RSA', n: 'A'.repeat(342), e: 'AQAB' };
const set = (...keys: readonly object[]): string => JSON.stringify({ keys });
const kept = (read: KeySet): readonly unknown[] =>
  'jwks' in read
    ? (JSON.parse(read.jwks) as { readonly keys: readonly { readonly kid?: string; readonly alg: string }[] }).keys.map(({ kid, alg }) => [
        kid,
        alg,
      ])
    : [read.why];

test('of what an issuer publishes the keys for signatures are kept, with the algorithm that their kind has', () => {
  const published = [
    { ...rsa, kid: 'r', use: 'sig', x5c: ['MIIC'], issuer: 'x' },
    { ...ec, kid: 'e' },
    { ...ed, kid: 'd', alg: 'EdDSA' },
    { ...rsa, kid: 'enc', use: 'enc' },
    { ...rsa, kid: 'r512', alg: 'RS512' },
    { ...rsa, n: 'A'.repeat(171), kid: 'short' },
    { ...ec, crv: 'P-384', kid: 'other-curve' },
    { ...rsa, alg: 'HS256', kid: 'as-secret' },
    'nonsense',
  ] as readonly object[];
  expect([...kept(fetchedKeys(set(...published)))].sort()).toEqual([
    ['d', 'EdDSA'],
    ['e', 'ES256'],
    ['r', 'RS256'],
  ]);
  expect(fetchedKeys(set({ ...ec, kid: 'e', more: 'x' }))).toEqual(pinnedKeys(set({ ...ec, kid: 'e', alg: 'ES256' })));
});
test.each<[string, string, string]>([
  ['a secret among them', set({ ...ec, kid: 'e' }, { kty: 'oct', k: 'AAAA', alg: 'HS256' }), 'key 1 holds a secret'],
  ['a private key among them', set({ ...ec, kid: 'e' }, { ...ec, kid: 'f', d: 'AAAA' }), 'key 1 holds a secret'],
  ['nothing for signatures', set({ ...rsa, use: 'enc' }), 'it has no key for RS256, PS256, ES256 or EdDSA'],
  ['nothing', set(), 'it is no JWK set (RFC 7517 section 5)'],
  ['two of one name', set({ ...ec, kid: 'e' }, { ...ed, kid: 'e' }), 'key 1 has the `kid` of another'],
  ['too many', set(...Array.from({ length: 33 }, (_, index) => ({ ...ec, kid: String(index) }))), 'it has more than 32 keys'],
  ['no JSON', '<html>', 'it is not JSON'],
  ['too much', ' '.repeat(65_537), 'it is longer than 65536 characters'],
])('%s: none is trusted', (_, text, why) => {
  expect(fetchedKeys(text)).toEqual({ why });
});

test.each(['https://accounts.acme.example', 'https://a.example/', 'https://a.example:8443/keys?v=2', 'https://localhost:9/x'])(
  'keys are had at %s',
  (url) => {
    expect(whyNoKeysAddress(url)).toBeNull();
  },
);
test.each([
  'http://a.example/',
  'https://a.example/#x',
  'https://u:p@a.example/',
  'https://10.0.0.1/',
  'https://[::1]/',
  'https://0x7f000001/',
  'https://0x7f.1/',
  'https://127.0x1/',
  'https://2130706433/',
  'https://a.0x/',
  'https://A.example/',
  'https://a.example:0/',
  'https://a.example:70000/',
  'https:///x',
  'https://a..example/',
  `https://a.example/${'x'.repeat(600)}`,
  'https://a.example/a b',
])('and not at %s', (url) => {
  expect(whyNoKeysAddress(url)).not.toBeNull();
});
