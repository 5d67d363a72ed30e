/**
 * Who a pod is, by its projected service-account token. The API server decides what the token is worth (TokenReview, for our audience alone); the pod
 * it is bound to is looked up each time, so that what is gone, or leaving, gets no certificate. Nothing is remembered beyond the request.
 * https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/
 */
import { meshNamespace } from '../../core/bundle/custom-resource';
import { principalOf, workloadKey } from '../../core/mesh/ids';
import { podLabels, workloadNameOf } from '../../core/mesh/pod';
import { reasonOf } from '../../core/lib/reason';
import { resources, KubeError, type Kube, type KubeObject } from '../../platform/kube';
import { DecodeError, fieldsOf, type Fields } from '../rpc/decode';
import { controlPlanePrincipal, instanceIdOf, isPrincipal, type Identity } from './spiffe';

/** Why a token is not taken; one line with the repair. `unavailable`: the same token may be good later. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused';
  constructor(
    readonly kind: 'denied' | 'unavailable',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
export interface PodIdentities {
  /** Rejects with TokenRefused. */
  identify(token: string): Promise<Identity>;
}

const controlPlaneAccount = 'control-plane';
/** Reviews under way at once: whoever reaches the CA can make it ask the API server. */
const mostReviews = 64;

export function podIdentities(
  kube: Kube,
  config: { readonly trustDomain: string; readonly audience: string },
  now: () => number,
): PodIdentities {
  const { trustDomain, audience } = config;
  let reviews = 0;
  return {
    async identify(token) {
      refuseEarly(token, audience, now());
      if (reviews >= mostReviews) throw new TokenRefused('unavailable', 'the CA reviews many tokens now: try again');
      reviews += 1;
      try {
        const bound = await review(kube, token, audience);
        return identityOfPod(await podOf(kube, bound), bound, trustDomain);
      } finally {
        reviews -= 1;
      }
    },
  };
}

/** What a reviewed token is bound to. */
interface Bound {
  readonly namespace: string;
  readonly account: string;
  readonly pod: string;
  readonly uid: string;
}

/** What nobody has to be asked about: not proof of anything, but a token that says itself that it is not for us or is over goes no further. */
function refuseEarly(token: string, audience: string, now: number): void {
  let claims: Fields;
  try {
    claims = fieldsOf(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')), 'the claims');
  } catch {
    throw denied('the token is not a service-account token: mount a projected one');
  }
  const { aud, exp } = claims;
  if (!(Array.isArray(aud) ? aud : [aud]).includes(audience)) throw wrongAudience(audience);
  if (typeof exp !== 'number' || exp * 1_000 <= now) throw denied('the service-account token has expired: read it from its file again');
}

async function review(kube: Kube, token: string, audience: string): Promise<Bound> {
  let status: Fields;
  try {
    const answer = await kube.post('/apis/authentication.k8s.io/v1/tokenreviews', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token, audiences: [audience] },
    });
    status = fieldsOf(fieldsOf(answer, 'the review')['status'], '`status`');
  } catch (error) {
    throw unavailable('tokens cannot be reviewed', error, 'create tokenreviews.authentication.k8s.io');
  }
  if (status['authenticated'] !== true) {
    // The server's own words name no secret: `[invalid bearer token, Token has been invalidated]`.
    const why = typeof status['error'] === 'string' ? status['error'].replaceAll(/\s+/g, ' ').slice(0, 200) : 'it is not authenticated';
    throw denied(`the Kubernetes API does not accept the token (${why}): its pod may be gone; read the token from its file again`);
  }
  const audiences = status['audiences'];
  // A server that does not know audiences answers with its own.
  if (!Array.isArray(audiences) || !audiences.includes(audience)) throw wrongAudience(audience);
  try {
    return boundOf(fieldsOf(status['user'], '`user`'));
  } catch (error) {
    if (error instanceof DecodeError) throw denied(`the token is of no service account: ${error.message}`);
    throw error;
  }
}

