import { objectName, type MeshObject, type ProxyConfig } from '../core/bundle/objects';
import { canonicalJson } from '../core/lib/json';
import type { ProxyCount } from '../compiler/diff';

/** How many proxies get other configuration: their own ProxyConfig, or a ServiceConfig that they may call, is another. */
export function countProxies(before: readonly MeshObject[], after: readonly MeshObject[]): ProxyCount {
  const texts = (objects: readonly MeshObject[]): ReadonlyMap<string, string> =>
    new Map(objects.map((object) => [objectName(object), canonicalJson(object)]));
  const [was, is] = [texts(before), texts(after)];
  const differs = (name: string): boolean => was.get(name) !== is.get(name);
  const proxies = after.filter((object): object is ProxyConfig => object.kind === 'ProxyConfig');
  const changed = proxies.filter(
    (proxy) => differs(objectName(proxy)) || proxy.spec.outbound.services.some((service) => differs(`ServiceConfig/${service}`)),
  );
  const bytes = (all: ReadonlyMap<string, string>): number => [...all.values()].reduce((total, text) => total + Buffer.byteLength(text), 0);
  return {
    changed: changed.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).sort(),
    total: proxies.length,
    bytes: bytes(is) - bytes(was),
  };
}
