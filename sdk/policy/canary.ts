/** Canaries and their gates: read and refused as the types do, and not in force in this version. */
import { make } from './made';
import type { Made } from './made';
import { type Reader, list, record, text, whole, word } from './read';
import { madeAs, target } from './subjects';
import { duration, percent } from './units';
import { verb } from './verb';

export const gate: Reader<Extract<Made, { readonly kind: 'gate' | 'user' | 'claim' | 'jwks' | 'deployer' | 'tools' }>> = madeAs(
  ['gate'],
  'a gate',
  'write `errorRate(port).below(...)` or `latency(port, quantile).below(...)`',
);
const gateRule = record(
  { window: duration, minRequests: whole(0, 1_000_000_000, 'count of requests'), noData: word('hold', 'roll-back') },
  {},
);
const measure = (what: string, limit: Reader<string>): object => {
  const method = (name: string, reader: Reader<string>): ((...given: unknown[]) => object) =>
    verb(`${what}.${name}`, ['limit', 'rule'], 2, (given) => {
      reader(given.take(0), given.at(0));
      gateRule(given.take(1), given.at(1));
      return make({}, { kind: 'gate' });
    });
  return make({ below: method('below', limit), notWorseThanBaseline: method('notWorseThanBaseline', percent) }, { kind: 'tools' });
};
export const errorRate = verb('errorRate', ['of'], 1, (given) => {
  target(given.take(0), given.at(0));
  return measure('errorRate', percent);
});
export const latency = verb('latency', ['of', 'quantile'], 2, (given) => {
  target(given.take(0), given.at(0));
  word('p50', 'p90', 'p99')(given.take(1), given.at(1));
  return measure('latency', duration);
});
const canarySpec = record({ from: text, to: text, steps: list(percent), every: duration, gates: list(gate) }, {});
export const canary = verb('canary', ['spec'], 1, (given) => {
  const { from, to } = canarySpec(given.take(0), given.at(0));
  return make({}, { kind: 'canary', versions: [from, to] });
});
