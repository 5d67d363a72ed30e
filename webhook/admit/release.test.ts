import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { meshNamespace, releaseResource } from '../../core/bundle/custom-resource';
import type { DeployerMatch } from '../../core/bundle/admission-rules';
import type { Release } from '../../core/bundle/objects';
import { digestOfJson, type Digest } from '../../core/lib/digest';
import { reviewOf, testContext, testState } from '../../test/kit/admit';
import { newTestSigner, signTestRelease, testRelease, testReleaseAfter, type TestSigner } from '../../test/kit/signing';
import type { Review } from '../review/review';
import { adjudicate } from './adjudicate';
import type { AdmitContext } from './context';
import { audienceOf, tokenAnnotation, tokenVerifier } from './deployer-token';

let signer: TestSigner;
let preview: TestSigner;
let context: AdmitContext;
const team = { username: 'ann', groups: ['release-team'] };
const controlPlane = { username: 'system:serviceaccount:meshwright:control-plane', groups: [] };
const someone = { username: 'mallory', groups: ['system:masters'] };
beforeAll(async () => {
  [signer, preview] = await Promise.all([newTestSigner(), newTestSigner()]);
  const root = { environments: { prod: { keys: [signer.jwk], previewKeys: [preview.jwk], generationFloor: 4 } } };
  context = testContext({ trust: { root, version: 1 } });
});

type Resource = Record<string, unknown> & { metadata: Record<string, unknown> };
const resourceOf = async (content: Release, by = signer): Promise<Resource> =>
  JSON.parse(JSON.stringify(releaseResource(await signTestRelease(by, content))));
const judge = (resource: Record<string, unknown> | null, change: Partial<Review> = {}, by = context) =>
  adjudicate(reviewOf(resource, 'releases', { user: team, ...change }), by);
const denial = async (resource: Record<string, unknown>, change: Partial<Review> = {}, by = context): Promise<string> => {
  const { allowed, causes } = await judge(resource, change, by);
  return allowed ? 'allowed' : causes.map(({ code, field }) => `${code} ${field}`).join();
};
const first = (change: Partial<Release> = {}): Release => testRelease([], { generation: 5, ...change });
const withPhase = async (content: Release, kind: string, about: Digest = digestOfJson(content)): Promise<Resource> => ({
  ...(await resourceOf(content)),
  status: { progress: { release: about, phase: { kind } } },
});
const sets = { candidate: { 'ProxyConfig/shop/cart': digestOfJson('cart') }, stable: { 'ProxyConfig/shop/cart': digestOfJson('old') } };

describe('a release that is created', () => {
  it('comes in signed, above the floor, by a deployer, in time', async () => {
    expect(await denial(await resourceOf(first()))).toBe('allowed');
    expect(await denial(await resourceOf(first({ generation: 4 })))).toBe('MW8009 spec.generation');
    expect(await denial(await resourceOf(first({ environment: 'stage' })))).toBe('MW8004 spec.environment');
    expect(await denial(await resourceOf(first({ notAfter: '2026-11-22T23:59:59Z' })))).toBe('MW8009 spec.notAfter');
    expect(await denial(await resourceOf(first({ notAfter: '2026-11-23T00:00:01Z' })))).toBe('allowed');
    expect(await denial(await resourceOf(first(), await newTestSigner()))).toBe('MW8009 proof.signature');
    const altered = await resourceOf(first());
    expect(await denial({ ...altered, spec: { ...Object(altered['spec']), holdMs: 1 } })).toBe('MW8009 proof.signature');
  });
  it('10: has the same verdict on a dry run, where preview keys count too', async () => {
    expect(await denial(await resourceOf(first()), { dryRun: true })).toBe('allowed');
    expect(await denial(await resourceOf(first(), preview), { dryRun: true })).toBe('allowed');
    expect(await denial(await resourceOf(first(), preview))).toBe('MW8009 proof.signature');
    expect(await denial(await resourceOf(first()), { dryRun: true, user: someone })).toBe('MW8008 metadata');
  });
  it('is not even unpacked for somebody who is no deployer', async () => {
    const resource = await resourceOf(first());
    const packed = { ...resource, spec: { ...Object(resource['spec']), packed: 'AAAA', stable: undefined } };
    expect(await denial(packed)).toBe('MW8002 spec');
    expect(await denial(packed, { user: someone })).toBe('MW8008 metadata');
    const withToken = { ...packed, metadata: { ...packed.metadata, annotations: { [tokenAnnotation]: 'x' } } };
    expect(await denial(withToken, { user: someone })).toBe('MW8008 metadata');
  });
  it('of any other form, under another name, or with a status is refused', async () => {
    const resource = await resourceOf(first());
    expect(await denial({ ...resource, metadata: { ...resource.metadata, name: 'other' } })).toBe('MW8002 spec');
    expect(await denial({ ...resource, metadata: { ...resource.metadata, namespace: 'shop' } })).toBe('MW8002 spec');
    expect(await denial({ ...resource, spec: { ...Object(resource['spec']), more: 1 } })).toBe('MW8002 spec');
    expect(await denial({ ...resource, proof: undefined })).toBe('MW8002 spec');
    expect(await denial({ ...resource, status: { state: 'converged' } })).toBe('MW8011 status');
  });
});

