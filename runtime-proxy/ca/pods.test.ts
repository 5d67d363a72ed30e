/** What no real API server can be brought to answer; the rest is in test/kubernetes/identity.test.ts. */
import { KubeError, type Kube, type KubeObject } from '../../platform/kube';
import { podIdentities, TokenRefused } from './pods';

const claims = { aud: ['meshwright'], exp: 2_000 };
const tokenOf = (over: object = {}): string => `h.${Buffer.from(JSON.stringify({ ...claims, ...over })).toString('base64url')}.s`;
const user = {
  username: 'system:serviceaccount:shop:front',
  extra: { 'authentication.kubernetes.io/pod-name': ['front-1'], 'authentication.kubernetes.io/pod-uid': ['u1'] },
};
const good = { authenticated: true, audiences: ['meshwright'], user };
const pod: KubeObject = { metadata: { name: 'front-1', uid: 'u1', labels: { app: 'front' } }, spec: { serviceAccountName: 'front' } };

/** A kube that answers a review and a pod; anything else it has is not called. */
const answering = (status: unknown, found: KubeObject | null | Error = pod): Kube => {
  const parts: Pick<Kube, 'post' | 'get'> = {
    post: () => Promise.resolve({ status }),
    get: () => (found instanceof Error ? Promise.reject(found) : Promise.resolve(found)),
  };
  return parts as Kube;
};
const identify = (kube: Kube, token = tokenOf()): Promise<unknown> =>
  podIdentities(kube, { trustDomain: 'mesh.test', audience: 'meshwright' }, () => 1_000_000)
    .identify(token)
    .catch((error: unknown) => (error instanceof TokenRefused ? `${error.kind}: ${error.message}` : Promise.reject(error)));

test('a token of the pod that it is bound to is an identity', async () => {
  expect(await identify(answering(good))).toEqual({
    principal: 'spiffe://mesh.test/ns/shop/sa/front',
    workload: 'shop/front',
    instance: 'front-1.shop',
    proof: 'pod',
  });
});
test.each<[string, unknown, KubeObject | null | Error, string]>([
  ['a server that knows no audiences', { ...good, audiences: undefined }, pod, 'denied: the token is not for audience'],
  ['a user', { ...good, user: { username: 'ann' } }, pod, 'denied: the token is of no service account'],
  [
    'an account of a strange name',
    { ...good, user: { ...user, username: 'system:serviceaccount:shop/x:front' } },
    pod,
    'denied: the token is of no',
  ],
  [
    'two pods',
    { ...good, user: { ...user, extra: { ...user.extra, 'authentication.kubernetes.io/pod-name': ['a', 'b'] } } },
    pod,
    'denied: the token of shop/front is bound to no pod',
  ],
  ['no pod', good, null, 'denied: pod shop/front-1 of this token is gone'],
  ['a pod of the same name', good, { ...pod, metadata: { ...pod.metadata, uid: 'u2' } }, 'denied: pod shop/front-1 of this token is gone'],
  [
    'a pod of another account',
    good,
    { ...pod, spec: { serviceAccountName: 'other' } },
    'denied: pod shop/front-1 runs as service account `other`, and the token is of `front`',
  ],
  ['a pod that has ended', good, { ...pod, status: { phase: 'Succeeded' } }, 'denied: pod shop/front-1 has ended'],
  [
    'an account that no SPIFFE ID holds',
    { ...good, user: { ...user, username: `system:serviceaccount:shop:${'a'.repeat(64)}` } },
    { ...pod, spec: { serviceAccountName: 'a'.repeat(64) } },
    'denied: service account shop/aaa',
  ],
  [
    'a CA that may not read pods',
    good,
    new KubeError(403, 'Forbidden', 'no'),
    'unavailable: pod shop/front-1 cannot be read: the CA lacks the right to get pods',
  ],
  ['an answer that is no review', 'ok', pod, 'unavailable: tokens cannot be reviewed'],
])('refused: %s', async (_what, status, found, message) => {
  expect(await identify(answering(status, found))).toContain(message);
});
test('what says itself that it is over, or not for us, is not even asked about', async () => {
  const nobody = answering(good);
  const asked = jest.spyOn(nobody, 'post');
  expect(await identify(nobody, tokenOf({ exp: 1_000 }))).toContain('has expired');
  expect(await identify(nobody, tokenOf({ aud: 'else' }))).toContain('not for audience');
  expect(await identify(nobody, 'h.e30.s')).toContain('not for audience');
  expect(await identify(nobody, 'h.bm8.s')).toContain('not a service-account token');
  expect(asked).not.toHaveBeenCalled();
});
test('of a flood only so many reviews are under way at once', async () => {
  const open: ((value: unknown) => void)[] = [];
  const slow: Pick<Kube, 'post' | 'get'> = { post: () => new Promise((resolve) => open.push(resolve)), get: () => Promise.resolve(pod) };
  const identities = podIdentities(slow as Kube, { trustDomain: 'mesh.test', audience: 'meshwright' }, () => 0);
  const all = Array.from({ length: 70 }, () =>
    identities.identify(tokenOf()).then(
      () => 'taken',
      (error: Error) => error.message,
    ),
  );
  await new Promise((resolve) => setImmediate(resolve));
  for (const answer of open) answer({ status: good });
  const answers = await Promise.all(all);
  expect(answers.filter((answer) => answer === 'taken')).toHaveLength(64);
  expect(answers.filter((answer) => answer.includes('many tokens'))).toHaveLength(6);
  expect(await Promise.race([identities.identify(tokenOf()), Promise.resolve('asked')])).toBe('asked');
});
