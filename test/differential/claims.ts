/** What a coverage says, as a list; and what of it came up in an IR. */
import type { MeshIr } from '../../core/ir/ir';
import { coverage } from './coverage';

/** A node of a coverage, whatever type it is about. */
type Node = string | { readonly [name: string]: Node };

/** A member, kind or literal that is generated. Shared parts of the IR are one claim, however many places they stand in. */
export interface Claim {
  /** Where it stands first: `routes.rules.match.headers.name`. */
  readonly at: string;
  readonly words: string;
}
export interface Gap {
  readonly at: string;
  readonly why: string;
}

const root = coverage as unknown as Node; // its type says more than is needed to walk it
type Key = string;
const keys = new Map<Node, number>();
/** A leaf by the object that it is a member of, so that shared parts count once. */
function keyOf(parent: Node, name: string): Key {
  let number = keys.get(parent);
  if (number === undefined) keys.set(parent, (number = keys.size));
  return `${number}.${name}`;
}

export function claimsAndGaps(): { readonly claims: ReadonlyMap<Key, Claim>; readonly gaps: readonly Gap[] } {
  const claims = new Map<Key, Claim>();
  const gaps: Gap[] = [];
  const seen = new Set<Node>();
  const walk = (node: Node, at: string): void => {
    if (typeof node === 'string' || seen.has(node)) return;
    seen.add(node);
    for (const [name, inner] of Object.entries(node)) {
      const place = isForm(name) ? at : at === '' ? name : `${at}.${name}`;
      if (typeof inner === 'string') claims.set(keyOf(node, name), { at: place, words: inner });
      else if (typeof inner['notGenerated'] === 'string') gaps.push({ at: place, why: inner['notGenerated'] });
      else walk(inner, place);
    }
  };
  walk(root, '');
  return { claims, gaps };
}

/** The claims that this mesh bears out. */
export function borneOut(ir: MeshIr, into: Set<Key>): void {
  const walk = (value: unknown, node: Node, parent: Node, name: string): void => {
    if (value === null || value === undefined) return;
    if (Array.isArray(value)) {
      const list = typeof node === 'string' ? undefined : node['list'];
      for (const one of value) walk(one, list ?? node, list === undefined ? parent : node, list === undefined ? name : 'list');
      return;
    }
    if (typeof node === 'string') {
      if (typeof value !== 'object' || Object.keys(value).length > 0) into.add(keyOf(parent, name));
      return;
    }
    if (typeof node['notGenerated'] === 'string') return;
    if (typeof value !== 'object') {
      const { words } = node;
      const holder = words === undefined || typeof words === 'string' ? node : words;
      if (typeof holder[String(value)] === 'string') into.add(keyOf(holder, String(value)));
      return;
    }
    const { kind } = value as { readonly kind?: unknown }; // looked at, whatever it is
    const members = node['thing'] ?? node;
    const chosen = typeof kind === 'string' && typeof members !== 'string' && members['kind'] === undefined ? members[kind] : members;
    if (chosen === undefined) return;
    if (typeof chosen === 'string') return void (typeof members !== 'string' && into.add(keyOf(members, String(kind))));
    for (const [member, inner] of Object.entries(value)) {
      const under = chosen[member];
      if (under !== undefined) walk(inner, under, chosen, member);
    }
  };
  walk(ir, root, root, '');
}

/** Names that the coverage gives to the forms of a mixed type, and that are no members. */
const isForm = (name: string): boolean => name === 'words' || name === 'list' || name === 'thing';
