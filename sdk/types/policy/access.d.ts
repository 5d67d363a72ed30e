import type { User } from './identity';
import type { kind } from './marks';
import type { Anyone, Caller, Env, OrPerEnv, Scope } from './names';
import type { TextFields } from './routes';
import type { Mode } from './settings';
import type { NonEmpty, OneOrMore, Rate } from './units';

/** Said out loud where every request is meant. */
export declare const anyRequest: 'any request';
export interface AccessCommon {
  readonly from: OneOrMore<Caller>;
  readonly mode?: Mode;
  readonly only?: NonEmpty<Env>;
}
export interface HttpAccess<R extends string> extends AccessCommon {
  readonly requests: NonEmpty<R> | typeof anyRequest;
  /** A valid token of this issuer, always required where it is written. */
  readonly user?: User;
  readonly headers?: TextFields;
  readonly hosts?: NonEmpty<string>;
}
export interface GrpcAccess<R extends string> extends AccessCommon {
  readonly methods: NonEmpty<R> | typeof anyRequest;
  readonly user?: User;
}
/** Of TLS to a host outside the mesh, where the caller's own proxy decides: the server names that its application may ask for. */
export interface OutsideTlsAccess extends AccessCommon {
  readonly sni?: NonEmpty<string>;
}
/** Wins over every allow. Whole identities only: there is no denial by path for an odd URL to slip past. */
export interface Denial {
  readonly from: OneOrMore<Caller> | Anyone;
  readonly because: string;
  readonly only?: NonEmpty<Env>;
}
/** Unnamed rules take the export's name: `pageReadsReviews` is the rule's id in metrics, logs, tests and waivers. */
export interface AccessRule extends Scope {
  readonly [kind]: 'access';
}
export interface LimitRule {
  readonly rate: OrPerEnv<Rate>;
  readonly per: 'caller' | 'user' | 'address' | { readonly header: string };
  readonly whenDown: 'allow' | 'deny';
}
export interface HttpLimit<R extends string> extends LimitRule {
  readonly requests?: NonEmpty<R>;
}
export interface Limit extends Scope {
  readonly [kind]: 'limit';
}
