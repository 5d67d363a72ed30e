/** The answer to a review, in the one form that the API server takes from a validating webhook: never a patch. */
import { allow, type Verdict } from '../admit/verdict';
import type { Review } from './review';

/** The API server cuts each warning here and drops what goes over the sum; it is done before, so that what is shown is known. */
export const maxWarning = 256;
export const maxWarnings = 4096;
const maxMessage = 4096;
const maxCauses = 50;
const maxAnnotation = 2048;

interface StatusCause {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}
export interface AdmissionReviewResponse {
  readonly apiVersion: 'admission.k8s.io/v1';
  readonly kind: 'AdmissionReview';
  readonly response: {
    readonly uid: string;
    readonly allowed: boolean;
    readonly status?: {
      readonly code: number;
      readonly reason: string;
      readonly message: string;
      readonly details: {
        readonly group: string;
        readonly kind: string;
        readonly name: string;
        readonly causes: readonly StatusCause[];
      };
    };
    /** Of a mutating webhook only. */
    readonly patchType?: 'JSONPatch';
    readonly patch?: string;
    readonly warnings?: readonly string[];
    readonly auditAnnotations?: { readonly [name: string]: string };
  };
}

/**
 * A denial is 422 `Invalid`, never 403: a preview by Pulumi's Kubernetes provider takes Forbidden for success. What cannot be decided now is 503
 * `ServiceUnavailable`, so that nobody takes it for a verdict about the object. Of an `Invalid` with causes, kubectl prints kind, name and causes and not the
 * message, so each cause says all of it.
 */
export function formatResponse({ uid, kind, name }: Pick<Review, 'uid' | 'kind' | 'name'>, verdict: Verdict): AdmissionReviewResponse {
  const warnings = boundedWarnings(verdict.warnings);
  const annotations = Object.entries(verdict.audit).map(([name, value]) => [name, oneLine(value, maxAnnotation)] as const);
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: {
      uid,
      allowed: verdict.allowed,
      ...(verdict.allowed
        ? {}
        : {
            status: {
              code: verdict.undecided ? 503 : 422,
              reason: verdict.undecided ? 'ServiceUnavailable' : 'Invalid',
              message: oneLine(verdict.message, maxMessage),
              details: {
                group: oneLine(kind.group, maxWarning),
                kind: oneLine(kind.kind, maxWarning),
                name: oneLine(name, maxWarning),
                causes: verdict.causes.slice(0, maxCauses).map((cause) => ({
                  reason: cause.code,
                  message: oneLine(`${cause.message} (${cause.code})`, maxMessage),
                  field: oneLine(cause.field, maxWarning),
                })),
              },
            },
          }),
      ...(warnings.length > 0 ? { warnings } : {}),
      ...(annotations.length > 0 ? { auditAnnotations: Object.fromEntries(annotations) } : {}),
    },
  };
}

/** Each at most 256 characters, 4,096 in all, each said once, safe in an HTTP header. */
export function boundedWarnings(warnings: readonly string[]): readonly string[] {
  const kept: string[] = [];
  let left = maxWarnings;
  for (const warning of new Set(warnings.map((text) => oneLine(text, maxWarning)))) {
    const length = [...warning].length;
    if (warning === '' || length > left) continue;
    kept.push(warning);
    left -= length;
  }
  return kept;
}

/** Control characters, line ends and lone surrogates become spaces; at most `most` characters, cut between characters. */
export function oneLine(text: string, most: number): string {
  const plain = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
  if (plain.length <= most) return plain;
  const runes = [...plain];
  return runes.length <= most ? plain : `${runes.slice(0, most - 1).join('')}…`;
}

/** What a mutating path answers: let through, with a JSON Patch (RFC 6902) or as it is, or refused like anything else. */
export function formatMutation(
  review: Pick<Review, 'uid' | 'kind' | 'name'>,
  { patch, warnings }: { readonly patch: readonly object[] | null; readonly warnings: readonly string[] },
): AdmissionReviewResponse {
  const plain = formatResponse(review, { ...allow('injection'), warnings });
  if (patch === null || patch.length === 0) return plain;
  const encoded = Buffer.from(JSON.stringify(patch)).toString('base64');
  return { ...plain, response: { ...plain.response, patchType: 'JSONPatch', patch: encoded } };
}
