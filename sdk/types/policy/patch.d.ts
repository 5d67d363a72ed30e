import type { VersionRange } from './deploy-time';
import type { AtLeastOne } from './units';

export interface EnvoyPatch {
  readonly direction: 'inbound' | 'outbound';
  readonly envoy: AtLeastOne<VersionRange>;
  readonly because: string;
  readonly merge: { readonly [field: string]: unknown };
}
