/**
 * Values that are no values: each says which one it stands for, so that what `objectsOf` makes of them can be turned into a template. A piece of
 * an installation may copy a value, put a text inside another, or leave an object out by a switch; whatever else it did with one (count it, look
 * into it) would show here as an error.
 */
import type { InstallValues } from '../../deploy/install/values';

/** Values that are passed through as a whole, whatever is in them. */
const wholes = [
  'trustRoot',
  'resources.controlPlane',
  'resources.webhook',
  'resources.ca',
  'resources.gitops',
  'webhook.settings',
  'gitops.settings',
  'gatewayCertificates',
];
const firstNumber = 910_000_000;

export interface Placeholders {
  /** With every switch on. */
  readonly values: InstallValues;
  /** Paths of the booleans: `gitops.enabled`. */
  readonly switches: readonly string[];
  /** Paths by the number that stands for them. */
  readonly numbers: ReadonlyMap<number, string>;
  /** The same values with one switch off. */
  without(path: string): InstallValues;
}

export function placeholdersFor(defaults: InstallValues): Placeholders {
  const switches: string[] = [];
  const numbers = new Map<number, string>();
  const stand = (value: unknown, path: string): unknown => {
    if (typeof value === 'string') return `⟦s:${path}⟧`;
    if (typeof value === 'number') {
      const number = firstNumber + numbers.size;
      numbers.set(number, path);
      return number;
    }
    if (typeof value === 'boolean') {
      switches.push(path);
      return true;
    }
    if (Array.isArray(value)) return [`⟦w:${path}⟧`];
    if (wholes.includes(path)) return { [`⟦w:${path}⟧`]: '' };
    return eachMember(value, (member, name) => stand(member, path === '' ? name : `${path}.${name}`));
  };
  const values = asValues(stand(defaults, ''));
  return { values, switches, numbers, without: (path) => asValues(switchedOff(values, path.split('.'))) };
}

function switchedOff(value: unknown, [name, ...rest]: readonly string[]): unknown {
  if (name === undefined) return false;
  return eachMember(value, (member, key) => (key === name ? switchedOff(member, rest) : member));
}

function eachMember(value: unknown, replace: (member: unknown, name: string) => unknown): object {
  if (typeof value !== 'object' || value === null) throw new Error(`internal: \`${String(value)}\` cannot stand in values`);
  return Object.fromEntries(Object.entries(value).map(([name, member]: [string, unknown]) => [name, replace(member, name)]));
}

/** Of the same shape by construction; what a text may be does not matter to what only copies it. */
const asValues = (value: unknown): InstallValues => value as InstallValues;
