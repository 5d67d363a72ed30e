/** `share`: the same things without the acts of their owner, for a team's public.ts. */
import { madeOf, make, hidden } from './made';
import { freeze, getOwnPropertyDescriptor, getProperty, ownKeys } from './intrinsics';
import { type Place, argument, framesHere, refuse } from './policy-error';
import { handles, refusals, sharedPort } from './ports';

/**
 * Not read by snapshot: what it is given is a module's namespace, whose names are getters.
 * @throws PolicyError MW2104 for a name without a value (an import cycle), MW2101 for what is no record.
 */
export const share = freeze((own: unknown): object => {
  const at: Place = argument({ what: 'share', stack: framesHere(), parts: [] }, '');
  if (typeof own !== 'object' || own === null || madeOf(own))
    return refuse(at, 'MW2101', 'no record of things to share', "write `import * as own from './services.policy'` and `share(own)`");
  const shared: Record<string, unknown> = {};
  for (const key of ownKeys(own)) {
    if (typeof key === 'symbol' || key === '__esModule' || key === 'default' || key === '__proto__') continue;
    if (!getOwnPropertyDescriptor(own, key)?.enumerable) continue;
    const value: unknown = getProperty(own, key);
    if (value === undefined)
      return refuse(
        at,
        'MW2104',
        `\`${key.slice(0, 80)}\` has no value yet`,
        'two modules import each other: let the file of nouns import no rules',
      );
    shared[key] = view(value);
  }
  return freeze(shared);
});

function view(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const made = madeOf(value);
  switch (made?.kind) {
    case 'service':
      return make(hidden({ name: made.name, ports: sharedPorts(value, made.name) }, refusals(made.name, ['version', 'calls', 'deploys'])), {
        ...made,
        owned: false,
      });
    case 'external':
      return make({ ports: sharedPorts(value, made.name) }, { ...made, owned: false });
    case 'gateway':
      return make(hidden({ listeners: getProperty(value, 'listeners') }, refusals(made.name, ['deploys'])), { ...made, owned: false });
    case 'east-west':
      return make(hidden({}, refusals(made.name, ['deploys'])), { ...made, owned: false });
    case 'workload':
      return make(hidden({ name: made.name }, refusals(made.name, ['calls', 'deploys'])), { ...made, owned: false });
    case 'namespace':
      return make(hidden({ name: made.name }, refusals(made.name, ['standard', 'deploys'])), { ...made, owned: false });
    default:
      return value;
  }
}

function sharedPorts(owner: unknown, name: string): { readonly [name: string]: object } {
  const ports: Record<string, object> = {};
  if (typeof owner === 'object' && owner !== null && 'ports' in owner && typeof owner.ports === 'object' && owner.ports !== null) {
    for (const [key, port] of Object.entries(owner.ports)) {
      const made = madeOf(port);
      if (made?.kind === 'port') ports[key] = sharedPort(made);
    }
  }
  return handles(ports, 'MW2114', 'port', name);
}
