/** Who and what a rule is about: callers, destinations, scopes. */
import type { CallerRef, Ref, ScopeRef } from '../../core/declarations/declaration';
import { freeze } from './intrinsics';
import { type Made, type MadePort, describeMade, madeOf, make } from './made';
import { tags } from './mesh-names';
import { type Place, refuse } from './policy-error';
import { type Reader, list, oneOrMore, show } from './read';
import { refTo } from './registry';
import { cidr, name } from './units';
import { verb } from './verb';

/** What the SDK made of the wanted kinds; a record written by hand is never taken for one. */
export function madeAs<K extends Made['kind']>(
  kinds: readonly K[],
  what: string,
  help: string,
): Reader<Extract<Made, { readonly kind: K }>> {
  return (value, at) => {
    const made = madeOf(value);
    if (!made) {
      const forged = typeof value === 'object' && value !== null;
      return refuse(
        at,
        forged ? 'MW2119' : 'MW2101',
        forged ? `${show(value)} written by hand where ${what} is meant` : `${show(value)} where ${what} is meant`,
        help,
      );
    }
    if (!isOneOf(made, kinds)) return refuse(at, 'MW2120', `${describeMade(made)} where ${what} is meant`, help);
    return made;
  };
}
function isOneOf<K extends Made['kind']>(made: Made, kinds: readonly K[]): made is Extract<Made, { readonly kind: K }> {
  for (const kind of kinds) if (made.kind === kind) return true;
  return false;
}

const entryRef = (entry: number): Ref => freeze({ ref: refTo(entry) });

/** Someone whose identity a proxy can prove. */
export const caller: Reader<CallerRef> = (value, at) => {
  const made = madeOf(value);
  if (made?.kind === 'anyone')
    return refuse(at, 'MW2120', '`anyone` where an identified caller is meant', 'name the callers; `anyone` is for `deny` and guarantees');
  if (made?.kind === 'outside')
    return refuse(
      at,
      'MW2120',
      `${describeMade(made)} without a gateway`,
      'say by which gateway it comes, with its own method: `.through(edge)`',
    );
  if (made?.kind === 'version')
    return refuse(at, 'MW2120', `${describeMade(made)} as a caller`, 'a version proves no identity of its own: name its service');
  if (made?.kind === 'port')
    return refuse(at, 'MW2120', `${describeMade(made)} as a caller`, 'a port is called: name the service behind it as caller');
  const one = madeAs(
    ['service', 'workload', 'namespace', 'gateway', 'selection', 'outside-through'],
    'a caller',
    'name a service, a workload, a namespace, a gateway, `tagged(...)` or `internet.through(gateway)`',
  )(value, at);
  switch (one.kind) {
    case 'outside-through':
      return one.caller;
    case 'selection':
      return freeze({ kind: 'tagged', tags: one.tags });
    default:
      return freeze({ kind: 'ref', to: entryRef(one.entry) });
  }
};
export const callers = oneOrMore(caller);
/** Callers, or everybody. */
export const callersOrAnyone: Reader<readonly CallerRef[]> = (value, at) => {
  const made = madeOf(value);
  return made?.kind === 'anyone' ? freeze([freeze({ kind: 'anyone' as const, except: made.except })]) : callers(value, at);
};

/** A port as anybody may name it. */
export const target: Reader<MadePort> = (value, at) => {
  const made = madeOf(value);
  if (made?.kind === 'service')
    return refuse(at, 'MW2120', `${describeMade(made)} where one of its ports is meant`, `name the port: \`${made.name}.ports.<name>\``);
  return madeAs(['port'], 'a port', 'name a port of a service: `reviews.ports.web`')(value, at);
};

/** What a standard, a guarantee, a waiver or a roll-out is about. */
export const scope: Reader<ScopeRef> = (value, at) => {
  const made = madeAs(
    [
      'mesh',
      'namespace',
      'service',
      'workload',
      'gateway',
      'port',
      'version',
      'listener',
      'selection',
      'external',
      'access',
      'route',
      'need',
      'standard',
      'guarantee',
      'rollout',
      'patch',
      'limit',
      'deploy',
      'delegation',
      'issuer',
      'east-west',
      'export',
    ],
    'something that a rule can be about',
    'name the mesh, a namespace, a service, a port, a rule, or `tagged(...)`',
  )(value, at);
  switch (made.kind) {
    case 'mesh':
      return freeze({ kind: 'mesh' });
    case 'selection':
      return freeze({ kind: 'tagged', tags: made.tags });
    case 'port':
    case 'version':
    case 'listener':
      return freeze({ kind: 'ref', to: made.ref });
    default:
      return freeze({ kind: 'ref', to: entryRef(made.entry) });
  }
};
export const scopes = oneOrMore(scope);

export const tagged = verb('tagged', ['spec'], 1, (given) => make({}, { kind: 'selection', tags: tags(given.take(0), given.at(0)) }));

const anyoneBut = (except: readonly CallerRef[]): object =>
  make(
    {
      except: verb(
        'anyone.except',
        ['callers'],
        1,
        (given) => anyoneBut(freeze([...except, ...given.all.map((one, i) => caller(one, given.at(i)))])),
        'rest',
      ),
    },
    { kind: 'anyone', except },
  );
export const anyone = anyoneBut(freeze([]));

const outside = (outsideName: string, networks: readonly string[] | null): object =>
  make(
    {
      through: verb(`${outsideName}.through`, ['gateway'], 1, (given) => {
        const gateway = gatewayHandle(given.take(0), given.at(0));
        const through = entryRef(gateway.entry);
        return make(
          {},
          {
            kind: 'outside-through',
            caller: freeze({ kind: 'outside', name: outsideName, through, ...(networks ? { network: networks } : {}) }),
          },
        );
      }),
    },
    { kind: 'outside', name: outsideName, network: networks },
  );
export const gatewayHandle: Reader<
  Extract<Made, { readonly kind: 'namespace' | 'workload' | 'gateway' | 'east-west' | 'external' | 'issuer' }>
> = (value, at: Place) => {
  const made = madeOf(value);
  if (made?.kind === 'gateway') return made;
  return refuse(at, made ? 'MW2120' : 'MW2119', `${show(value)} where a gateway is meant`, 'name what `gateway(...)` made');
};
export const internet = outside('internet', null);
export const network = verb('network', ['name', 'cidrs'], 2, (given) =>
  outside(name(given.take(0), given.at(0)), list(cidr, { unique: 'network' })(given.take(1), given.at(1))),
);
