/** The control plane's admin routes: objects, release, status, roll-out, what a proxy has. */
import type { SignedRelease } from '../../core/bundle/objects';
import { objectName } from '../../core/bundle/objects';
import type { RolloutStatus } from '../../core/bundle/status';
import { parseTrust, type TrustRoot } from '../../core/bundle/trust';
import { verifyRelease } from '../../core/bundle/verify';
import { enforce } from '../../core/diagnostics/enforce';
import { digestOfJson, isDigest, type Digest } from '../../core/lib/digest';
import { readTextIfThere } from '../../platform/files';
import { metricsHandler, type Metrics } from '../../platform/metrics';
import { refused, type AdminAnswer, type AdminRoute } from '../rpc/admin-http';
import { DecodeError, fieldsOf, textOf } from '../rpc/decode';
import type { LeaderAnswer, LeaderCall } from './peers-protocol';
import type { Plane } from './plane';
import { streamStatus, type StatusSource } from './status-stream';
import { missingOf, stableExpected, verifiedObject } from './store';

export interface AdminContext {
  readonly environment: string;
  readonly trustFile: string;
  readonly plane: Plane;
  readonly metrics: Metrics;
  /** Puts what is a matter of the moment into them. */
  readonly beforeMetrics: () => void;
  readonly now: () => number;
  readonly ready: () => boolean;
  /** Whether objects and releases come by the Kubernetes API, and not here. */
  readonly byApi: boolean;
  /** How to ask the replica that leads; null while this one does. */
  readonly elsewhere: () => ((call: LeaderCall) => Promise<LeaderAnswer>) | null;
  /** Registers for each new status; answers how to leave. */
  readonly watch: (listener: (status: RolloutStatus) => void) => () => void;
}

/** Reads the trust root; a broken one trusts nobody. */
export async function readTrust(file: string): Promise<TrustRoot> {
  const text = await readTextIfThere(file);
  if (text === null) throw new Error(`there is no trust root at ${file}: make one with \`meshwright keys\``);
  const { value, diagnostics } = parseTrust(text);
  if (!value) throw new Error(`${file}: ${diagnostics[0]?.message ?? 'it cannot be read'}`);
  return value;
}

