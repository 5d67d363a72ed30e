/** A server's configuration file, decoded: its JSON Schema is made from the very type it is decoded to. */
import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { Ajv } from 'ajv';
import { UsageError } from './command';
import { configGiven } from './serving';
import type { Values } from './values';

export type ConfigName = 'control-plane' | 'ca' | 'agent' | 'gitops' | 'webhook';

/** Reads `--config` and checks it against cli/schemas/<name>.schema.json. Throws a usage error that names every wrong member. */
export async function decodeConfig<T>(name: ConfigName, values: Values): Promise<T> {
  const config = await configGiven(values);
  const schema: unknown = JSON.parse(await readFile(path.join(__dirname, 'schemas', `${name}.schema.json`), 'utf8'));
  if (typeof schema !== 'object' || schema === null) throw new Error(`internal: the schema of ${name} is not an object`);
  const validate = new Ajv({ allErrors: true, strict: false }).compile<T>(schema);
  if (validate(config)) return config;
  const wrong = (validate.errors ?? []).map((error) => {
    const extra: unknown = Reflect.get(error.params, 'additionalProperty');
    return `\`${error.instancePath.slice(1).replaceAll('/', '.') || 'the file'}\` ${error.message ?? 'is wrong'}${typeof extra === 'string' ? ` (\`${extra}\`)` : ''}`;
  });
  throw new UsageError(`${values.need('config')}: ${[...new Set(wrong)].join('; ')}`);
}
