/** Settings and standards: mesh > namespace > service > route rule; the nearest wins, field by field. */
import type { WireSettings } from '../../core/declarations/declaration';
import { make } from './made';
import { onlyIn } from './mesh-names';
import { orPerEnv } from './per-environment';
import { type Reader, atLeastOne, record, whole, word } from './read';
import { register } from './registry';
import { balance, connections, ejection, health, limits, locality, retry } from './resilience';
import { scopes } from './subjects';
import { unsupported } from './unsupported';
import { duration, percent } from './units';
import { verb } from './verb';
import { waiveMethod } from './waivers';

export const timeout = orPerEnv(duration);
export const retries = orPerEnv(retry);
export const settings: Reader<WireSettings> = record(
  {},
  {
    mtls: orPerEnv(word('strict', 'permissive')),
    timeout,
    idle: timeout,
    retry: retries,
    connections: orPerEnv(connections),
    eject: orPerEnv(ejection),
    health: orPerEnv(health),
    balance: orPerEnv(balance),
    locality: orPerEnv(locality),
    panicBelow: orPerEnv(percent),
    traceSample: orPerEnv(percent),
  },
);
/** The consumer's side of a need. */
export const callerSettings = record({}, { timeout, idle: timeout, retry: retries, connections: orPerEnv(limits) });

const bounds = record(
  {},
  {
    mtls: word('strict'),
    timeout: record({ max: duration }, {}),
    idle: record({ max: duration }, {}),
    retries: record({ max: whole(0, 5, 'count of retries') }, {}),
    budget: record({ max: percent }, {}),
    connections: record({ max: whole(1, 1_000_000, 'count of connections') }, {}),
    eject: record({ max: percent }, {}),
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
                    ...(spec.bounds.idle ? { idleMax: spec.bounds.idle.max } : {}),
                    ...(spec.bounds.retries ? { retriesMax: spec.bounds.retries.max } : {}),
                    ...(spec.bounds.budget ? { budgetMax: spec.bounds.budget.max } : {}),
                    ...(spec.bounds.connections ? { connectionsMax: spec.bounds.connections.max } : {}),
                    ...(spec.bounds.eject ? { ejectMax: spec.bounds.eject.max } : {}),
                  },
                }
              : {}),
            ...(spec.only ? { only: spec.only } : {}),
            ...(spec.mode ? { mode: spec.mode } : {}),
          };
    const entry = register(value, given.call);
    return make({ waive: waiveMethod('standard', entry) }, { kind: 'standard', entry });
  });