describe('20: a release that follows another', () => {
  const update = async (before: Resource, next: Release, user = team): Promise<string> =>
    // The server keeps the status of a write to the object itself.
    denial(
      { ...(await resourceOf(next)), ...(before['status'] === undefined ? {} : { status: before['status'] }) },
      { operation: 'UPDATE', oldObject: before, user },
    );
  it('has the next generation, the live one as parent, and what is in force as stable', async () => {
    const live = first(sets);
    const converged = await withPhase(live, 'converged');
    const next = testReleaseAfter(live, []);
    expect(await update(converged, next)).toBe('allowed');
    expect(await update(converged, { ...next, generation: 7 })).toBe('MW8009 spec.generation');
    expect(await update(converged, { ...next, generation: 5 })).toBe('MW8009 spec.generation');
    expect(await update(converged, { ...next, parent: digestOfJson(next) })).toBe('MW8009 spec.parent');
    expect(await update(converged, { ...next, parent: null })).toBe('MW8009 spec.parent');
    expect(await update(converged, { ...next, stable: live.stable })).toBe('MW8009 spec.stable');
    // The release before, still well signed, does not come back.
    expect(await update(await withPhase(next, 'converged'), live)).toBe('MW8009 spec.generation');
    // The live one again is no change of order.
    expect(await update(converged, live)).toBe('allowed');
    expect(await denial(await resourceOf(live), { operation: 'UPDATE', oldObject: converged })).toBe('MW8011 status');
  });
  it('builds on stable after an abort, on either set while nothing confirmed the one before', async () => {
    const live = first(sets);
    const onStable = { ...testReleaseAfter(live, []), stable: live.stable };
    const onCandidate = testReleaseAfter(live, []);
    const keep = async (phase: string, about?: Digest): Promise<Resource> => withPhase(live, phase, about);
    const verdicts = async (before: Resource) => {
      const { status } = before;
      const put = async (content: Release) =>
        denial({ ...(await resourceOf(content)), status }, { operation: 'UPDATE', oldObject: before });
      return { stable: await put(onStable), candidate: await put(onCandidate) };
    };
    expect(await verdicts(await keep('aborted'))).toEqual({ stable: 'allowed', candidate: 'MW8009 spec.stable' });
    expect(await verdicts(await keep('converged'))).toEqual({ stable: 'MW8009 spec.stable', candidate: 'allowed' });
    expect(await verdicts(await keep('unproven'))).toEqual({ stable: 'allowed', candidate: 'allowed' });
    // What the status says of an earlier release says nothing of this one.
    expect(await verdicts(await keep('converged', digestOfJson('earlier')))).toEqual({ stable: 'allowed', candidate: 'allowed' });
    expect(await verdicts(await keep('rolling'))).toEqual({ stable: 'MW8010 spec', candidate: 'MW8010 spec' });
    expect(await verdicts(await keep('holding'))).toEqual({ stable: 'MW8010 spec', candidate: 'MW8010 spec' });
  });
  it('is refused when what is there cannot be read', async () => {
    const broken = { ...(await resourceOf(first())), spec: {} };
    expect(await denial(await resourceOf(testReleaseAfter(first(), [])), { operation: 'UPDATE', oldObject: broken })).toBe('MW8009 spec');
  });
});

