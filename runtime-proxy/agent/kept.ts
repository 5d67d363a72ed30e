/**
 * What Envoy has taken of the types whose responses are whole, in the state of the world: in bytes, so that it can be said again when nobody else knows it.
 * A control plane names what a proxy is to keep for now and whose bytes it does not have, as a resource without a body; the body is put back here.
 */
import { anyUnpack, type Any } from '@bufbuild/protobuf/wkt';
import { ResourceSchema, type DiscoveryResponse } from '../../core/wire/gen/envoy/service/discovery/v3/discovery_pb';
import { typeUrl } from '../../core/wire/type-url';

type ByName = ReadonlyMap<string, Any>;
const whole: readonly string[] = [typeUrl.cluster, typeUrl.listener];

export class Kept {
  readonly #taken = new Map<string, ByName>();
  readonly #open = new Map<string, { readonly type: string; readonly resources: ByName }>();

  /** A response on its way to Envoy, with its bodies. What is not known here either is left out: it is gone. */
  complete(response: DiscoveryResponse): DiscoveryResponse {
    const { typeUrl: type, nonce } = response;
    if (!whole.includes(type)) return response;
    const resources = new Map<string, Any>();
    const taken = this.#taken.get(type);
    for (const one of response.resources) {
      const named = anyUnpack(one, ResourceSchema);
      const known = named?.resource === undefined ? taken?.get(named?.name ?? '') : one;
      if (named !== undefined && known !== undefined) resources.set(named.name, known);
    }
    this.#open.set(nonce, { type, resources });
    return { ...response, resources: [...resources.values()] };
  }
  /** Envoy's answer to it. What it refuses it may have taken in part: then it is as before. */
  answered(nonce: string, accepted: boolean): void {
    const found = this.#open.get(nonce);
    this.#open.delete(nonce);
    if (found && accepted) this.#taken.set(found.type, found.resources);
  }
  /** A stream began: answers to the one before will not come any more. */
  begin(): void {
    this.#open.clear();
  }
}
