/** Verified objects, remembered: the signature is checked once for each content, environment and trust root. */
import type { Outcome } from '../../core/diagnostics/diagnostic';
import type { MeshObject, SignedObject } from '../../core/bundle/objects';
import { verifyObject, type Purpose } from '../../core/bundle/verify';
import { digestOfJson } from '../../core/lib/digest';
import type { Trusted } from './context';

export interface SignatureCache {
  verify(signed: SignedObject, environment: string, trust: Trusted, purpose: Purpose): Promise<Outcome<MeshObject>>;
  readonly size: number;
}

/** Only what holds is remembered; the oldest goes first. The digest is always made anew from the content that came. */
export function signatureCache(most = 4_096): SignatureCache {
  const known = new Set<string>();
  return {
    get size() {
      return known.size;
    },
    async verify(signed, environment, trust, purpose) {
      const digest = digestIfJson(signed.object);
      const key = [digest, signed.digest, environment, purpose, trust.version, signed.jws].join(' ');
      if (known.has(key)) return { value: signed.object, diagnostics: [] };
      const outcome = await verifyObject(signed, environment, trust.root, purpose);
      if (outcome.value === undefined || digest === null) return outcome;
      known.add(key);
      for (const oldest of known) {
        if (known.size <= most) break;
        known.delete(oldest);
      }
      return outcome;
    },
  };
}

/** null when there is no digest of it: it holds a number that nobody keeps exactly, or is nested too deep. */
function digestIfJson(object: MeshObject): string | null {
  try {
    return digestOfJson(object);
  } catch {
    return null;
  }
}
