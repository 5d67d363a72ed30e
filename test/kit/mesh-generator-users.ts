/**
 * End users of generated meshes: issuers whose keys follow from their names, rules that speak of users, and tokens that are really signed. Keys, signatures
 * (RFC 8032: of a message there is one) and times are such that equal seeds make equal bytes.
 */
import * as crypto from 'node:crypto';
import type { DeclarationValue, WireUser } from '../../core/declarations/declaration';
import type { AccessRule, Issuer, MeshIr, RouteRule, UserMatch } from '../../core/ir/ir';
import type { JsonObject } from '../../core/lib/json';
import type { Claims } from '../../core/semantics/user';
import type { Random } from './random';

interface IssuerOfUniverse {
  readonly name: string;
  readonly url: string;
  readonly audiences: readonly string[];
}
const acme: IssuerOfUniverse = { name: 'acme', url: 'https://accounts.acme.example', audiences: ['shop', 'shop-admin'] };
const partner: IssuerOfUniverse = { name: 'partner', url: 'https://login.partner.example', audiences: ['shop'] };
const issuers = [acme, partner];
/** One that no mesh knows. */
const stranger: IssuerOfUniverse = { name: 'stranger', url: 'https://stranger.example', audiences: ['shop'] };

/** A private key by its name: Ed25519 (RFC 8410 section 7: 32 bytes behind this), of bytes that everybody can compute. */
function privateKey(kid: string): crypto.KeyObject {
  const seed = crypto.createHash('sha256').update(kid).digest();
  const key = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  return crypto.createPrivateKey({ key, format: 'der', type: 'pkcs8' });
}
const kidOf = ({ name }: IssuerOfUniverse): string => `${name}-1`;
function publicJwk(kid: string): object {
  return { ...crypto.createPublicKey(privateKey(kid)).export({ format: 'jwk' }), kid, alg: 'EdDSA', use: 'sig' };
}

/** Declarations of the issuers that a mesh knows, by id. */
export function issuersOf(random: Random): readonly (readonly [id: string, value: DeclarationValue])[] {
  return random.some(issuers, 1, 2).map((issuer) => [
    `mesh/${issuer.name}`,
    {
      ...{ kind: 'issuer', name: issuer.name, url: issuer.url, audiences: issuer.audiences },
      keys: { file: `${issuer.name}.json`, text: JSON.stringify({ keys: [publicJwk(kidOf(issuer))] }) },
    },
  ]);
}

/** A name with dots, as claims have them; no path into anything. */
const odd = 'https://acme.example/role.name';
/** A user of one of the issuers whose declarations have these ids. */
export function userOf(random: Random, ids: readonly string[]): WireUser {
  const claim = random.pick<WireUser['claims'][number]>([
    { name: 'role', kind: 'is', values: ['admin'] },
    { name: 'groups', kind: 'includes', values: ['editors'] },
    { name: 'tier', kind: 'oneOf', values: ['gold', 'silver'] },
    { name: odd, kind: 'is', values: ['admin'] },
  ]);
  return {
    issuer: { ref: random.pick(ids) },
    claims: random.chance(20) ? [] : random.chance(20) ? [claim, { name: 'tier', kind: 'oneOf', values: ['gold'] }] : [claim],
  };
}

