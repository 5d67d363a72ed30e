/** ServiceConfig, ProxyConfig, AdmissionRules: let in with their proof, never changed, gone only when nothing names them. */
import { FormError } from '../../core/bundle/release-form';
import { signedObjectOf } from '../../core/bundle/custom-resource';
import type { SignedObject } from '../../core/bundle/objects';
import { partOf, type ObjectPart } from '../../core/bundle/parts';
import { objectStatement } from '../../core/bundle/statement';
import { verifyPart, type Purpose } from '../../core/bundle/verify';
import { admit } from '../../core/diagnostics/admit';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { firstDifference, isFields, memberOf, type JsonFields } from '../review/json';
import { nameOf, type Review } from '../review/review';
import type { AdmitContext } from './context';
import { emptiesNamespace } from './namespaces';
import { allow, deny, undecided, type Verdict } from './verdict';

/** The verdict on one of our immutable objects. */
export async function adjudicateObject(review: Review, what: string, context: AdmitContext): Promise<Verdict> {
  if (review.operation === 'DELETE') return adjudicateDeletion(review, what, context);
  const { object, oldObject } = review;
  if (object === null) return deny('object', what, 'object', admit.malformed({ reason: 'the review has no object' }));
  if (review.operation === 'UPDATE' && oldObject !== null) {
    const leaving = isEndOf(oldObject, object) ? adjudicateEnd(review, what, context) : null;
    if (leaving?.allowed === false) return leaving;
    const changed = changedField(oldObject, object);
    if (changed === null) return allow('metadata');
    // The same content under a newer key's signature is no other object; anything else under this name is.
    const proved = await proofOf(review, object, context);
    return proved === null ? allow('object') : deny('object', what, changed, admit.immutable({}));
  }
  const refused = await proofOf(review, object, context);
  return refused === null ? allow('object') : deny('object', what, refused.field, refused.diagnostic);
}

/** The first field outside the metadata that differs. */
export function changedField(before: JsonFields, after: JsonFields): string | null {
  for (const name of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()) {
    if (name === 'metadata') continue;
    const path = firstDifference(memberOf(before, name), memberOf(after, name), name);
    if (path !== null) return path;
  }
  return null;
}

interface Refusal {
  readonly field: string;
  readonly diagnostic: Diagnostic;
}

/** A part of an object too big for one resource: the signature lists the digest of each part, so each is judged alone. */
async function proofOfPart(
  object: JsonFields,
  part: ObjectPart,
  { environment, trust }: AdmitContext,
  purpose: Purpose,
): Promise<Refusal | null> {
  if (part.environment !== environment)
    return { field: 'proof.environment', diagnostic: admit.otherEnvironment({ given: part.environment, served: environment }) };
  const [first] = (await verifyPart(object, environment, trust.root, purpose)).diagnostics;
  return first === undefined ? null : { field: 'packed', diagnostic: admit.unproved({ reason: `${first.message} (${first.code})` }) };
}

/** null when the object is exactly what a trusted key signed, for this environment, under this name. */
async function proofOf(review: Review, object: JsonFields, context: AdmitContext): Promise<Refusal | null> {
  const purpose: Purpose = review.dryRun ? 'dry-run' : 'live';
  let read: { readonly signed: SignedObject; readonly environment: string };
  let part: ObjectPart | null;
  try {
    part = partOf(object);
    if (part !== null) return await proofOfPart(object, part, context, purpose);
    read = signedObjectOf(object);
  } catch (error) {
    const reason = error instanceof FormError ? error.message : 'it cannot be read';
    return {
      field: /`((?:metadata|proof|spec|kind|apiVersion)[.\w]*)`/.exec(reason)?.[1] ?? 'object',
      diagnostic: admit.malformed({ reason }),
    };
  }
  const { signed, environment } = read;
  if (environment !== context.environment) {
    return { field: 'proof.environment', diagnostic: admit.otherEnvironment({ given: environment, served: context.environment }) };
  }
  const { namespace } = signed.object.metadata;
  if (review.namespace !== namespace)
    return { field: 'metadata.namespace', diagnostic: admit.malformed({ reason: `it is written into namespace \`${review.namespace}\`` }) };
  if (review.kind.kind !== signed.object.kind)
    return { field: 'kind', diagnostic: admit.malformed({ reason: `it is written as a \`${review.kind.kind}\`` }) };
  const { diagnostics } = await context.signatures.verify(signed, environment, context.trust, purpose);
  const [first] = diagnostics;
  if (first === undefined) return null;
  return { field: copiedField(signed, environment), diagnostic: admit.unproved({ reason: `${first.message} (${first.code})` }) };
}

/** What an unverified signature says it is about, compared with what it came with: only to name the field that was changed or copied. */
function copiedField(signed: SignedObject, environment: string): string {
  if (signed.jws === '') return 'proof.jws';
  const fieldNames = {
    environment: 'proof.environment',
    kind: 'kind',
    namespace: 'metadata.namespace',
    name: 'proof.name',
    sha256: 'spec',
  };
  try {
    const stated: unknown = JSON.parse(Buffer.from(signed.jws.split('.')[1] ?? '', 'base64url').toString('utf8'));
    if (!isFields(stated)) return 'proof.jws';
    const actual = objectStatement(signed.object, environment);
    for (const name of ['environment', 'kind', 'namespace', 'name', 'sha256'] as const)
      if (memberOf(stated, name) !== actual[name]) return fieldNames[name];
  } catch {
    // What cannot be read is a signature of nothing.
  }
  return 'proof.jws';
}

/** Whether an update is the end of what was deleted before: the server removes it when its last finalizer goes, and asks about no deletion then. */
function isEndOf(before: JsonFields, after: JsonFields): boolean {
  const isGiven = (object: JsonFields, name: string): boolean => {
    const value = memberOf(memberOf(object, 'metadata'), name);
    return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== null;
  };
  return isGiven(before, 'deletionTimestamp') && isGiven(before, 'finalizers') && !isGiven(after, 'finalizers');
}

function adjudicateDeletion(review: Review, what: string, context: AdmitContext): Verdict {
  return emptiesNamespace(review, context) ? allow('deletion') : adjudicateGoing(review, what, context);
}

/** Finalizers are taken off by whoever put them on, so in a namespace that is being deleted by anybody. */
function adjudicateEnd(review: Review, what: string, context: AdmitContext): Verdict {
  return context.state.terminating.has(review.namespace) ? allow('deletion') : adjudicateGoing(review, what, context);
}

function adjudicateGoing(review: Review, what: string, { state }: AdmitContext): Verdict {
  if (!state.synced || state.stale || state.live === 'unreadable')
    return undecided(what, admit.undecided({ reason: 'what is live is not known' }));
  if (state.live === null) return allow('deletion');
  // A big object lies there in parts; without one of them it is not there.
  const resource = `${review.kind.kind}/${review.namespace}/${nameOf(review).replace(/\.part-\d+$/, '')}`;
  const { stableResources, candidateResources } = state.live;
  const set = candidateResources.has(resource) ? 'candidate' : stableResources.has(resource) ? 'stable' : null;
  return set === null ? allow('deletion') : deny('deletion', what, 'metadata.name', admit.inForce({ set }));
}
