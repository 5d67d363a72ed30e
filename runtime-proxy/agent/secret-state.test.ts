import { localAuthority, type LocalAuthority } from '../../test/kit/serving-certificate';
import { assessAuthorities, assessCertificate } from './secret-state';

const hour = 3_600_000;
const day = 24 * hour;
let own: LocalAuthority;
let start: number;
beforeAll(async () => {
  start = Date.now();
  own = await localAuthority();
});
/** Every certificate here begins an hour before the test; its life in hours, and how many hours have passed since the test began. */
const certificateAfter = async (lifeHours: number, passed: number): Promise<string | undefined> => {
  const { cert, key } = await own.serving(lifeHours * hour);
  const { trouble } = assessCertificate({ key, chain: cert }, start + passed * hour);
  return trouble?.state;
};

test.each([
  [24, -2, 'unusable'],
  [24, 0, undefined],
  [24, 17, undefined],
  [24, 19, 'ending'],
  [24, 25, 'unusable'],
  [90 * 24, 75 * 24, undefined],
  [90 * 24, 77 * 24, 'ending'],
  [20 * 24, 14 * 24, undefined],
  [20 * 24, 16 * 24, 'ending'],
])('a certificate of %d hours is, %d hours later: %s', async (life, passed, state) => {
  expect(await certificateAfter(life, passed)).toBe(state);
});

test('a certificate says when it ends, by the minute', async () => {
  const { cert, key } = await own.serving(day);
  expect(assessCertificate({ key, chain: cert }, start + 2 * day).trouble).toEqual({
    state: 'unusable',
    reason: expect.stringMatching(/^ended \d{4}-\d\d-\d\dT\d\d:\d\dZ$/),
  });
  expect(assessCertificate({ key, chain: cert }, start + 23 * hour).trouble?.reason).toMatch(/^ends .*, and nobody has renewed it$/);
});
test('what cannot be used at all is not given to Envoy', async () => {
  const [one, other] = [await own.serving(), await own.serving()];
  const said = (key: string, chain: string) => assessCertificate({ key, chain }, start);
  expect(said(one.key, other.cert)).toMatchObject({
    until: null,
    trouble: { reason: expect.stringContaining('not that of the certificate') },
  });
  expect(said(one.cert, one.cert)).toMatchObject({ until: null, trouble: { reason: expect.stringContaining('`tls.key`') } });
  expect(said(one.key, one.key)).toMatchObject({ until: null, trouble: { reason: expect.stringContaining('`tls.crt`') } });
  expect(said(one.key, one.cert.replace(/\n[^\n]{20}/, '\nAAAAAAAAAAAAAAAAAAAA'))).toMatchObject({ until: null });
  expect(JSON.stringify(said(one.key, other.cert))).not.toContain(one.key.split('\n')[1]);
});
test('a chain lasts as long as what is in it, but for an authority that ends it', async () => {
  const { cert, key } = await own.serving(20 * day);
  // the authority itself lasts a day
  expect(assessCertificate({ key, chain: cert + own.ca }, start + 2 * day).trouble).toBeNull();
  const short = await own.client('between');
  expect(assessCertificate({ key, chain: cert + short.cert }, start + 2 * day).trouble?.state).toBe('unusable');
});
test('of several authorities the last one counts, and what is none is', async () => {
  const long = await own.serving(20 * day);
  expect(assessAuthorities(own.ca, start + 2 * day).trouble?.state).toBe('unusable');
  expect(assessAuthorities(own.ca + long.cert, start + 2 * day).trouble).toBeNull();
  expect(assessAuthorities(long.key, start)).toMatchObject({ until: null, trouble: { state: 'unusable' } });
  expect(assessAuthorities('', start)).toMatchObject({ until: null, trouble: { state: 'unusable' } });
});
