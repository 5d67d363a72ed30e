/** The JSON Schemas there are, and how each is made. Our own wire types only: the generator loads what JSDoc names, so it never sees a user's file. */
import * as path from 'node:path';
import { generateSchema, getProgramFromFiles } from 'typescript-json-schema';

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
    return `${JSON.stringify({ $id: path.basename(file), ...schema }, null, 2)}\n`;
  };
  return { file, source, type, generate };
}

export const schemas: readonly GeneratedSchema[] = [
  fromType('core/declarations/declaration.ts', 'Declaration', 'core/declarations/declaration.schema.json'),
];
