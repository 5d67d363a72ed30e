/** End users: issuers with their keys, and whom a rule takes. */
import { ir as messages } from '../../core/diagnostics/ir';
import type { WireUser } from '../../core/declarations/declaration';
import type { ClaimMatch, Issuer, IssuerKeys, UserMatch } from '../../core/ir/ir';
import { canonicalJson } from '../../core/lib/json';
import { sortedBy, sortedUnique } from '../../core/lib/order';
import type { RuleId } from '../../core/mesh/ids';
import { pinnedKeys, whyNoKeysAddress } from '../../core/mesh/jwk-set';
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
      const keys = lowerKeys(context, declared, at);
      return keys === undefined
        ? []
        : [{ id: id as RuleId, name: value.name, url: value.url, audiences: sortedUnique(value.audiences), keys } satisfies Issuer];
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

/** A file of the policy repository, or where keys are had while the mesh runs. */
function lowerKeys(context: Context, { value }: Declared<'issuer'>, at: Place): IssuerKeys | undefined {
  const { keys } = value;
  const refused = (file: string, why: string): undefined => void context.report(messages.badKeys, { file, why }, at);
  if ('url' in keys) {
    const why = whyNoKeysAddress(keys.url);
    return why === null ? { kind: 'fetched', url: keys.url } : void context.report(messages.badKeysAddress, { url: keys.url, why }, at);
  }
  if (keys.text === undefined) return refused(keys.file, 'there is no such file below the policy directory');
  const read = pinnedKeys(keys.text);
  return 'why' in read ? refused(keys.file, read.why) : { kind: 'pinned', jwks: read.jwks };
}
