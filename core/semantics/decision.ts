import type { PortKey, RuleId, WorkloadKey } from '../mesh/ids';
import type { Retry } from '../ir/ir';

/** A request as the caller's application sends it. */
export interface MeshRequest {
  /** A workload inside the mesh, or somebody outside who comes to a gateway's listener with a host (`Host`, and SNI where the listener has TLS). */
  readonly from:
    | { readonly kind: 'workload'; readonly workload: WorkloadKey }
    | { readonly kind: 'outside'; readonly gateway: WorkloadKey; readonly listener: string; readonly host: string };
  /** The port addressed; null for a request from outside, which addresses a host. */
  readonly to: PortKey | null;
  readonly method: string;
  /** Path and query as on the wire: `/reviews/7?x=1`. */
  readonly path: string;
  /** Names lower case. `host` is filled in from `to` or `from.host`. */
  readonly headers: { readonly [name: string]: string };
}

/** What one destination of the request says to it: the second hop. */
export interface DestinationDecision {
  readonly port: PortKey;
  readonly version: string | null;
  /** Percent of requests; the shares of a decision add up to 100. */
  readonly share: number;
  readonly access: 'allow' | 'deny';
  /** The rules that decided: the denials that match, else the allows that match; empty when no rule allows. Sorted. */
  readonly because: readonly RuleId[];
}

/** The meaning of a request. `stage` is where it was decided; a later stage was not reached. */
export interface Decision {
  readonly outcome: 'allow' | 'deny' | 'mixed';
  readonly stage: 'canonical' | 'outbound' | 'route' | 'inbound';
  /** The status the mesh itself answers with (400 not canonical, 403 denied, 404 no such host, 421 host not served here, a direct response's); null when the application answers. */
  readonly status: number | null;
  readonly because: readonly RuleId[];
  readonly route: { readonly rule: RuleId; readonly index: number } | null;
  readonly destinations: readonly DestinationDecision[];
  readonly timeoutMs: number | null;
  readonly retry: Retry | null;
  /** One sentence for people. */
  readonly says: string;
}
