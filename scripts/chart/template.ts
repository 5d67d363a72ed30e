/** Objects that hold placeholders become YAML that holds Go templates. */
import type { Placeholders } from './placeholders';

const whole = /^⟦w:([A-Za-z.]+)⟧$/;
const text = /^⟦s:([A-Za-z.]+)⟧$/;
const inside = /⟦s:([A-Za-z.]+)⟧/g;
const included = /^⟦i:([a-z.-]+)⟧$/;
const hashed = /^⟦h:([a-z.-]+)⟧$/;

const json = (path: string): string => `{{ .Values.${path} | mustToRawJson }}`;

/** A text that a template includes by its name, or the SHA-256 of it. */
export const include = (name: string): string => `⟦i:${name}⟧`;
export const hashOf = (name: string): string => `⟦h:${name}⟧`;

/** Block YAML, two spaces a level; every text in quotes, so that none is taken for something else. */
export function yamlTemplate(value: unknown, placeholders: Placeholders, depth = 0): string {
  const indent = '  '.repeat(depth);
  if (Array.isArray(value)) {
    const only = passedThrough(value);
    if (only !== null) return ` ${json(only)}\n`;
    if (value.length === 0) return ' []\n';
    return `\n${value.map((item: unknown) => spread(item, indent) ?? `${indent}-${itemOf(yamlTemplate(item, placeholders, depth + 1), depth)}`).join('')}`;
  }
  if (typeof value === 'object' && value !== null) {
    const only = passedThrough(Object.keys(value));
    if (only !== null) return ` ${json(only)}\n`;
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    if (members.length === 0) return ' {}\n';
    return `\n${members
      .map(([name, member]: [string, unknown]) => `${indent}${keyOf(name)}:${yamlTemplate(member, placeholders, depth + 1)}`)
      .join('')}`;
  }
  return ` ${scalar(value, placeholders)}\n`;
}

/** A list that is passed through among fixed members: each of its own, and none where it is empty. */
function spread(item: unknown, indent: string): string | null {
  const path = typeof item === 'string' ? whole.exec(item)?.[1] : undefined;
  return path === undefined ? null : `${indent}{{- range .Values.${path} }}\n${indent}- {{ mustToRawJson . }}\n${indent}{{- end }}\n`;
}

/** The first member of an object in a list stands on the line of the dash. */
const itemOf = (block: string, depth: number): string => (block.startsWith('\n') ? ` ${block.slice(1).slice(2 * (depth + 1))}` : block);

const keyOf = (name: string): string => (/^[A-Za-z][A-Za-z0-9_$./-]*$/.test(name) ? name : JSON.stringify(literal(name)));

function scalar(value: unknown, { numbers }: Placeholders): string {
  if (typeof value === 'number') {
    const path = numbers.get(value);
    return path === undefined ? String(value) : `{{ .Values.${path} | int }}`;
  }
  if (typeof value !== 'string') return JSON.stringify(value);
  const path = text.exec(value)?.[1];
  if (path !== undefined) return json(path);
  const name = included.exec(value)?.[1];
  if (name !== undefined) return `{{ include "${name}" . | mustToRawJson }}`;
  const sum = hashed.exec(value)?.[1];
  if (sum !== undefined) return `{{ include "${sum}" . | sha256sum | quote }}`;
  // Values that stand inside a text are held to patterns that know no quote and no backslash.
  return JSON.stringify(literal(value)).replaceAll(inside, '{{ .Values.$1 }}');
}

function passedThrough(list: readonly unknown[]): string | null {
  const [only, ...more] = list;
  return typeof only === 'string' && more.length === 0 ? (whole.exec(only)?.[1] ?? null) : null;
}

/** A text as a template writes it: braces of its own are kept from the template language. */
function literal(value: string): string {
  if (value.includes('{{') || value.includes('}}')) throw new Error(`internal: a text with braces of the template language: ${value}`);
  return value;
}

/** A named template that gives a canonical JSON text with the values in it. A record that is merged with fixed members is merged by the template. */
export function jsonTemplate(name: string, canonical: string, { numbers }: Placeholders): string {
  const body = canonical.replace(/\n$/, '');
  const merged = /^\{"⟦w:([A-Za-z.]+)⟧":"",|,"⟦w:([A-Za-z.]+)⟧":""(?=[,}])/.exec(body);
  const path = merged?.[1] ?? merged?.[2];
  const define = (as: string, content: string): string => `{{- define "${as}" -}}\n${content}\n{{- end }}\n`;
  const filled = (source: string): string =>
    source
      .replaceAll(/\["⟦w:([A-Za-z.]+)⟧"\]|\{"⟦w:([A-Za-z.]+)⟧":""\}/g, (_all, list?: string, record?: string) => json(list ?? record ?? ''))
      .replaceAll(/"⟦s:([A-Za-z.]+)⟧"/g, (_all, of: string) => json(of))
      .replaceAll(inside, '{{ .Values.$1 }}')
      .replaceAll(/\b91\d{7}\b/g, (number) => `{{ .Values.${numbers.get(Number(number)) ?? 'unknown'} | int }}`);
  const newline = '{{ "\\n" }}';
  if (merged === null || path === undefined) return define(name, `${filled(body)}${newline}`);
  const fixed = body.slice(0, merged.index) + (merged[1] === undefined ? '' : '{') + body.slice(merged.index + merged[0].length);
  return (
    define(`${name}.fixed`, filled(fixed)) +
    define(name, `{{ mustMergeOverwrite (deepCopy .Values.${path}) (include "${name}.fixed" . | mustFromJson) | mustToRawJson }}${newline}`)
  );
}