/** What `authorization` says; null: nothing. About half of the tokens fit a rule, the others are of somebody else or are none that is valid. */
export function authorization(random: Random, ir: MeshIr, allows: readonly AccessRule[], rules: readonly RouteRule[]): string | null {
  const asked = [...allows.map(({ user }) => user), ...rules.map(({ match }) => match?.user ?? null)].filter((user) => user !== null);
  if (ir.issuers.length === 0 || random.chance(asked.length > 0 ? 20 : 85)) return null;
  const user = asked.length > 0 && random.chance(80) ? random.pick(asked) : null;
  const issuer = issuers.find(({ url }) => url === user?.issuer) ?? random.pick(issuers);
  const [kid, claims] = [kidOf(issuer), good(issuer, claimsFor(random, user))];
  const other = random.pick([...issuers.filter((one) => one !== issuer), stranger]);
  if (random.chance(65)) return `Bearer ${sign(kid, kid, claims)}`;
  const { iss: _issuer, ...nobodys } = claims;
  const { exp: _end, ...endless } = claims;
  return random.pick([
    `Bearer ${sign(kidOf(other), kid, claims)}`,
    `Bearer ${sign(kid, 'nobody-named-it', claims)}`,
    `Bearer ${sign(kidOf(other), kidOf(other), claims)}`,
    `Bearer ${sign(kidOf(stranger), kidOf(stranger), good(stranger, {}))}`,
    `Bearer ${sign(kid, kid, { ...claims, exp: over })}`,
    `Bearer ${sign(kid, kid, { ...claims, nbf: farAway - 1 })}`,
    `Bearer ${sign(kid, kid, { ...claims, aud: 'bank' })}`,
    `Bearer ${sign(kid, kid, { ...claims, aud: ['bank', 'shop'] })}`,
    `Bearer ${sign(kid, kid, nobodys)}`,
    `Bearer ${sign(kid, kid, endless)}`,
    `Bearer ${sign(kid, kid, claims)},Bearer ${sign(kid, kid, good(issuer, {}))}`,
    'Bearer nonsense',
    'Bearer a.b.c',
    'Basic eDp5',
    `bearer ${sign(kid, kid, claims)}`,
  ]);
}
/** Seconds since 1970 that are over, and that no run will see the end of. */
const over = 1_577_836_800;
const farAway = 4_102_444_800;
const good = ({ url, audiences }: IssuerOfUniverse, claims: JsonObject): JsonObject => ({
  iss: url,
  aud: audiences[0] ?? '',
  exp: farAway,
  ...claims,
});

function claimsFor(random: Random, user: UserMatch | null): JsonObject {
  const entries = (user?.claims ?? []).map(({ name, kind, values }): readonly [string, JsonObject[string]] => {
    const value = random.pick(values);
    if (random.chance(25)) return [name, random.pick([`${value}s`, value.toUpperCase(), [value], value, true, null, { [value]: value }])];
    return [name, kind === 'includes' ? random.pick([[value], ['x', value], ['x', 7, value]]) : value];
  });
  return Object.fromEntries(random.chance(10) ? entries.slice(1) : entries);
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
/** A token (RFC 7515) by the key of one name, which says that it is by the key of another. */
function sign(by: string, kid: string, claims: JsonObject): string {
  const text = `${part({ alg: 'EdDSA', kid, typ: 'JWT' })}.${part(claims)}`;
  return `${text}.${crypto.sign(null, Buffer.from(text), privateKey(by)).toString('base64url')}`;
}

/** What the definition is told of a token: core/semantics/README.md, 50, 51, read by other code than the proxies have. */
export function claimsOf(known: readonly Issuer[], header: string | undefined): { readonly claims?: Claims } {
  if (header === undefined || !header.startsWith('Bearer ')) return {};
  const [head = '', body = '', signature = '', ...more] = header.slice('Bearer '.length).split('.');
  const [said, claims] = [decoded(head), decoded(body)];
  const issuer = known.find(({ url }) => url === claims?.['iss']);
  if (!said || !claims || !issuer || issuer.keys.kind !== 'pinned' || more.length > 0 || header.includes(',')) return { claims: 'invalid' };
  const { keys }: { readonly keys: readonly (crypto.JsonWebKey & { readonly kid?: string })[] } = JSON.parse(issuer.keys.jwks);
  const jwk = keys.find(({ kid }) => kid === said['kid']);
  const now = Date.now() / 1000;
  const { aud, exp, nbf } = claims;
  const isTimely = typeof exp === 'number' && exp > now && (nbf === undefined || (typeof nbf === 'number' && nbf < now));
  const isForIt = [aud ?? []].flat().some((one) => typeof one === 'string' && issuer.audiences.includes(one));
  const isSigned =
    jwk !== undefined &&
    crypto.verify(
      null,
      Buffer.from(`${head}.${body}`),
      crypto.createPublicKey({ key: jwk, format: 'jwk' }),
      Buffer.from(signature, 'base64url'),
    );
  return { claims: isTimely && isForIt && isSigned ? claims : 'invalid' };
}
function decoded(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null; // it was parsed from JSON
  } catch {
    return null;
  }
}
