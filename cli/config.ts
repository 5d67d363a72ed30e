/** A server's configuration file, decoded: its JSON Schema is made from the very type it is decoded to. */
import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { Ajv, type ErrorObject } from 'ajv';
import { suggest } from '../core/lib/suggest';
import { UsageError } from './command';
import { configGiven } from './serving';
import type { Values } from './values';

export type ConfigName = 'control-plane' | 'ca' | 'agent' | 'gitops' | 'webhook' | 'signer' | 'up';

/** Reads `--config` and checks it against cli/schemas/<name>.schema.json. Throws a usage error that names every wrong member. */
export async function decodeConfig<T>(name: ConfigName, values: Values): Promise<T> {
  const config = await configGiven(values);
  const schema: unknown = JSON.parse(await readFile(path.join(__dirname, 'schemas', `${name}.schema.json`), 'utf8'));
  if (typeof schema !== 'object' || schema === null) throw new Error(`internal: the schema of ${name} is not an object`);
  const validate = new Ajv({ allErrors: true, strict: false, verbose: true }).compile<T>(schema);
  if (validate(config)) return config;
  throw new UsageError(`${values.need('config')}: ${[...new Set(wrongIn(validate.errors ?? []))].join('; ')}`);
}

function wrongIn(errors: readonly ErrorObject[]): readonly string[] {
  return errors.flatMap((error) => {
    const where = `\`${placeOf(error.instancePath) || 'the file'}\``;
    const extra: unknown = Reflect.get(error.params, 'additionalProperty');
    if (typeof extra !== 'string') return [`${where} ${error.message ?? 'is wrong'}`];
    const known = knownAt(error.instancePath, errors);
    if (known.includes(extra)) return []; // another form of it has the member, and what that form lacks is said
    const near = suggest(extra, known);
    return [`${where} has an unknown member \`${extra}\`${near === undefined ? '' : `: did you mean \`${near}\`?`}`];
  });
}

/** The members that a place may have, in any of the forms that were tried there. */
const knownAt = (place: string, errors: readonly ErrorObject[]): readonly string[] =>
  errors.flatMap(({ instancePath, parentSchema }) => (instancePath === place ? Object.keys(Object(parentSchema?.['properties'])) : []));

/** `a.b.0` for the JSON pointer `/a/b/0` (RFC 6901). */
const placeOf = (pointer: string): string => pointer.slice(1).replaceAll('/', '.').replaceAll('~1', '/').replaceAll('~0', '~');