describe('metadata, status and deletion', () => {
  it("metadata is the deployers' and the control plane's", async () => {
    const old = await resourceOf(first({ notAfter: '2020-01-01T00:00:00Z' }));
    const labelled = { ...old, metadata: { ...old.metadata, labels: { a: 'b' } } };
    for (const [user, wanted] of [
      [team, 'allowed'],
      [controlPlane, 'allowed'],
      [someone, 'MW8008 metadata'],
    ] as const)
      expect(await denial(labelled, { operation: 'UPDATE', oldObject: old, user })).toBe(wanted);
  });
  it('is written back as it is by anybody, as migrations of what is stored do', async () => {
    const old = await resourceOf(first());
    const back = { ...old, metadata: { ...old.metadata, resourceVersion: '2', generation: 2, managedFields: [{ manager: 'x' }] } };
    expect(await denial(back, { operation: 'UPDATE', oldObject: old, user: someone })).toBe('allowed');
    const owned = { ...back, metadata: { ...back.metadata, finalizers: ['a/b'] } };
    expect(await denial(owned, { operation: 'UPDATE', oldObject: old, user: someone })).toBe('MW8008 metadata');
    const other = { ...back, spec: { ...Object(old['spec']), holdMs: 1 } };
    expect(await denial(other, { operation: 'UPDATE', oldObject: old, user: someone })).toBe('MW8008 metadata');
  });
  it('the control plane releases nothing', async () => {
    expect(await denial(await resourceOf(first()), { user: controlPlane })).toBe('MW8008 metadata');
  });
  it("the status is the control plane's", async () => {
    const old = await resourceOf(first());
    const status = { operation: 'UPDATE' as const, subresource: 'status', oldObject: old };
    const written = { ...old, status: { state: 'converged' } };
    expect(await denial(written, { ...status, user: controlPlane })).toBe('allowed');
    for (const user of [team, someone]) expect(await denial(written, { ...status, user })).toBe('MW8011 status');
    expect(await denial(written, { operation: 'UPDATE', oldObject: old })).toBe('MW8011 status');
  });
  it('11: the live one is not deleted, unless its namespace is, by the namespace controller', async () => {
    const old = await resourceOf(first());
    const { kind, resource, name, namespace } = reviewOf(old, 'releases');
    const remove = (change: Partial<Review>, by = context) =>
      judge(null, { operation: 'DELETE', oldObject: old, kind, resource, name, namespace, ...change }, by);
    expect((await remove({})).message).toContain('delete the namespace `meshwright`');
    const controller = { username: 'system:serviceaccount:kube-system:namespace-controller', groups: [] };
    expect((await remove({ user: controller })).allowed).toBe(false);
    const ending = { ...context, state: testState({ terminating: new Set([meshNamespace]) }) };
    expect((await remove({ user: controller }, ending)).allowed).toBe(true);
    expect((await remove({}, ending)).allowed).toBe(false);
    expect((await remove({ name: 'other' })).allowed).toBe(true);
    // Of a collection that is deleted the review has no name, the object has.
    expect((await remove({ name: '' })).allowed).toBe(false);
    expect((await remove({ name: '', oldObject: null })).allowed).toBe(false);
    expect((await remove({ name: '' }, { ...context, environment: 'stage' })).allowed).toBe(true);
  });
});

