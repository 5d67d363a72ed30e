/** End users: issuers, claims, keys. Read and refused as the types do, and not in force in this version. */
import { freeze } from './intrinsics';
import { make } from './made';
import { list, record, text } from './read';
import { register } from './registry';
import { madeAs } from './subjects';
import { unsupported } from './unsupported';
import { httpsUrl, name } from './units';
import { verb } from './verb';

export const claim = verb('claim', ['name'], 1, (given) => {
  text(given.take(0), given.at(0));
  const method = (what: string, rest?: 'rest'): ((...given: unknown[]) => object) =>
    verb(
      `claim.${what}`,
      ['value'],
      1,
      (values) => {
        values.all.forEach((one, i) => text(one, values.at(i)));
        return make({}, { kind: 'claim' });
      },
      rest,
    );
  return make({ is: method('is'), includes: method('includes'), oneOf: method('oneOf', 'rest') }, { kind: 'tools' });
});
export const jwks = freeze({
  file: verb('jwks.file', ['path'], 1, (given) => {
    text(given.take(0), given.at(0));
    return make({}, { kind: 'jwks' });
  }),
  fetch: verb('jwks.fetch', ['url'], 1, (given) => {
    httpsUrl(given.take(0), given.at(0));
    return make({}, { kind: 'jwks' });
  }),
});
const aClaim = madeAs(['claim'], 'a claim', "write `claim('groups').includes('admins')`");
export const issuer = verb('issuer', ['name', 'spec'], 2, (given) => {
  const issuerName = name(given.take(0), given.at(0));
  record(
    { url: httpsUrl, audiences: list(text), keys: madeAs(['jwks'], 'a set of keys', 'write `jwks.file(...)` or `jwks.fetch(...)`') },
    {},
  )(given.take(1), given.at(1));
  const entry = register(unsupported('issuers of end users (`issuer`)'), given.call);
  const user = verb(
    `${issuerName}.user`,
    ['claims'],
    0,
    (claims) => {
      claims.all.forEach((one, i) => aClaim(one, claims.at(i)));
      return make({}, { kind: 'user' });
    },
    'rest',
  );
  return make({ user }, { kind: 'issuer', entry, name: issuerName, owned: true });
});
