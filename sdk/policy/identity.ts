/** End users: issuers, claims, keys. */
import type { WireClaim } from '../../core/declarations/declaration';
import { freeze, matches } from './intrinsics';
import { make } from './made';
import { refuse } from './policy-error';
import { type Reader, list, record, show, text } from './read';
import { refTo, register } from './registry';
import { madeAs } from './subjects';
import { httpsUrl, name } from './units';
import { verb } from './verb';

const claimName: Reader<string> = (value, at) => {
  const read = text(value, at);
  return matches(/^[ -~]{1,100}$/, read)
    ? read
    : refuse(
        at,
        'MW2125',
        `${show(value)} is no name of a claim`,
        'write the name as it stands in the token: 1 to 100 characters of ASCII',
      );
};
const claimValue: Reader<string> = (value, at) => {
  const read = text(value, at);
  return read.length <= 256 ? read : refuse(at, 'MW2125', 'a claim of more than 256 characters', 'compare with a shorter claim');
};
export const claim = verb('claim', ['name'], 1, (given) => {
  const claimed = claimName(given.take(0), given.at(0));
  const method = (kind: WireClaim['kind'], rest?: 'rest'): ((...given: unknown[]) => object) =>
    verb(
      `claim.${kind}`,
      ['value'],
      1,
      (values) => {
        const read = freeze(values.all.map((one, i) => claimValue(one, values.at(i))));
        return make({}, { kind: 'claim', claim: freeze({ name: claimed, kind, values: read }) });
      },
      rest,
    );
  return make({ is: method('is'), includes: method('includes'), oneOf: method('oneOf', 'rest') }, { kind: 'tools' });
});
/** Of the policy directory, so that a commit says which keys it trusts. */
const keyFile: Reader<string> = (value, at) => {
  const read = text(value, at);
  return matches(/^(?:[A-Za-z0-9_][A-Za-z0-9._-]*\/)*[A-Za-z0-9_][A-Za-z0-9._-]*\.json$/, read)
    ? read
    : refuse(
        at,
        'MW2125',
        `${show(value)} names no file of keys`,
        "write a path below the policy directory: `jwks.file('platform/google.jwks.json')`",
      );
};
export const jwks = freeze({
  file: verb('jwks.file', ['path'], 1, (given) => make({}, { kind: 'jwks', keys: freeze({ file: keyFile(given.take(0), given.at(0)) }) })),
  fetch: verb('jwks.fetch', ['url'], 1, (given) => make({}, { kind: 'jwks', keys: freeze({ url: httpsUrl(given.take(0), given.at(0)) }) })),
});
const aClaim = madeAs(['claim'], 'a claim', "write `claim('groups').includes('admins')`");
export const issuer = verb('issuer', ['name', 'spec'], 2, (given) => {
  const issuerName = name(given.take(0), given.at(0));
  const { url, audiences, keys } = record(
    {
      url: httpsUrl,
      audiences: list(text, { unique: 'audience' }),
      keys: madeAs(['jwks'], 'a set of keys', 'write `jwks.file(...)` or `jwks.fetch(...)`'),
    },
    {},
  )(given.take(1), given.at(1));
  const entry = register({ kind: 'issuer', name: issuerName, url, audiences, keys: keys.keys }, given.call);
  const user = verb(
    `${issuerName}.user`,
    ['claims'],
    0,
    (claims) => {
      const read = freeze(claims.all.map((one, i) => aClaim(one, claims.at(i)).claim));
      return make({}, { kind: 'user', user: freeze({ issuer: freeze({ ref: refTo(entry) }), claims: read }) });
    },
    'rest',
  );
  return make({ user }, { kind: 'issuer', entry, name: issuerName, owned: true });
});
