/** What is reached from other networks too, and through which gateways. */
import { freeze } from './intrinsics';
import { type MadePort, make } from './made';
import { onlyIn } from './mesh-names';
import { oneOrMore, record } from './read';
import { refTo, register } from './registry';
import { madeAs } from './subjects';
import { unsupported } from './unsupported';
import { verb } from './verb';

const through = oneOrMore(madeAs(['east-west'], 'an east-west gateway', 'name what `eastWestGateway(...)` made'));
const exported = record({ through }, { only: onlyIn });
export const exportMethod = (port: MadePort): ((...given: unknown[]) => object) =>
  verb(`${port.owner}.export`, ['spec'], 1, (given) => {
    const read = exported(given.take(0), given.at(0));
    const refs = read.through.map(({ entry }) => freeze({ ref: refTo(entry) }));
    const missing = port.unsupported ?? (port.atGateway ? 'exports of a gateway host' : null);
    const value =
      missing === null
        ? { kind: 'export' as const, port: port.ref, through: refs, ...(read.only ? { only: read.only } : {}) }
        : unsupported(missing);
    return make({}, { kind: 'export', entry: register(value, given.call) });
  });
