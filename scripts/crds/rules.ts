/**
 * What the definitions demand beyond the types: rules in CEL, and the limits that keep their estimated cost within what the API server allows. The
 * webhook says all of this too, and more; these hold while it is away.
 */
import type { Structural, Validation } from './structural';

/** Changes by path: `spec.deploys[].by`. Every path must be there. */
export interface Additions {
  readonly rules: Readonly<Record<string, readonly Validation[]>>;
  readonly limits: Readonly<Record<string, Partial<Structural>>>;
}

const objectRules: Readonly<Record<string, readonly Validation[]>> = {
  '': [
    { rule: 'has(self.spec) != has(self.packed)', message: 'an object has either spec or packed' },
    {
      rule: "(has(self.packed) && self.packed.part > 0) || self.metadata.name.endsWith('.' + self.proof.digest.substring(7, 19))",
      message: 'metadata.name must end with the first 12 digits of proof.digest: an object is named by its content',
    },
    {
      rule:
        '!has(self.packed) || self.packed.part == 0 || ' +
        "self.metadata.name.contains('.' + self.proof.digest.substring(7, 19) + '.part-')",
      message: 'a further part has the first 12 digits of proof.digest and `.part-<i>` in its metadata.name',
    },
    {
      rule:
        '!has(self.packed) || self.packed.part == 0 || ' +
        "self.metadata.name.substring(self.metadata.name.lastIndexOf('-') + 1) == string(self.packed.part)",
      message: 'metadata.name of a further part ends with `.part-<i>`',
    },
    { rule: 'has(self.packed) == has(oldSelf.packed)', message: 'an object stays packed or whole' },
    {
      rule: '!has(self.packed) || !has(oldSelf.packed) || self.packed == oldSelf.packed || self.proof.jws != oldSelf.proof.jws',
      message: 'packed is immutable: it changes only with the signature over it',
    },
  ],
  spec: [{ rule: 'self == oldSelf', message: 'spec is immutable: another content is another object, named by its own digest' }],
  packed: [
    { rule: 'self.part < self.parts', message: 'part counts from 0 and is below parts' },
    { rule: 'self.part == oldSelf.part', message: 'part is immutable' },
  ],
  proof: [
    {
      rule: 'self.environment == oldSelf.environment && self.name == oldSelf.name && self.digest == oldSelf.digest',
      message: 'proof is immutable but for a signature made anew over the same content',
    },
  ],
};

export const additions: Readonly<Record<'ServiceConfig' | 'ProxyConfig' | 'AdmissionRules' | 'Release', Additions>> = {
  ServiceConfig: {
    rules: {
      ...objectRules,
      spec: [
        ...(objectRules['spec'] ?? []),
        {
          rule: '!has(self.virtualHost) || !has(self.listeners)',
          message: 'a port has a virtualHost, where requests are routed, or listeners, where connections are, and never both',
        },
      ],
    },
    limits: {},
  },
  ProxyConfig: { rules: objectRules, limits: {} },
  AdmissionRules: {
    rules: {
      ...objectRules,
      '': [
        ...(objectRules[''] ?? []),
        {
          rule: '!has(self.spec) || self.spec.environment == self.proof.environment',
          message: 'spec.environment must be the environment it was signed for',
        },
      ],
    },
    limits: {
      'spec.environment': { maxLength: 63 },
      'spec.deploys': { maxItems: 5_000 },
      'spec.deploys[].by': { maxItems: 100 },
    },
  },
  Release: {
    rules: {
      '': [
        { rule: 'self.metadata.name == self.spec.environment', message: 'a release is named as its environment' },
        {
          rule: 'self.proof.digest == oldSelf.proof.digest || self.spec.generation > oldSelf.spec.generation',
          message: 'generation must rise: going back is a new, higher release that names the old digests',
        },
      ],
      spec: [
        {
          rule: '!has(self.packed) || !(has(self.stable) || has(self.candidate) || has(self.steps))',
          message: 'stable, candidate and steps are in packed or beside it, not both',
        },
      ],
      'spec.waves': [
        { rule: 'self.isSorted() && self.all(wave, self.exists_one(other, other == wave))', message: 'waves must rise' },
        { rule: 'self.size() == 0 || self[self.size() - 1] == 100.0', message: 'waves must end with 100' },
      ],
    },
    limits: {
      'spec.waves[]': { type: 'number', exclusiveMinimum: true, minimum: 0, maximum: 100 },
      'spec.stable': { maxProperties: 20_000 },
      'spec.stable.*': { pattern: '^sha256:[0-9a-f]{64}$', maxLength: 71 },
      'spec.candidate': { maxProperties: 20_000 },
      'spec.candidate.*': { pattern: '^sha256:[0-9a-f]{64}$', maxLength: 71 },
      'proof.byproducts': { maxProperties: 20_000 },
      'proof.byproducts.*': { pattern: '^sha256:[0-9a-f]{64}$', maxLength: 71 },
      'status.trouble': { maxItems: 20 },
      'status.progress': { 'x-kubernetes-map-type': 'atomic' },
      'status.progress.phase': { maxProperties: 8 },
    },
  },
};

/** Puts the additions into a schema, in place. Throws when one has no place: a type has changed under it. */
export function add(schema: Structural, { rules, limits }: Additions): void {
  for (const [path, list] of Object.entries(rules)) {
    const node = at(schema, path);
    node['x-kubernetes-validations'] = [...(node['x-kubernetes-validations'] ?? []), ...list];
  }
  for (const [path, change] of Object.entries(limits)) {
    const node = at(schema, path);
    if (change.type === 'number') delete node.format;
    Object.assign(node, change);
  }
}

function at(schema: Structural, path: string): Structural {
  let here: Structural | undefined = schema;
  for (const step of path.split(/\.|(?=\[\])/).filter((part) => part !== '')) {
    here = step === '[]' ? here?.items : step === '*' ? here?.additionalProperties : here?.properties?.[step];
  }
  if (!here) throw new Error(`internal: no \`${path}\` in the schema`);
  return here;
}