function boundOf(user: Fields): Bound {
  const [, namespace, account] = /^system:serviceaccount:([a-z0-9-]{1,63}):([a-z0-9.-]{1,253})$/.exec(String(user['username'])) ?? [];
  if (namespace === undefined || account === undefined) throw new DecodeError('its user is not `system:serviceaccount:<namespace>:<name>`');
  const extra = fieldsOf(user['extra'] ?? {}, '`extra`');
  const one = (key: string): string | undefined => {
    const values = Object.hasOwn(extra, key) ? extra[key] : undefined;
    return Array.isArray(values) && values.length === 1 && typeof values[0] === 'string' ? values[0] : undefined;
  };
  const pod = one('authentication.kubernetes.io/pod-name');
  const uid = one('authentication.kubernetes.io/pod-uid');
  if (pod === undefined || uid === undefined)
    throw denied(
      `the token of ${namespace}/${account} is bound to no pod: mount a projected service-account token, or bind it with TokenRequest`,
    );
  return { namespace, account, pod, uid };
}

async function podOf(kube: Kube, { namespace, pod: name, uid, account }: Bound): Promise<KubeObject> {
  let pod: KubeObject | null;
  try {
    pod = await kube.get(resources.pods, { namespace, name });
  } catch (error) {
    throw unavailable(`pod ${namespace}/${name} cannot be read`, error, 'get pods');
  }
  const of = `pod ${namespace}/${name}`;
  if (pod === null || pod.metadata.uid !== uid) throw denied(`${of} of this token is gone: start a new one`);
  if (pod.metadata.deletionTimestamp !== undefined) throw denied(`${of} is being deleted: it gets no certificate any more`);
  const phase = fieldsOf(pod['status'] ?? {}, '`status`')['phase'];
  if (phase === 'Succeeded' || phase === 'Failed') throw denied(`${of} has ended: start a new one`);
  const runsAs = fieldsOf(pod['spec'] ?? {}, '`spec`')['serviceAccountName'] ?? 'default';
  if (runsAs !== account)
    throw denied(
      `${of} runs as service account \`${String(runsAs)}\`, and the token is of \`${account}\`: use the token of the pod's own account`,
    );
  return pod;
}

function identityOfPod(pod: KubeObject, { namespace, account, pod: name }: Bound, trustDomain: string): Identity {
  const instance = instanceIdOf(name, namespace);
  if (namespace === meshNamespace) {
    // The mesh's own names: whoever is let in here could be what every proxy trusts.
    if (account !== controlPlaneAccount)
      throw denied(
        `service account ${namespace}/${account} gets no identity: in \`${meshNamespace}\` only \`${controlPlaneAccount}\` does; run workloads elsewhere`,
      );
    return { principal: controlPlanePrincipal(trustDomain), workload: workloadKey(namespace, controlPlaneAccount), instance, proof: 'pod' };
  }
  const workload = workloadNameOf(pod.metadata.labels ?? {});
  if (workload === undefined)
    throw denied(
      `pod ${namespace}/${name} does not say which workload it is of: label it \`${podLabels.workload}: <name>\` (or \`${podLabels.app}\`), as the policy names it`,
    );
  const principal = principalOf(trustDomain, namespace, account);
  if (!isPrincipal(principal))
    throw denied(`service account ${namespace}/${account} cannot be part of a SPIFFE ID: give it a shorter name`);
  return { principal, workload: workloadKey(namespace, workload), instance, proof: 'pod' };
}

const denied = (message: string): TokenRefused => new TokenRefused('denied', message);
const wrongAudience = (audience: string): TokenRefused =>
  denied(`the token is not for audience \`${audience}\`: project one with that audience`);

function unavailable(what: string, error: unknown, permission: string): TokenRefused {
  const forbidden = error instanceof KubeError && (error.status === 401 || error.status === 403);
  const why = forbidden ? `the CA lacks the right to ${permission}` : reasonOf(error);
  return new TokenRefused('unavailable', `${what}: ${why}`, { cause: error });
}
