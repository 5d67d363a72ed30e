/** What changes for who has a token: whose tokens are valid, signed with which keys, for whom. No request shows it: a probe says what a token claims, never who signed it. */
import type { Issuer, MeshIr } from '../../core/ir/ir';
import { digestOf, shortDigest } from '../../core/lib/digest';
import { canonicalJson } from '../../core/lib/json';
import { sortedUnique } from '../../core/lib/order';
import type { RuleId } from '../../core/mesh/ids';
import { accessSpeaksOfUsers, routesSpeakOfUsers } from '../../core/semantics/user';

export interface IssuerChange {
  /** Its name. */
  readonly issuer: string;
  readonly field: 'url' | 'audiences' | 'keys';
  /** In words; `none` where the mesh does not know the issuer. */
  readonly before: string;
  readonly after: string;
  /** What it comes to for requests with its tokens, at these ports and hosts. */
  readonly means: string;
  /** Ports and hosts whose rules speak of users, before or after. Sorted; empty: nobody is asked for a token. */
  readonly at: readonly string[];
  readonly because: RuleId;
}

/** By issuer, field. Where no rule speaks of users nobody looks at tokens, and nothing changes. */
export function issuerChanges(before: MeshIr | null, after: MeshIr): readonly IssuerChange[] {
  const at = sortedUnique([...speakers(before), ...speakers(after)]);
  if (at.length === 0) return [];
  const [old, fresh] = [byName(before), byName(after)];
  return sortedUnique([...old.keys(), ...fresh.keys()]).flatMap((name) => {
    const [was, is] = [old.get(name), fresh.get(name)];
    const known = is ?? was;
    if (!known) return [];
    return fields.flatMap(({ field, of, means }): IssuerChange[] => {
      const [from, to] = [was ? of(was) : [], is ? of(is) : []];
      const lost = from.filter((value) => !to.includes(value));
      const gained = to.filter((value) => !from.includes(value));
      if (lost.length + gained.length === 0) return [];
      const said = [...(lost.length > 0 ? [means(lost, 'answered 401')] : []), ...(gained.length > 0 ? [means(gained, 'taken')] : [])];
      return [{ issuer: name, field, before: words(from), after: words(to), means: said.join('; '), at, because: known.id }];
    });
  });
}

const words = (values: readonly string[]): string => (values.length === 0 ? 'none' : values.join(', '));
const byName = (ir: MeshIr | null): ReadonlyMap<string, Issuer> => new Map((ir?.issuers ?? []).map((issuer) => [issuer.name, issuer]));

const fields: readonly {
  readonly field: IssuerChange['field'];
  readonly of: (issuer: Issuer) => readonly string[];
  readonly means: (values: readonly string[], outcome: 'taken' | 'answered 401') => string;
}[] = [
  { field: 'url', of: ({ url }) => [url], means: (values, outcome) => `tokens of ${words(values)} are ${outcome}` },
  { field: 'audiences', of: ({ audiences }) => audiences, means: (values, outcome) => `tokens for ${words(values)} alone are ${outcome}` },
  { field: 'keys', of: keysOf, means: (values, outcome) => `tokens signed with ${words(values)} are ${outcome}` },
];

/** `kid (alg, what the key is)`: another key of the same name is another key. */
function keysOf({ keys: source }: Issuer): readonly string[] {
  if (source.kind === 'fetched') return [`what ${source.url} has`];
  const { keys } = JSON.parse(source.jwks) as { readonly keys: readonly { readonly [member: string]: string }[] }; // canonical JSON that lower wrote
  return keys
    .map((key) => {
      const { kid, alg, ...members } = key;
      return `${kid ?? 'the key'} (${alg}, ${shortDigest(digestOf(canonicalJson(members)))})`;
    })
    .sort();
}

/** Ports and hosts where a token that is not valid is refused. */
function speakers(ir: MeshIr | null): readonly string[] {
  if (!ir) return [];
  const ports = new Set(ir.access.map(({ port }) => port));
  return [
    ...ir.routes.filter(({ rules }) => routesSpeakOfUsers(rules)).map(({ port }) => port),
    ...ir.hostRoutes.filter(({ rules }) => routesSpeakOfUsers(rules)).map(({ listener, host }) => `${listener}/${host}`),
    ...[...ports].filter((port) =>
      accessSpeaksOfUsers(
        ir.access.filter((rule) => rule.port === port),
        'enforce',
      ),
    ),
  ];
}
