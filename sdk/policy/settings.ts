/** Settings and standards: mesh > namespace > service > route rule; the nearest wins, field by field. */
import type { WireConnections, WireEjection, WireRetry, WireSettings } from '../../core/declarations/declaration';
import { make } from './made';
import { onlyIn } from './mesh-names';
import { orPerEnv } from './per-environment';
import { type Reader, atLeastOne, list, record, whole, word } from './read';
import { register } from './registry';
import { scopes } from './subjects';
import { unsupported } from './unsupported';
import { duration, percent } from './units';
import { verb } from './verb';
import { waiveMethod } from './waivers';

const retryOn = word(
  '5xx',
  'gateway-error',
  'connect-failure',
  'reset',
  'retriable-4xx',
  'unavailable',
  'resource-exhausted',
  'cancelled',
  'deadline-exceeded',
  'internal',
);
const retry: Reader<WireRetry | 'none'> = (value, at) =>
  value === 'none'
    ? 'none'
    : record({ atMost: whole(1, 5, 'count of retries'), perTry: duration, on: list(retryOn, { unique: 'reason' }) }, { budget: percent })(
        value,
        at,
      );
const connections: Reader<WireConnections> = record(
  { max: whole(1, 1_000_000, 'count of connections') },
  { pending: whole(1, 1_000_000, 'count of requests') },
);
const ejection: Reader<WireEjection | 'none'> = (value, at) =>
  value === 'none'
    ? 'none'
    : record({ consecutive5xx: whole(1, 10_000, 'count of answers'), for: duration, atMost: percent }, {})(value, at);

export const timeout = orPerEnv(duration);
export const retries = orPerEnv(retry);
export const settings: Reader<WireSettings> = record(
  {},
  {
    mtls: orPerEnv(word('strict', 'permissive')),
    timeout,
    retry: retries,
    connections: orPerEnv(connections),
    eject: orPerEnv(ejection),
    traceSample: orPerEnv(percent),
  },
);
/** The consumer's side of a need. */
export const callerSettings = record({}, { timeout, retry: retries, connections: orPerEnv(connections) });

const bounds = record(
  {},
  {
    mtls: word('strict'),
    timeout: record({ max: duration }, {}),
    retries: record({ max: whole(0, 5, 'count of retries') }, {}),
    internet: word('user-required'),
  },
);

/** The `standard` method of the mesh or of a namespace. */
export const standardMethod = (owner: string): ((...given: unknown[]) => object) =>
  verb(`${owner}.standard`, ['spec'], 1, (given) => {
    const spec = record(
      { for: scopes },
      {
        defaults: atLeastOne(settings, 'a set of defaults'),
        bounds: atLeastOne(bounds, 'a set of bounds'),
        only: onlyIn,
        mode: word('enforce', 'shadow'),
      },
    )(given.take(0), given.at(0));
    const value =
      spec.bounds?.internet !== undefined
        ? unsupported('the bound `internet` of a standard')
        : {
            kind: 'standard' as const,
            for: spec.for,
            ...(spec.defaults ? { defaults: spec.defaults } : {}),
            ...(spec.bounds
              ? {
                  bounds: {
                    ...(spec.bounds.mtls ? { mtls: spec.bounds.mtls } : {}),
                    ...(spec.bounds.timeout ? { timeoutMax: spec.bounds.timeout.max } : {}),
                    ...(spec.bounds.retries ? { retriesMax: spec.bounds.retries.max } : {}),
                  },
                }
              : {}),
            ...(spec.only ? { only: spec.only } : {}),
            ...(spec.mode ? { mode: spec.mode } : {}),
          };
    const entry = register(value, given.call);
    return make({ waive: waiveMethod('standard', entry) }, { kind: 'standard', entry });
  });
