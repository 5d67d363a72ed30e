/** Proxies that are connected to other replicas, as those say: what the leader decides by, and whom everybody may send calls to. */
import type { Part } from '../../core/bundle/objects';
import type { ProxyPhase, SecretTrouble } from '../../core/bundle/status';
import type { Digest } from '../../core/lib/digest';
import type { SetName } from '../../core/rollout/rollout';
import type { PeerIdentity } from '../ca/spiffe';

/** The names of the listeners that an instance takes calls on; null: nobody knows. */
export type Serving = readonly string[] | null;

/** What a replica says of a proxy that is connected to it. */
export interface RemoteProxy extends PeerIdentity {
  /** The release it is served by there; what is said of its parts is about that one. */
  readonly release: Digest | null;
  readonly parts: { readonly [part in Part]: { readonly set: SetName; readonly phase: ProxyPhase } };
  readonly lastError: string | null;
  readonly envoyVersion: string | null;
  readonly responses: number;
  readonly unconfigured: boolean;
  readonly serving: Serving;
  readonly secrets: readonly SecretTrouble[];
}

/** By source: what one says is forgotten when its stream ends. */
export class RemoteProxies {
  readonly #bySource = new Map<string, Map<string, RemoteProxy>>();

  /** Takes news from a source. Answers whether somebody began or ceased to take calls. */
  put(source: string, changed: readonly RemoteProxy[], gone: readonly string[]): boolean {
    let own = this.#bySource.get(source);
    if (!own) this.#bySource.set(source, (own = new Map()));
    let serving = false;
    for (const proxy of changed) {
      serving ||= own.get(proxy.instance)?.serving?.join() !== proxy.serving?.join();
      own.set(proxy.instance, proxy);
    }
    for (const instance of gone) serving = own.delete(instance) || serving;
    return serving;
  }
  drop(source: string): void {
    this.#bySource.delete(source);
  }
  get(instance: string): RemoteProxy | undefined {
    for (const own of this.#bySource.values()) {
      const found = own.get(instance);
      if (found) return found;
    }
    return undefined;
  }
  /** All of them, but those that one source told of. */
  all(except?: string): readonly RemoteProxy[] {
    return [...this.#bySource].flatMap(([source, own]) => (source === except ? [] : [...own.values()]));
  }
  *instances(): Generator<string> {
    for (const own of this.#bySource.values()) yield* own.keys();
  }
}
