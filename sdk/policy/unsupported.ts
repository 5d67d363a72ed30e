/** Words of the vocabulary that this version does not enforce: they are registered as such, and lower refuses them by name. Never silently dropped. */
import type { DeclarationValue } from '../../core/declarations/declaration';
import { freeze } from './intrinsics';

export const unsupported = (feature: string): Extract<DeclarationValue, { readonly kind: 'unsupported' }> =>
  freeze({ kind: 'unsupported', feature });
