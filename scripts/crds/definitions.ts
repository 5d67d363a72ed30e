/** The custom resource definitions, generated from core/bundle/stored.ts. */
import * as path from 'node:path';
import { dump } from 'js-yaml';
import { buildGenerator, getProgramFromFiles, type Definition } from 'typescript-json-schema';
import { apiVersion, type ObjectKind } from '../../core/bundle/objects';
import { plurals } from '../../core/bundle/custom-resource';
import { add, additions } from './rules';
import { structural, type Structural } from './structural';

interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'boolean' | 'date';
  readonly description: string;
  readonly jsonPath: string;
  /** 1: only with `-o wide`. */
  readonly priority?: 1;
}
export interface CustomResource {
  readonly kind: ObjectKind | 'Release';
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly columns: readonly Column[];
}

export const storedTypes = 'core/bundle/stored.ts';
const [group = '', version = ''] = apiVersion.split('/');
const age: Column = { name: 'Age', type: 'date', description: 'Since it was created', jsonPath: '.metadata.creationTimestamp' };
const environment: Column = {
  name: 'Environment',
  type: 'string',
  description: 'Environment it was signed for',
  jsonPath: '.proof.environment',
};
const digest: Column = { name: 'Digest', type: 'string', description: 'SHA-256 of its content', jsonPath: '.proof.digest' };
const parts: Column = {
  name: 'Parts',
  type: 'integer',
  description: 'Pieces of an object too big for one resource',
  jsonPath: '.packed.parts',
  priority: 1,
};

export const customResources: readonly CustomResource[] = [
  {
    kind: 'ServiceConfig',
    singular: 'serviceconfig',
    shortNames: ['mwsc'],
    columns: [
      { name: 'Port', type: 'string', description: 'Service port as its callers see it', jsonPath: '.spec.port' },
      environment,
      digest,
      parts,
      age,
    ],
  },
  {
    kind: 'ProxyConfig',
    singular: 'proxyconfig',
    shortNames: ['mwpc'],
    columns: [
      { name: 'Workload', type: 'string', description: 'Workload it configures', jsonPath: '.spec.workload' },
      { name: 'Principal', type: 'string', description: 'SPIFFE ID of its service account', jsonPath: '.spec.principal' },
      { name: 'Proved', type: 'boolean', description: 'false: a raw patch is in force', jsonPath: '.spec.proved' },
      environment,
      { ...digest, priority: 1 },
      parts,
      age,
    ],
  },
  {
    kind: 'AdmissionRules',
    singular: 'admissionrule',
    shortNames: ['mwar'],
    columns: [
      { name: 'Trust domain', type: 'string', description: 'Trust domain of the mesh', jsonPath: '.spec.trustDomain' },
      environment,
      { ...digest, priority: 1 },
      parts,
      age,
    ],
  },
  {
    kind: 'Release',
    singular: 'release',
    shortNames: ['mwrel'],
    columns: [
      { name: 'Generation', type: 'integer', description: 'Counts the releases of an environment', jsonPath: '.spec.generation' },
      { name: 'State', type: 'string', description: 'State of its roll-out', jsonPath: '.status.state' },
      { name: 'Active', type: 'integer', description: 'Proxies that are active on it', jsonPath: '.status.proxies.active' },
      { name: 'Of', type: 'integer', description: 'Proxies that it concerns', jsonPath: '.status.proxies.concerned' },
      { name: 'Commit', type: 'string', description: 'Commit of the policies', jsonPath: '.spec.commit' },
      { name: 'Message', type: 'string', description: 'What it waits for', jsonPath: '.status.message', priority: 1 },
      { ...digest, priority: 1 },
      age,
    ],
  },
];

/** The schema of each kind, root included, without apiVersion and kind (the server knows them). Reading the types takes a second: once for all. */
export function schemasOf(root: string): ReadonlyMap<CustomResource['kind'], Structural> {
  const program = getProgramFromFiles(
    [path.join(root, storedTypes)],
    {
      ...{ strict: true, exactOptionalPropertyTypes: true, skipLibCheck: true, types: ['node'] },
      ...{ target: 'es2023', module: 'node16', moduleResolution: 'node16', esModuleInterop: true },
    },
    root,
  );
  const generator = buildGenerator(
    program,
    { ref: false, required: true, noExtraProps: true, strictNullChecks: true, ignoreErrors: true },
    [],
  );
  if (!generator) throw new Error(`internal: ${storedTypes} cannot be read`);
  return new Map(customResources.map(({ kind }) => [kind, withAdditions(kind, generator.getSchemaForSymbol(`Stored${kind}`))]));
}

function withAdditions(kind: CustomResource['kind'], schema: Definition): Structural {
  const { description, ...rest } = structural(schema, kind);
  // Only so that the server knows how long a name can be when it estimates the cost of a rule.
  const metadata: Structural = { type: 'object', properties: { name: { type: 'string', maxLength: 253 } } };
  const whole: Structural = {
    ...(description === undefined ? {} : { description }),
    ...rest,
    properties: { metadata, ...rest.properties },
  };
  add(whole, additions[kind]);
  return whole;
}

/** The whole definition as a plain object, in the order people read it. */
function definitionOf(resource: CustomResource, schema: Structural): object {
  const { kind, singular, shortNames, columns } = resource;
  const plural = plurals[kind];
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, plural, singular, listKind: `${kind}List`, shortNames, categories: ['meshwright'] },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          ...(kind === 'Release' ? { subresources: { status: {} } } : {}),
          additionalPrinterColumns: columns,
          schema: { openAPIV3Schema: schema },
        },
      ],
    },
  };
}

/** As they are checked in: YAML with one spelling, by kind. */
export function definitionTexts(root: string): ReadonlyMap<CustomResource['kind'], string> {
  const schemas = schemasOf(root);
  return new Map(
    customResources.map((resource) => {
      const schema = schemas.get(resource.kind);
      if (!schema) throw new Error(`internal: no schema of ${resource.kind}`);
      const plain: unknown = JSON.parse(JSON.stringify(definitionOf(resource, schema)));
      const yaml = dump(plain, { lineWidth: -1, noRefs: true });
      return [resource.kind, `# Generated from ${storedTypes}: run \`npm run fix\` after a change there.\n${yaml}`] as const;
    }),
  );
}
