/** The Release: the one mutable thing, so the one that needs order: who, signed by whom, after what, until when. */
import { FormError } from '../../core/bundle/release-form';
import { meshNamespace, signedReleaseOf } from '../../core/bundle/custom-resource';
import type { ReleaseSet, SignedRelease } from '../../core/bundle/objects';
import { verifyRelease, type Live } from '../../core/bundle/verify';
import { admit } from '../../core/diagnostics/admit';
import { digestOfJson, isDigest, type Digest } from '../../core/lib/digest';
import type { JsonFields } from '../review/json';
import { firstDifference, memberOf, sameJson } from '../review/json';
import { nameOf, type Review } from '../review/review';
import type { AdmitContext } from './context';
import { tokenAnnotation } from './deployer-token';
import { deployersOf, jobOf } from './deployers';
import { emptiesNamespace } from './namespaces';
import { changedField } from './objects';
import { allow, deny, type Verdict } from './verdict';

/** The verdict on a Release or its status. */
export async function adjudicateRelease(review: Review, what: string, context: AdmitContext): Promise<Verdict> {
  const { object, oldObject, user } = review;
  const isControlPlane = user.username === context.controlPlaneUser;
  const statusDenied = (field: string): Verdict => deny('status', what, field, admit.statusWriter({ user: user.username }));
  if (review.subresource === 'status') return isControlPlane ? allow('status') : statusDenied('status');
  if (review.operation === 'DELETE') {
    const name = nameOf(review);
    if ((name !== '' && name !== context.environment) || emptiesNamespace(review, context)) return allow('deletion');
    return deny('deletion', what, 'metadata.name', admit.liveRelease({ namespace: meshNamespace }));
  }
  if (object === null) return deny('release', what, 'object', admit.malformed({ reason: 'the review has no object' }));
  // The server keeps the status of a write to the object itself; should it not, nobody else writes it that way either.
  const status = firstDifference(memberOf(oldObject, 'status'), memberOf(object, 'status'), 'status');
  if (status !== null && !isControlPlane) return statusDenied(status);

  const unchanged = oldObject !== null && changedField(withoutStatus(oldObject), withoutStatus(object)) === null;
  if (unchanged && (isControlPlane || isWrittenBack(oldObject, object))) return allow('metadata');
  // First: a release may have to be unpacked before its signature can be checked, and nobody but a deployer has that done.
  const refusal = await deployerRefusal(review, object, context);
  if (refusal !== null) return deny('release', what, 'metadata', admit.notDeployer({ user: user.username, token: refusal.token }));
  if (unchanged) return allow('metadata');
  let signed: SignedRelease;
  try {
    signed = signedReleaseOf(object);
  } catch (error) {
    return deny('release', what, 'spec', admit.malformed({ reason: error instanceof FormError ? error.message : 'it cannot be read' }));
  }
  const digest = digestOfJson(signed.release);

  const given = signed.release.environment;
  if (given !== context.environment)
    return deny('release', what, 'spec.environment', admit.otherEnvironment({ given, served: context.environment }));
  const before = oldObject === null ? null : liveOf(oldObject, signed.release.stable);
  if (before === 'unreadable') {
    const reason = 'the release that is there cannot be read';
    return deny(
      'release',
      what,
      'spec',
      admit.releaseRefused({ reason, repair: 'look at the live release; it was not let in by this webhook' }),
    );
  }
  if (before && before.rolling !== null && before.live.digest !== digest)
    return deny('release', what, 'spec', admit.rolloutUnderWay({ generation: before.live.generation, state: before.rolling }));
  const { diagnostics } = await verifyRelease(signed, {
    trust: context.trust.root,
    now: context.now,
    live: before?.live ?? null,
    purpose: review.dryRun ? 'dry-run' : 'live',
  });
  const [first] = diagnostics;
  if (first === undefined) return allow('release');
  const reason = `${first.message} (${first.code})`;
  return deny('release', what, fieldOf(first.code), admit.releaseRefused({ reason, repair: first.help ?? 'build the release again' }));
}

/** The server's own notes: they change with every write. */
const serversOwn: ReadonlySet<string> = new Set(['managedFields', 'resourceVersion', 'generation']);
/** Whether somebody writes back what was there, as a migration of what is stored does: that is nobody's release. */
function isWrittenBack(before: JsonFields, after: JsonFields): boolean {
  const notes = (object: JsonFields): JsonFields =>
    Object.fromEntries(Object.entries(memberOf(object, 'metadata') ?? {}).filter(([name]) => !serversOwn.has(name)));
  return sameJson(notes(before), notes(after));
}

const withoutStatus = (object: JsonFields): JsonFields => Object.fromEntries(Object.entries(object).filter(([name]) => name !== 'status'));

/**
 * null when the user, or the token that the release carries, is one of the deployers. A token is for the digest that the release says it has: whether it is
 * its own is seen when it is verified.
 */
async function deployerRefusal(
  review: Review,
  object: JsonFields,
  context: AdmitContext,
): Promise<{ readonly token: string | null } | null> {
  const deployers = deployersOf(context.releaseDeployers);
  if (deployers.has(review.user, jobOf(review.user, context.jobUsernamePrefix))) return null;
  const token = memberOf(memberOf(memberOf(object, 'metadata'), 'annotations'), tokenAnnotation);
  if (typeof token !== 'string') return { token: null };
  const digest = memberOf(memberOf(object, 'proof'), 'digest');
  if (typeof digest !== 'string' || !isDigest(digest)) return { token: 'the release says no digest that it could be for' };
  const outcome = await context.tokens.verify(token, digest, context.now);
  if (outcome.kind === 'refused') return { token: outcome.reason };
  if (deployers.has(review.user, outcome.job)) return null;
  const { repository, ref, environment } = outcome.job;
  return { token: `\`${repository}\` at \`${ref}\`${environment === null ? '' : ` in \`${environment}\``} is no deployer` };
}

interface Before {
  readonly live: Live;
  /** The state of its roll-out while it moves. */
  readonly rolling: string | null;
}

/** What is live, from the object that is there. Its own digest is made anew; its roll-out says which of its sets is in force. */
function liveOf(oldObject: JsonFields, stable: ReleaseSet): Before | 'unreadable' {
  let old: SignedRelease;
  try {
    old = signedReleaseOf(oldObject);
  } catch {
    return 'unreadable';
  }
  const digest = digestOfJson(old.release);
  const phase = phaseOf(oldObject, digest);
  // While nothing has confirmed it, its signer may build on either set: nobody has the one or the other.
  const takesCandidate = phase === 'converged' || (phase === 'unproven' && sameJson(stable, old.release.candidate));
  return {
    live: { generation: old.release.generation, digest, inForce: takesCandidate ? old.release.candidate : old.release.stable },
    rolling: phase === 'rolling' || phase === 'holding' ? phase : null,
  };
}

/** The phase that the control plane wrote about this very release; `unproven` while it has not. */
export function phaseOf(resource: unknown, digest: Digest): string {
  const progress = memberOf(memberOf(resource, 'status'), 'progress');
  const about = memberOf(progress, 'release');
  const phase = memberOf(memberOf(progress, 'phase'), 'kind');
  return typeof about === 'string' && isDigest(about) && about === digest && typeof phase === 'string' ? phase : 'unproven';
}

const fields: ReadonlyMap<string, string> = new Map([
  ['MW6009', 'spec.generation'],
  ['MW6010', 'spec.parent'],
  ['MW6011', 'spec.notAfter'],
  ['MW6012', 'spec.stable'],
]);
const fieldOf = (code: string): string => fields.get(code) ?? 'proof.signature';
