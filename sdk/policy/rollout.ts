/** How a release reaches the proxies: in waves, with a hold between them. */
import { make } from './made';
import { refuse } from './policy-error';
import { gate } from './canary';
import { onlyIn, team } from './mesh-names';
import { type Reader, atLeastOne, list, record, whole } from './read';
import { register } from './registry';
import { scopes } from './subjects';
import { unsupported } from './unsupported';
import { duration, percent, percentOf } from './units';
import { verb } from './verb';

const waves: Reader<readonly string[]> = (value, at) => {
  const written = list(percent)(value, at);
  let before = 0;
  for (const wave of written) {
    if (percentOf(wave) <= before)
      return refuse(
        at,
        'MW2125',
        `the wave \`${wave}\` does not go beyond the one before it`,
        'write rising percentages: each counts the proxies that have it by then',
      );
    before = percentOf(wave);
  }
  if (before !== 100)
    return refuse(
      at,
      'MW2125',
      `the last wave ends at \`${written[written.length - 1]}\``,
      'end with `100%`: every proxy gets it in the end',
    );
  return written;
};
const count = whole(0, 1_000_000_000, 'count');
const spec = record(
  { for: scopes, waves, hold: duration },
  {
    gates: list(gate, { empty: 'allowed' }),
    approve: record({ by: team, above: atLeastOne(record({}, { lostCalls: count, proxies: count }), 'a limit') }, {}),
    only: onlyIn,
  },
);

export const rolloutMethod = verb('mesh.rollout', ['spec'], 1, (given) => {
  const { gates, approve, ...rest } = spec(given.take(0), given.at(0));
  const missing = approve ? 'approvals (`approve`) of a roll-out' : gates && gates.length > 0 ? 'gates (`gates`) of a roll-out' : undefined;
  return make(
    {},
    { kind: 'rollout', entry: register(missing === undefined ? { kind: 'rollout', ...rest } : unsupported(missing), given.call) },
  );
});
