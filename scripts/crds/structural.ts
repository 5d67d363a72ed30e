/** JSON Schema as the generator writes it, turned into the structural schema that the Kubernetes API demands. */
import type { Definition } from 'typescript-json-schema';

/** A node of a structural schema (OpenAPI v3.0, apiextensions.k8s.io/v1), as far as ours go. */
export interface Structural {
  description?: string;
  type: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  format?: string;
  pattern?: string;
  enum?: readonly string[];
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  exclusiveMinimum?: boolean;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  minProperties?: number;
  maxProperties?: number;
  properties?: Record<string, Structural>;
  required?: readonly string[];
  items?: Structural;
  additionalProperties?: Structural;
  'x-kubernetes-preserve-unknown-fields'?: true;
  'x-kubernetes-map-type'?: 'atomic';
  'x-kubernetes-list-type'?: 'atomic';
  'x-kubernetes-validations'?: readonly Validation[];
}
/** A rule in CEL. */
export interface Validation {
  readonly rule: string;
  readonly message: string;
}

const kept = ['format', 'pattern', 'minLength', 'maxLength', 'minimum', 'maximum', 'minItems', 'maxItems'] as const;

/**
 * Lists and maps are owned as a whole (`atomic`), so that managedFields stays small; a map of anything is kept as it is. Numbers are whole.
 * Throws on what none of our types has.
 */
export function structural(schema: Definition | boolean, path: string): Structural {
  if (typeof schema === 'boolean') throw new Error(`internal: ${path} may be anything`);
  const { description } = schema;
  const about = description === undefined ? {} : { description };
  if (schema.anyOf) return { ...about, ...union(schema.anyOf, path) };
  const limits = Object.fromEntries(kept.flatMap((name) => (schema[name] === undefined ? [] : [[name, schema[name]]])));
  switch (schema.type) {
    case 'string': {
      const words = schema.const === undefined ? schema.enum : [schema.const];
      return { ...about, type: 'string', ...limits, ...(words ? { enum: words.map(String).toSorted() } : {}) };
    }
    case 'boolean':
      return { ...about, type: 'boolean' };
    case 'number':
    case 'integer':
      return { ...about, type: 'integer', format: 'int64', ...limits };
    case 'array':
      if (schema.items === undefined || Array.isArray(schema.items)) throw new Error(`internal: ${path} is a tuple`);
      return { ...about, type: 'array', 'x-kubernetes-list-type': 'atomic', ...limits, items: structural(schema.items, `${path}[]`) };
    case 'object':
      return { ...about, ...record(schema, path) };
    default:
      throw new Error(`internal: ${path} has type \`${String(schema.type)}\``);
  }
}

function record(schema: Definition, path: string): Structural {
  const { properties = {}, additionalProperties: others } = schema;
  if (Object.hasOwn(properties, '__brand')) return { type: 'string' };
  if (typeof others === 'object') {
    if (Object.keys(others).length === 0)
      return { type: 'object', 'x-kubernetes-map-type': 'atomic', 'x-kubernetes-preserve-unknown-fields': true };
    return { type: 'object', 'x-kubernetes-map-type': 'atomic', additionalProperties: structural(others, `${path}.*`) };
  }
  return {
    type: 'object',
    properties: Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, structural(inner, `${path}.${name}`)])),
    ...(schema.required ? { required: schema.required.toSorted() } : {}),
  };
}

/** One of several records told apart by `kind`: a structural schema can only say what any of them has; which needs what is a rule. */
function union(variants: readonly (Definition | boolean)[], path: string): Structural {
  const nodes = variants.map((variant) => structural(variant, path));
  const [first] = nodes;
  if (first && nodes.every((node) => node.type === 'string' && node.enum))
    return { ...first, enum: nodes.flatMap((node) => node.enum ?? []).toSorted() };
  if (nodes.some((node) => node.properties?.['kind']?.enum?.length !== 1)) throw new Error(`internal: ${path} is a union without \`kind\``);
  const properties: Record<string, Structural> = {};
  for (const node of nodes) for (const [name, inner] of Object.entries(node.properties ?? {})) properties[name] ??= inner;
  const kindOf = (node: Structural): string => node.properties?.['kind']?.enum?.[0] ?? '';
  properties['kind'] = { type: 'string', maxLength: 32, enum: nodes.map(kindOf).toSorted() };
  const required = Object.keys(properties).filter((name) => nodes.every((node) => node.required?.includes(name)));
  const validations = nodes.flatMap((node): Validation[] => {
    const needed = (node.required ?? []).filter((name) => !required.includes(name));
    const foreign = Object.keys(properties).filter((name) => !Object.hasOwn(node.properties ?? {}, name));
    if (needed.length + foreign.length === 0) return [];
    const says = [...(needed.length > 0 ? [`needs ${list(needed)}`] : []), ...(foreign.length > 0 ? [`has no ${list(foreign)}`] : [])].join(
      ' and ',
    );
    const demands = [...needed.map((name) => `has(self.${name})`), ...foreign.map((name) => `!has(self.${name})`)].join(' && ');
    return [{ rule: `self.kind != '${kindOf(node)}' || (${demands})`, message: `kind ${kindOf(node)} ${says}` }];
  });
  return { type: 'object', properties, required: required.toSorted(), 'x-kubernetes-validations': validations };
}

const list = (names: readonly string[]): string => names.toSorted().join(', ');
