import type { AnyGateway, External } from './gateways';
import type { Namespace, Service, Workload } from './inventory';
import type { kind } from './marks';
import type { AnyEastWestGateway, EastWestGateway } from './networks';
import type { Caller, Scope } from './names';
import type { TargetsOf } from './ports';
import type { PortMap } from './targets';

/** What other teams import. */
export interface SharedService<out N extends string, out P extends PortMap, out V extends string> extends Scope, Caller {
  readonly [kind]: 'service';
  readonly name: N;
  readonly ports: TargetsOf<P, V>;
}
export interface SharedWorkload extends Scope, Caller {
  readonly [kind]: 'workload';
  readonly name: string;
}
export interface SharedNamespace extends Scope, Caller {
  readonly [kind]: 'namespace';
  readonly name: string;
}
export interface SharedGateway<out L> extends AnyGateway {
  readonly listeners: L;
}
export interface SharedExternal<P extends PortMap> extends Scope {
  readonly [kind]: 'external';
  readonly ports: TargetsOf<P, never>;
}
type Shared<T> =
  T extends Service<infer N, infer P, infer V>
    ? SharedService<N, P, V>
    : T extends Workload
      ? SharedWorkload
      : T extends Namespace
        ? SharedNamespace
        : T extends EastWestGateway
          ? AnyEastWestGateway
          : T extends External<infer P>
            ? SharedExternal<P>
            : T extends AnyGateway & { readonly listeners: infer L }
              ? SharedGateway<L>
              : T;
/** For a team's public.ts: `export const { productpage, reviews } = share(own)`. */
export declare function share<T extends { readonly [name: string]: object }>(own: T): { readonly [K in keyof T]: Shared<T[K]> };

export {};
