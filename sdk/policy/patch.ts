/** The escape hatch: fields merged into the Envoy configuration of one port, within a range of Envoy versions. */
import { isArray, keysOf } from './intrinsics';
import { type MadePort, madeOf, make } from './made';
import { versionRange } from './deploy-time';
import type { Plain } from './plain';
import { type Place, refuse, under } from './policy-error';
import { type Reader, atLeastOne, record, recordOf, saying, word } from './read';
import { register } from './registry';
import { unsupported } from './unsupported';
import { verb } from './verb';

type Merge = { readonly [field: string]: unknown };
/** Plain JSON only: nothing that the SDK made has a meaning inside Envoy's configuration. */
const json = (value: Plain, at: Place): unknown => {
  if (madeOf(value)) return refuse(at, 'MW2101', 'a handle of the SDK inside raw Envoy configuration', 'write plain JSON');
  if (isArray(value)) return value.map((one: Plain, i) => json(one, under(at, i)));
  return typeof value === 'object' && value !== null ? merged(value, at) : value;
};
const merged: Reader<Merge> = (value, at) => {
  const given = recordOf(value, at);
  return Object.fromEntries(keysOf(given).map((key) => [key, json(given[key] ?? null, under(at, key))]));
};
const spec = record(
  {
    direction: word('inbound', 'outbound'),
    envoy: atLeastOne(versionRange, 'a range of Envoy versions'),
    because: saying,
    merge: atLeastOne(merged, 'a patch'),
  },
  {},
);

export const patchMethod = (port: MadePort): ((...given: unknown[]) => object) =>
  verb(`${port.owner}.patch`, ['spec'], 1, (given) => {
    const read = spec(given.take(0), given.at(0));
    const missing = port.unsupported ?? (port.atGateway ? 'patches at a gateway host' : null);
    return make(
      {},
      { kind: 'patch', entry: register(missing === null ? { kind: 'patch', on: port.ref, ...read } : unsupported(missing), given.call) },
    );
  });