describe('a job that deploys', () => {
  const issuer = 'https://token.ci.example';
  const job: DeployerMatch = { kind: 'github', repository: 'acme/policies', branch: 'main', environment: 'prod' };
  const claims = { repository: 'acme/policies', ref: 'refs/heads/main', environment: 'prod' };
  let key: CryptoKey;
  let jwk: JWK;
  beforeAll(async () => {
    const pair = await generateKeyPair('ES256', { extractable: true });
    key = pair.privateKey;
    jwk = { ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'ES256' };
  });
  const jobs = (matches: readonly DeployerMatch[] = [job], keys: readonly JWK[] | null = [jwk]): AdmitContext => ({
    ...context,
    releaseDeployers: matches,
    tokens: tokenVerifier([{ issuer, keys: () => (keys === null ? null : { keys: [...keys] }) }]),
  });
  interface Minting {
    readonly claims?: Record<string, unknown>;
    readonly issuer?: string;
    readonly audience?: string;
    readonly expires?: number;
    readonly by?: CryptoKey;
    readonly header?: Record<string, unknown>;
  }
  const now = Date.parse('2026-11-23T00:00:00Z') / 1_000;
  const token = (release: Release, minting: Minting = {}): Promise<string> =>
    new SignJWT(minting.claims ?? claims)
      .setProtectedHeader({ alg: 'ES256', kid: 'k1', ...minting.header })
      .setIssuer(minting.issuer ?? issuer)
      .setAudience(minting.audience ?? audienceOf(digestOfJson(release)))
      .setIssuedAt(now - 10)
      .setExpirationTime(minting.expires ?? now + 300)
      .sign(minting.by ?? key);
  const carrying = async (text: string): Promise<Resource> => {
    const resource = await resourceOf(first());
    return { ...resource, metadata: { ...resource.metadata, annotations: { [tokenAnnotation]: text } } };
  };
  const put = async (text: string, by = jobs()) => judge(await carrying(text), { user: someone }, by);

  it('comes in by its token for this very release', async () => {
    expect((await put(await token(first()))).allowed).toBe(true);
  });
  it.each<[string, DeployerMatch]>([
    ['another repository', { ...job, repository: 'acme/policies2' }],
    ['another branch', { ...job, branch: 'release' }],
    ['another environment', { ...job, environment: 'stage' }],
    ['no job at all', { kind: 'group', name: 'release-team' }],
  ])('not where the deployer is %s', async (_what, match) => {
    const verdict = await put(await token(first()), jobs([match]));
    expect(verdict.message).toContain('is no deployer');
  });
  it('nor by its token for a release that it only says it is', async () => {
    const other = first({ holdMs: 7 });
    const resource = await carrying(await token(other));
    const claiming = { ...resource, proof: { ...Object(resource['proof']), digest: digestOfJson(other) } };
    expect((await judge(claiming, { user: someone }, jobs())).causes.map(({ code }) => code)).toEqual(['MW8009']);
  });
  it('an environment counts only where the deployer names one', async () => {
    const { environment: _environment, ...anywhere } = job as Extract<DeployerMatch, { kind: 'github' }>;
    expect((await put(await token(first(), { claims: { ...claims, environment: 'lab' } }), jobs([anywhere]))).allowed).toBe(true);
    expect((await put(await token(first(), { claims: { repository: claims.repository, ref: claims.ref } }))).allowed).toBe(false);
    expect((await put(await token(first(), { claims: { ...claims, ref: 'refs/tags/main' } }))).allowed).toBe(false);
    expect((await put(await token(first(), { claims: { ...claims, ref: 'main' } }))).allowed).toBe(false);
  });
  it.each<[string, Minting, string]>([
    ['for another release', { audience: audienceOf(digestOfJson('other')) }, '`aud`'],
    ['of another issuer', { issuer: 'https://evil.example' }, 'its issuer is none'],
    ['that has lapsed', { expires: now - 60 }, 'it has expired'],
    ['with another key id', { header: { kid: 'k2' } }, 'no such key'],
    ['without claims', { claims: {} }, 'names no repository'],
    ['with claims of another type', { claims: { ...claims, repository: ['acme/policies'] } }, 'names no repository'],
  ])('not by a token %s', async (_what, minting, reason) => {
    const verdict = await put(await token(first(), minting));
    expect(verdict.allowed).toBe(false);
    expect(verdict.message).toContain(reason);
  });
  it('not by a token of another key, of no algorithm, or that is none; and no message shows it', async () => {
    const other = await generateKeyPair('ES256');
    const good = await token(first());
    const [, payload = ''] = good.split('.');
    const none = `${Buffer.from(JSON.stringify({ alg: 'none', kid: 'k1' })).toString('base64url')}.${payload}.`;
    const symmetric = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
      .setIssuer(issuer)
      .setAudience(audienceOf(digestOfJson(first())))
      .setIssuedAt(now)
      .setExpirationTime(now + 60)
      .sign(new TextEncoder().encode(JSON.stringify(jwk)));
    for (const text of [await token(first(), { by: other.privateKey }), none, symmetric, 'x', `${good}x`, 'a.b.c', 'y'.repeat(20_000)]) {
      const verdict = await put(text);
      expect(verdict.allowed).toBe(false);
      expect(JSON.stringify(verdict)).not.toContain(payload);
    }
  });
  it("not while the issuer's keys are not at hand, or nobody is trusted", async () => {
    const good = await token(first());
    expect((await put(good, jobs([job], null))).message).toContain('not at hand');
    expect((await put(good, { ...jobs(), tokens: tokenVerifier([]) })).message).toContain('trusts no issuer');
  });
});
