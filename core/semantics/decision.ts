import type { PortKey, RuleId, WorkloadKey } from '../mesh/ids';
import type { Fault, HeaderEdits } from '../ir/ir';
import type { Resilience } from '../ir/resilience';
import type { HashReading } from './hash';
import type { Claims } from './user';
import type { Tries } from './timing';

/** A request as the caller's application sends it. */
export interface MeshRequest {
  /** A workload inside the mesh, or somebody outside who comes to a gateway's listener with a host (`Host`, and SNI where the listener has TLS). */
  readonly from:
    | { readonly kind: 'workload'; readonly workload: WorkloadKey }
    | {
        readonly kind: 'outside';
        readonly gateway: WorkloadKey;
        readonly listener: string;
        readonly host: string;
        /** What it shows of itself where the listener asks: a certificate of the listener's authorities (`valid`), or any other; absent: none. */
        readonly certificate?: 'valid' | 'invalid';
        /** The address that its connection comes from; absent: one that no rule names. */
        readonly address?: string;
      };
  /** The port addressed; null for a request from outside, which addresses a host. */
  readonly to: PortKey | null;
  readonly method: string;
  /** Path and query as on the wire: `/reviews/7?x=1`. */
  readonly path: string;
  /** Names lower case. `host` is filled in from `to` or `from.host`. */
  readonly headers: { readonly [name: string]: string };
  /** What its bearer token says; undefined: it has none. */
  readonly claims?: Claims | undefined;
}

/** A request as a destination reads it: after rewrites and edits. */
export interface ForwardedRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly host: string;
  /** Names lower case; several of one name joined by `,`. */
  readonly headers: { readonly [name: string]: string };
}

/** What one destination of the request says to it: the second hop. */
export interface DestinationDecision {
  readonly port: PortKey;
  readonly version: string | null;
  /** Percent of the requests that are sent on; the shares of a decision add up to 100. */
  readonly share: number;
  readonly access: 'allow' | 'deny';
  /** The rules that decided: the denials that match, else the allows that match; empty when no rule allows. Sorted. */
  readonly because: readonly RuleId[];
  readonly request: ForwardedRequest;
  /** What happens to the headers of its answer on the way back, one after the other. */
  readonly responseHeaders: readonly HeaderEdits[];
  /** How the caller's proxy reaches its endpoints, with what the caller made stricter. Which of them are healthy proxies alone know. null: only the second hop was asked. */
  readonly resilience: Resilience | null;
  /** By what an endpoint is chosen; null where nothing of the request counts. */
  readonly hash: HashReading | null;
}

/** A copy of the request: its destination decides by itself, and its answer is thrown away. */
export interface MirrorDecision {
  readonly port: PortKey;
  readonly version: string | null;
  /** Percent of the requests that are sent on. */
  readonly share: number;
  readonly access: 'allow' | 'deny';
  readonly because: readonly RuleId[];
  readonly request: ForwardedRequest;
}

/** What the mesh says where no application answers. */
export interface MeshAnswer {
  readonly status: number;
  /** Names lower case. A redirect has its `location` here. */
  readonly headers: { readonly [name: string]: string };
  readonly body: string | null;
}

/** Why a user keeps one of several destinations. `value`: what the request carries; null: nothing, so this request is one of many. */
export interface StickyDecision {
  readonly by: 'header' | 'cookie' | 'issued';
  readonly name: string;
  readonly value: string | null;
}

/** The meaning of a request. `stage` is where it was decided; a later stage was not reached. */
export interface Decision {
  readonly outcome: 'allow' | 'deny' | 'mixed';
  readonly stage: 'canonical' | 'cors' | 'authentication' | 'outbound' | 'route' | 'fault' | 'inbound';
  /**
   * The status the mesh itself answers with (400 not canonical, 401 a token that is not valid, 403 denied, 404 no such host, 421 host not served here, 503 a host that is no name, that of a direct response, a
   * redirect, a preflight request or a fault that hits every request); null when the application answers.
   */
  readonly status: number | null;
  readonly because: readonly RuleId[];
  readonly route: { readonly rule: RuleId; readonly index: number } | null;
  readonly destinations: readonly DestinationDecision[];
  readonly mirrors: readonly MirrorDecision[];
  /** What is done to some of the requests, or all, before any is sent on. */
  readonly fault: Fault | null;
  /** Where an owner made the mesh answer; null where it refuses, or an application answers. */
  readonly answer: MeshAnswer | null;
  readonly sticky: StickyDecision | null;
  readonly timeoutMs: number | null;
  readonly idleMs: number | null;
  /** For this request's method. */
  readonly retry: Tries | null;
  /** One sentence for people. */
  readonly says: string;
}