export function adminRoutes(context: AdminContext): readonly AdminRoute[] {
  const { plane, environment } = context;
  const { store } = plane;
  const trust = (): Promise<TrustRoot> => readTrust(context.trustFile);
  const plain = (status: number, text: string): AdminAnswer => ({ status, text, contentType: 'text/plain' });
  const digestIn = (text: string | undefined): Digest => {
    if (text === undefined || !isDigest(text))
      throw new DecodeError('the path must end with a digest, `sha256:` and 64 hexadecimal digits');
    return text;
  };
  const isNamed = (digest: Digest): boolean => {
    const release = store.live()?.signed.release;
    return release !== undefined && [release.stable, release.candidate].some((set) => Object.values(set).includes(digest));
  };
  const ask = (call: LeaderCall): Promise<LeaderAnswer> => (context.elsewhere() ?? ((own) => answerHere(plane, own)))(call);
  const source: StatusSource = {
    look: async () => {
      const { status, json } = await ask({ kind: 'status' });
      return status === 200 ? json : undefined;
    },
    // another replica knows the proxies that are connected elsewhere
    isElsewhere: () => context.elsewhere() !== null,
    watch: context.watch,
  };
  let putting: Promise<unknown> = Promise.resolve();
  const notHere = (): AdminAnswer => ({
    status: 409,
    json: { error: 'objects and releases come by the Kubernetes API here: deploy with target `kubernetes`' },
  });
  const written: readonly AdminRoute[] = [
    {
      method: 'PUT',
      path: '/v1/objects/:digest',
      answer: async ({ params, body }) => {
        const given = digestIn(params['digest']);
        const { value, diagnostics } = await verifiedObject(body, environment, await trust());
        if (!value) return refused(diagnostics);
        if (value.digest !== given) return refused([enforce.wrongDigest({ given, actual: value.digest })]);
        const known = store.object(given) !== undefined;
        await store.putObject(value);
        return { status: known ? 200 : 201, json: { name: objectName(value.object), digest: value.digest } };
      },
    },
    {
      method: 'DELETE',
      path: '/v1/objects/:digest',
      answer: async ({ params }) => {
        const digest = digestIn(params['digest']);
        const found = store.object(digest);
        if (!found) return { status: 404, json: { error: 'no such object' } };
        if (isNamed(digest)) return refused([enforce.objectInForce({ name: objectName(found.object), digest })], 409);
        await store.deleteObject(digest);
        return { status: 200, json: { digest } };
      },
    },
    {
      method: 'PUT',
      path: '/v1/release',
      answer: ({ body }) => {
        const done = putting.then(() => putRelease(body)); // one at a time: each must follow the one before
        putting = done.catch(() => undefined);
        return done;
      },
    },
  ];
  return [
    ...(context.byApi ? written.map((route) => ({ ...route, answer: notHere })) : written),
    { method: 'GET', path: '/healthz', open: true, answer: () => plain(200, 'ok\n') },
    { method: 'GET', path: '/readyz', open: true, answer: () => (context.ready() ? plain(200, 'ok\n') : plain(503, 'not ready\n')) },
    {
      method: 'GET',
      path: '/metrics',
      open: true,
      answer: () => ({
        stream: (response) => {
          context.beforeMetrics();
          metricsHandler(context.metrics)(response.req, response);
        },
      }),
    },
    {
      method: 'GET',
      path: '/v1/objects/:digest',
      answer: ({ params }) => {
        const found = store.object(digestIn(params['digest']));
        return found ? { status: 200, json: found } : { status: 404, json: { error: 'no such object' } };
      },
    },
    {
      method: 'GET',
      path: '/v1/release',
      answer: () => {
        const live = store.live();
        return live ? { status: 200, json: live.signed } : { status: 404, json: { error: 'no release is in force' } };
      },
    },
    {
      method: 'GET',
      path: '/v1/status',
      answer: ({ query }) =>
        query.get('watch') === null ? ask({ kind: 'status' }) : { stream: (response) => streamStatus(response, source) },
    },
    {
      method: 'POST',
      path: '/v1/rollout/abort',
      answer: ({ body }) => ask({ kind: 'abort', reason: `by hand: ${textOf(fieldsOf(body, 'the body'), 'reason')}` }),
    },
    { method: 'POST', path: '/v1/rollout/promote', answer: () => ask({ kind: 'promote' }) },
    {
      method: 'GET',
      path: '/v1/proxies/:instance/config',
      answer: ({ params }) => {
        const config = plane.configOf(params['instance'] ?? '');
        return config === null ? { status: 404, json: { error: 'no such proxy is connected' } } : { status: 200, json: config };
      },
    },
  ];

  async function putRelease(body: unknown): Promise<AdminAnswer> {
    const live = store.live();
    const stable = fieldsOf(fieldsOf(body, 'the body')['release'] ?? {}, 'the release')['stable'];
    const { value: release, diagnostics } = await verifyRelease(body, {
      trust: await trust(),
      now: context.now(),
      live: live && { generation: live.signed.release.generation, digest: live.signed.digest, inForce: stableExpected(live, stable) },
    });
    if (!release) return refused(diagnostics);
    if (release.environment !== environment)
      return refused([enforce.otherEnvironment({ given: release.environment, served: environment })]);
    const digest = digestOfJson(release);
    const answer = { status: 202, json: { generation: release.generation, digest } };
    if (live?.signed.digest === digest) return answer;
    const state = live?.progress.phase.kind;
    if (live && (state === 'rolling' || state === 'holding'))
      return refused([enforce.rolloutUnderWay({ generation: live.signed.release.generation, state })]);
    const missing = (['stable', 'candidate'] as const).flatMap((set) =>
      missingOf(store, release[set]).map(([name, wanted]) => enforce.missingObject({ name, digest: wanted, set })),
    );
    if (missing.length > 0) return refused(missing);
    const signed: SignedRelease = { release, digest, jws: textOf(fieldsOf(body, 'the release'), 'jws', 64 << 20) };
    await plane.begin(signed);
    return answer;
  }
}

/** What the replica that leads answers: here, or to another one. */
export async function answerHere(plane: Plane, call: LeaderCall): Promise<LeaderAnswer> {
  if (call.kind === 'status') return { status: 200, json: plane.status };
  const phase = plane.store.live()?.progress.phase.kind;
  if (phase === undefined) return { status: 409, json: { error: 'no release is in force' } };
  if (phase === 'converged' || phase === 'aborted') return { status: 409, json: { error: `nothing rolls: the roll-out is \`${phase}\`` } };
  await (call.kind === 'abort' ? plane.abort(call.reason) : plane.promote());
  return { status: 202, json: { generation: plane.store.live()?.signed.release.generation } };
}
