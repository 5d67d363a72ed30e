/** Ports as handles: with the acts of their owner, or as `share` gives them out. */
import type { WirePort } from '../../core/declarations/declaration';
import { allowMethod, denyMethod, limitMethod } from './access';
import { suggest } from './did-you-mean';
import { RawProxy, freeze, getProperty, hasOwn, keysOf } from './intrinsics';
import { type MadePort, hidden, make } from './made';
import { exportMethod } from './exports';
import { patchMethod } from './patch';
import { PolicyError, type PolicyCode, framesHere } from './policy-error';
import { layerOf } from './port-specs';
import { delegateMethod, routeMethod, versionMethod } from './routes';

export const portOf = (
  ref: MadePort['ref'],
  owner: string,
  port: WirePort,
  versions: readonly string[],
  more: { readonly atGateway?: true; readonly outside?: true; readonly unsupported?: string } = {},
): MadePort => ({
  kind: 'port',
  ref: freeze(ref),
  owner,
  protocol: port.protocol,
  layer: layerOf(port.protocol),
  requests: port.requests ?? null,
  versions,
  atGateway: more.atGateway ?? false,
  outside: more.outside ?? false,
  unsupported: more.unsupported ?? null,
});

/** A port in its owner's hands. */
export function ownedPort(port: MadePort): object {
  const acts = {
    version: versionMethod(port),
    allow: allowMethod(port),
    deny: denyMethod(port),
    route: routeMethod(port),
    patch: patchMethod(port),
    export: exportMethod(port),
  };
  const limited = port.layer === 'http' || port.layer === 'grpc';
  return make(
    {
      protocol: port.protocol,
      ...acts,
      ...(limited ? { limit: limitMethod(port) } : {}),
      ...(port.layer === 'http' ? { delegate: delegateMethod(port) } : {}),
    },
    port,
  );
}
/** The same port in everybody else's. */
export const sharedPort = (port: MadePort): object =>
  make(
    hidden(
      { protocol: port.protocol, version: versionMethod(port) },
      refusals(port.owner, ['allow', 'deny', 'route', 'delegate', 'limit', 'patch', 'export']),
    ),
    port,
  );

/** Methods that say why they are not there. */
export function refusals(owner: string, names: readonly string[]): { readonly [name: string]: () => never } {
  const methods: Record<string, () => never> = {};
  for (const name of names) {
    methods[name] = freeze((): never => {
      throw new PolicyError(
        'MW2127',
        `\`${name}\` on \`${owner}\`, which another team owns`,
        `a method is an act on what you own: ask the owner of \`${owner}\``,
        framesHere(),
      );
    });
  }
  return methods;
}

/** A record of handles whose unknown names are refused in words, where plain JavaScript would hand out `undefined`. */
export function handles(
  known: { readonly [name: string]: object },
  code: PolicyCode,
  what: string,
  owner: string,
): { readonly [name: string]: object } {
  const names = keysOf(known);
  return new RawProxy(freeze({ ...known }), {
    get(target, key) {
      if (typeof key === 'string' && !hasOwn(target, key) && !(key in Object.prototype) && key !== 'then' && key !== 'toJSON') {
        throw new PolicyError(code, `unknown ${what} \`${key.slice(0, 80)}\` of \`${owner}\``, suggest(key, names, what), framesHere());
      }
      return getProperty(target, key);
    },
  });
}
