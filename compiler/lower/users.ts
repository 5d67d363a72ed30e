/** End users: issuers with their keys, and whom a rule takes. */
import { ir as messages } from '../../core/diagnostics/ir';
import type { WireUser } from '../../core/declarations/declaration';
import type { ClaimMatch, Issuer, UserMatch } from '../../core/ir/ir';
import { canonicalJson } from '../../core/lib/json';
import { sortedBy, sortedUnique } from '../../core/lib/order';
import type { RuleId } from '../../core/mesh/ids';
import { checkOwner } from './nouns';
import type { Context, Declared, Place } from './context';

/** Every issuer, by name. One `iss` is one issuer: else a token would be tried with two sets of keys. */
export function lowerIssuers(context: Context): readonly Issuer[] {
  const names = new Map<string, string>();
  const urls = new Map<string, string>();
  return sortedBy(
    context.all('issuer').flatMap((declared) => {
      const { id, team, value } = declared;
      // whom the mesh believes is everybody's matter
      checkOwner(context, { team, id }, 'declare', `issuer ${value.name}`, 'platform', true);
      const at = { id, path: '' };
      for (const [what, known, text] of [
        ['issuer', names, value.name],
        ['issuer of', urls, value.url],
      ] as const) {
        const first = known.get(text);
        if (first !== undefined) context.report(messages.duplicate, { what, name: text, first }, at);
        known.set(text, id);
      }
      if (value.audiences.length === 0) context.report(messages.empty, { what: 'the list of audiences' }, at);
      const jwks = lowerKeys(context, declared, at);
      return jwks === undefined
        ? []
        : [{ id: id as RuleId, name: value.name, url: value.url, audiences: sortedUnique(value.audiences), jwks } satisfies Issuer];
    }),
    (issuer) => issuer.name,
  );
}

/** The issuer by its `iss`; claims without repetition and in one order. */
export function lowerUser(context: Context, user: WireUser | undefined, at: Place): UserMatch | null {
  const issuer = user && context.resolve(user.issuer, ['issuer'], at);
  if (!user || !issuer) return null;
  const claims = user.claims.map(({ name, kind, values }): ClaimMatch => {
    if (values.length === 0) context.report(messages.empty, { what: `the values of claim \`${name}\`` }, at);
    return { name, kind, values: sortedUnique(values) };
  });
  const once = new Map(claims.map((claim) => [canonicalJson(claim), claim]));
  return { issuer: issuer.value.url, claims: sortedBy([...once.values()], canonicalJson) };
}

const longestFile = 65_536;
const mostKeys = 32;
function lowerKeys(context: Context, { value }: Declared<'issuer'>, at: Place): string | undefined {
  const { file, text } = value.keys;
  const refused = (why: string): undefined => void context.report(messages.badKeys, { file, why }, at);
  if (text === undefined) return refused('there is no such file below the policy directory');
  if (text.length > longestFile) return refused(`it is longer than ${longestFile} characters`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return refused('it is not JSON');
  }
  const keys = typeof parsed === 'object' && parsed !== null && 'keys' in parsed ? parsed.keys : undefined;
  if (!Array.isArray(keys) || keys.length === 0) return refused('it is no JWK set (RFC 7517 section 5)');
  if (keys.length > mostKeys) return refused(`it has more than ${mostKeys} keys`);
  const kept: object[] = [];
  const ids = new Set<string>();
  for (const [index, key] of keys.entries()) {
    const read = publicKey(key);
    if (typeof read === 'string') return refused(`key ${index} ${read}`);
    if (read['kid'] !== undefined && ids.has(read['kid'])) return refused(`key ${index} has the \`kid\` of another`);
    if (read['kid'] === undefined && keys.length > 1) return refused(`key ${index} has no \`kid\`, and there are several`);
    if (read['kid'] !== undefined) ids.add(read['kid']);
    kept.push(read);
  }
  return canonicalJson({ keys: sortedBy(kept, canonicalJson) });
}

const kinds: { readonly [alg: string]: { readonly kty: string; readonly crv?: string; readonly members: readonly string[] } } = {
  RS256: { kty: 'RSA', members: ['n', 'e'] },
  PS256: { kty: 'RSA', members: ['n', 'e'] },
  ES256: { kty: 'EC', crv: 'P-256', members: ['x', 'y'] },
  EdDSA: { kty: 'OKP', crv: 'Ed25519', members: ['x'] },
};
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** What Envoy reads of a key and nothing more; or why it is none to trust. */
function publicKey(key: unknown): { readonly [member: string]: string } | string {
  if (typeof key !== 'object' || key === null) return 'is no record';
  const members = new Map<string, unknown>(Object.entries(key));
  const secret = privateMembers.find((name) => members.has(name));
  if (secret !== undefined) return `holds a secret (\`${secret}\`): take it out of the repository, and do not use that key any more`;
  const alg = members.get('alg');
  const kind = typeof alg === 'string' && Object.hasOwn(kinds, alg) ? kinds[alg] : undefined;
  if (typeof alg !== 'string' || !kind) return 'has no `alg` that is RS256, PS256, ES256 or EdDSA';
  if (members.get('kty') !== kind.kty || members.get('crv') !== kind.crv) return `is of another kind than its \`alg\` ${alg}`;
  if (members.has('use') && members.get('use') !== 'sig') return 'is not for signatures (`use`)';
  const made: { [member: string]: string } = { alg, kty: kind.kty, ...(kind.crv === undefined ? {} : { crv: kind.crv }) };
  for (const name of kind.members) {
    const text = members.get(name);
    if (typeof text !== 'string' || !/^[A-Za-z0-9_-]{1,1400}$/.test(text)) return `has no \`${name}\` in base64url`;
    made[name] = text;
  }
  const bytes = (name: string): number => Math.floor(((made[name] ?? '').length * 3) / 4);
  if (kind.kty === 'RSA' && bytes('n') < 256) return 'is an RSA key of less than 2048 bits';
  if (kind.kty !== 'RSA' && kind.members.some((name) => bytes(name) !== 32)) return 'is not of the length of its curve';
  const kid = members.get('kid');
  if (kid !== undefined && (typeof kid !== 'string' || !/^[ -~]{1,256}$/.test(kid)))
    return 'has a `kid` that is not 1 to 256 characters of ASCII';
  return typeof kid === 'string' ? { ...made, kid } : made;
}
