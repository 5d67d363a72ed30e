/** The JSON Schemas there are, and how each is made. Our own wire types only: the generator loads what JSDoc names, so it never sees a user's file. */
import * as path from 'node:path';
import { generateSchema, getProgramFromFiles, type Definition } from 'typescript-json-schema';
import { plurals } from '../core/bundle/custom-resource';
import { customResources, definitionTexts, storedTypes } from './crds/definitions';

export interface GeneratedSchema {
  /** The checked-in file, relative to the root. */
  readonly file: string;
  /** The types it is made from. */
  readonly source: string;
  readonly type: string;
  /** The schema's text, the same on every machine. */
  generate(root: string): string;
}

const settings = { required: true, noExtraProps: true, aliasRef: true, strictNullChecks: true, ignoreErrors: false };
const compilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
  types: [],
  target: 'es2023',
  module: 'commonjs',
};

function fromType(source: string, type: string, file: string): GeneratedSchema {
  const generate = (root: string): string => {
    const program = getProgramFromFiles([path.join(root, source)], compilerOptions, root);
    const schema = generateSchema(program, type, settings, []);
    if (!schema) throw new Error(`internal: no schema of \`${type}\``);
    return `${JSON.stringify({ $id: path.basename(file), ...eachEnvironment(schema) }, null, 2)}\n`;
  };
  return { file, source, type, generate };
}

/**
 * The generator gives the index signature of every `PerEnv<X>` and `MostlyEnv<X>` the one definition `T`, that of whichever came last. The
 * right one stands in `MostlyEnv<X>`, at `value`; it is put where `T` was.
 */
function eachEnvironment(schema: Definition): Definition {
  const copy = JSON.parse(JSON.stringify(schema)) as Definition;
  const definitions = copy.definitions ?? {};
  const inside = (name: string, ...keys: readonly string[]): Record<string, unknown> | undefined =>
    keys.reduce<unknown>(
      (node, key) => (typeof node === 'object' && node !== null ? Reflect.get(node, key) : undefined),
      definitions[name],
    ) as Record<string, unknown> | undefined;
  for (const name of Object.keys(definitions)) {
    const of = /^MostlyEnv<(.*)>$/.exec(name)?.[1];
    const element = of === undefined ? undefined : inside(name, 'properties', '$mostly', 'properties', 'value');
    for (const record of [
      inside(name, 'properties', '$mostly', 'properties', 'except'),
      inside(`PerEnv<${of}>`, 'properties', '$perEnv'),
    ]) {
      if (element && record) record['additionalProperties'] = element;
    }
  }
  delete definitions['T'];
  return copy;
}

/** A server's configuration file, whose type stands among the server's code. */
function fromConfig(source: string, type: string, name: string, file = `cli/schemas/${name}.schema.json`): GeneratedSchema {
  const generate = (root: string): string => {
    const program = getProgramFromFiles(
      [path.join(root, source)],
      { ...compilerOptions, types: ['node'], module: 'node16', moduleResolution: 'node16', esModuleInterop: true },
      root,
    );
    const schema = generateSchema(program, type, { ...settings, ref: false, ignoreErrors: true }, []);
    if (!schema) throw new Error(`internal: no schema of \`${type}\``);
    return `${JSON.stringify({ $id: path.basename(file), ...unbranded(schema) }, null, 2)}\n`;
  };
  return { file, source, type, generate };
}

/** A branded text (`string & { __brand }`) is a text on disk. */
function unbranded(schema: Definition): Definition {
  return JSON.parse(JSON.stringify(schema), (_key, value: unknown) => {
    const parts: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'allOf') : undefined;
    return Array.isArray(parts) && parts.some((part: { type?: string }) => part.type === 'string') ? { type: 'string' } : value;
  });
}

/** The custom resource definitions: all of them from one reading of the types. */
function fromStored(): readonly GeneratedSchema[] {
  let texts: ReadonlyMap<string, string> | undefined;
  return customResources.map(({ kind }) => ({
    file: `deploy/crds/${plurals[kind]}.yaml`,
    source: storedTypes,
    type: `Stored${kind}`,
    generate: (root) => (texts ??= definitionTexts(root)).get(kind) ?? '',
  }));
}

export const schemas: readonly GeneratedSchema[] = [
  fromType('core/declarations/declaration.ts', 'Declaration', 'core/declarations/declaration.schema.json'),
  fromConfig('runtime-proxy/control-plane/main.ts', 'ControlPlaneConfig', 'control-plane'),
  fromConfig('runtime-proxy/ca/main.ts', 'CaConfig', 'ca'),
  fromConfig('runtime-proxy/agent/main.ts', 'AgentConfig', 'agent'),
  fromConfig('gitops/config.ts', 'GitopsConfig', 'gitops'),
  fromConfig('deploy/install/values.ts', 'InstallValues', 'install', 'deploy/install/values.schema.json'),
  fromConfig('webhook/config.ts', 'WebhookConfig', 'webhook'),
  fromConfig('compiler/sign/server.ts', 'SignerConfig', 'signer'),
  fromConfig('cli/up/config.ts', 'UpFile', 'up'),
  ...fromStored(),
];
