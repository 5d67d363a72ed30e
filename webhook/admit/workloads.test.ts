import type { DeclaredWorkload, DeployRule } from '../../core/bundle/admission-rules';
import { principalOf, workloadKey, type RuleId } from '../../core/mesh/ids';
import { contextWith, reviewOf, testContext, testState } from '../../test/kit/admit';
import { applyPatch } from '../../test/kit/json-patch';
import { inject } from '../inject/inject';
import type { Review } from '../review/review';
import { adjudicate } from './adjudicate';
import type { AdmitContext } from './context';

const pinned = (name: string, tag = '1.4.0'): string => `ghcr.io/acme/${name}:${tag}@sha256:${'ab'.repeat(32)}`;
const rule = (change: Partial<DeployRule> = {}): DeployRule => ({
  id: 'shop/deploys' as RuleId, // a fixture's own id
  mode: 'deny',
  namespace: 'shop',
  by: [{ kind: 'user', name: 'ann' }],
  ...change,
});
const declared = (change: Partial<DeclaredWorkload> = {}): DeclaredWorkload => ({
  workload: workloadKey('shop', 'cart'),
  principal: principalOf('mesh.test', 'shop', 'cart'),
  serviceAccount: 'cart',
  injected: false,
  ...change,
});
interface Like {
  readonly labels?: Readonly<Record<string, string>>;
  readonly spec?: object;
  readonly metadata?: object;
}
const pod = ({ labels = { app: 'cart' }, spec = {}, metadata = {} }: Like = {}): Record<string, unknown> => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'cart-1', namespace: 'shop', labels, ...metadata },
  spec: { serviceAccountName: 'cart', containers: [{ name: 'app', image: pinned('cart') }], ...spec },
});
const kinds = {
  Deployment: ['apps/v1', 'deployments'],
  StatefulSet: ['apps/v1', 'statefulsets'],
  DaemonSet: ['apps/v1', 'daemonsets'],
  ReplicaSet: ['apps/v1', 'replicasets'],
  Job: ['batch/v1', 'jobs'],
  ReplicationController: ['v1', 'replicationcontrollers'],
} as const;
const templated = (kind: keyof typeof kinds, like: Like = {}): Record<string, unknown> => {
  const { metadata, spec } = pod(like);
  return {
    apiVersion: kinds[kind][0],
    kind,
    metadata: { name: 'cart', namespace: 'shop' },
    spec: { template: { metadata, spec } },
  };
};
const judge = async (object: Record<string, unknown>, context: AdmitContext, change: Partial<Review> = {}, plural = 'pods') =>
  adjudicate(reviewOf(object, plural, change), context);
const codes = async (object: Record<string, unknown>, context: AdmitContext, change: Partial<Review> = {}, plural = 'pods') =>
  (await judge(object, context, change, plural)).causes.map(({ code, field }) => `${code} ${field}`);

describe('deployers', () => {
  it.each<[string, DeployRule['by'][number], Partial<Review['user']>, boolean]>([
    ['a user', { kind: 'user', name: 'ann' }, { username: 'ann' }, true],
    ['another user', { kind: 'user', name: 'ann' }, { username: 'ann2' }, false],
    ['a user in capitals', { kind: 'user', name: 'ann' }, { username: 'Ann' }, false],
    ['a group', { kind: 'group', name: 'shop-team' }, { username: 'x', groups: ['a', 'shop-team'] }, true],
    ['a group by part', { kind: 'group', name: 'shop' }, { username: 'x', groups: ['shop-team'] }, false],
    ['a user named as the group', { kind: 'group', name: 'shop-team' }, { username: 'shop-team', groups: [] }, false],
    ['an account', { kind: 'account', namespace: 'ci', name: 'bot' }, { username: 'system:serviceaccount:ci:bot' }, true],
    ['an account of elsewhere', { kind: 'account', namespace: 'ci', name: 'bot' }, { username: 'system:serviceaccount:other:bot' }, false],
    ["a user named as a job's repository", { kind: 'github', repository: 'a/b', branch: 'main' }, { username: 'a/b' }, false],
  ])('%s', async (_what, match, user, wanted) => {
    const context = contextWith({ deploys: [rule({ by: [match] })] });
    const verdict = await judge(pod(), context, { user: { username: '', groups: [], ...user } });
    expect(verdict.allowed).toBe(wanted);
    if (!wanted) expect(verdict.causes.map(({ code }) => code)).toEqual(['MW8020']);
  });

  const claims = (repository: string, ref: string, ...more: [string, readonly string[]][]): ReadonlyMap<string, readonly string[]> =>
    new Map<string, readonly string[]>([['meshwright.dev/repository', [repository]], ['meshwright.dev/ref', [ref]], ...more]);
  const inProduction: [string, readonly string[]] = ['meshwright.dev/environment', ['production']];
  it.each<[string, Extract<DeployRule['by'][number], { kind: 'github' }>, Partial<Review['user']>, boolean]>([
    [
      'its branch',
      { kind: 'github', repository: 'a/b', branch: 'main' },
      { username: 'ci:x', extra: claims('a/b', 'refs/heads/main') },
      true,
    ],
    [
      'another branch',
      { kind: 'github', repository: 'a/b', branch: 'main' },
      { username: 'ci:x', extra: claims('a/b', 'refs/heads/dev') },
      false,
    ],
    [
      'a tag of the name',
      { kind: 'github', repository: 'a/b', branch: 'main' },
      { username: 'ci:x', extra: claims('a/b', 'refs/tags/main') },
      false,
    ],
    [
      'another repository',
      { kind: 'github', repository: 'a/b', branch: 'main' },
      { username: 'ci:x', extra: claims('a/c', 'refs/heads/main') },
      false,
    ],
    [
      'a user of another issuer with the same claims',
      { kind: 'github', repository: 'a/b', branch: 'main' },
      { username: 'ann', extra: claims('a/b', 'refs/heads/main') },
      false,
    ],
    ['no claims', { kind: 'github', repository: 'a/b', branch: 'main' }, { username: 'ci:x' }, false],
    [
      'a claim twice',
      { kind: 'github', repository: 'a/b', branch: 'main' },
      { username: 'ci:x', extra: claims('a/b', 'refs/heads/main', ['meshwright.dev/ref', ['refs/heads/dev', 'refs/heads/main']]) },
      false,
    ],
    [
      'its environment',
      { kind: 'github', repository: 'a/b', branch: 'main', environment: 'production' },
      { username: 'ci:x', extra: claims('a/b', 'refs/heads/main', inProduction) },
      true,
    ],
    [
      'no environment where one is wanted',
      { kind: 'github', repository: 'a/b', branch: 'main', environment: 'production' },
      { username: 'ci:x', extra: claims('a/b', 'refs/heads/main') },
      false,
    ],
  ])('a job that the API server authenticates: %s', async (_what, match, user, wanted) => {
    const context = { ...contextWith({ deploys: [rule({ by: [match] })] }), jobUsernamePrefix: 'ci:' };
    expect((await judge(pod(), context, { user: { username: '', groups: [], ...user } })).allowed).toBe(wanted);
    expect((await judge(pod(), { ...context, jobUsernamePrefix: null }, { user: { username: '', groups: [], ...user } })).allowed).toBe(
      false,
    );
  });
  it('controllers of Kubernetes need not be deployers of what they make for an owner', async () => {
    const context = contextWith({ deploys: [rule()] });
    const owned = { ownerReferences: [{ kind: 'ReplicaSet', name: 'cart', controller: true }] };
    const replicaSets = { username: 'system:serviceaccount:kube-system:replicaset-controller', groups: [] };
    expect((await judge(pod({ metadata: owned }), context, { user: replicaSets })).allowed).toBe(true);
    expect((await judge(pod(), context, { user: replicaSets })).allowed).toBe(false);
    expect((await judge(pod({ metadata: owned }), context, { user: { username: 'mallory', groups: [] } })).allowed).toBe(false);
    // Everything else of a rule holds for them too.
    const strict = contextWith({ deploys: [rule({ images: { from: ['ghcr.io/other/'], digest: 'optional' } })] });
    expect(await codes(pod({ metadata: owned }), strict, { user: replicaSets })).toEqual(['MW8021 spec.containers[0].image']);
  });
});

describe('what a rule covers', () => {
  const blocked = { by: [{ kind: 'user', name: 'nobody' } as const] };
  it('its namespace as a whole, or its workloads by name', async () => {
    expect((await judge(pod(), contextWith({ deploys: [rule({ ...blocked, namespace: 'other' })] }))).allowed).toBe(true);
    expect((await judge(pod(), contextWith({ deploys: [rule({ ...blocked, workloads: ['other'] })] }))).allowed).toBe(true);
    expect((await judge(pod(), contextWith({ deploys: [rule({ ...blocked, workloads: ['cart'] })] }))).allowed).toBe(false);
    const ours = { app: 'other', 'meshwright.dev/workload': 'cart' };
    expect((await judge(pod({ labels: ours }), contextWith({ deploys: [rule({ ...blocked, workloads: ['cart'] })] }))).allowed).toBe(false);
  });
  it('12: what the label said before counts as much as what it says now', async () => {
    const context = contextWith({ deploys: [rule({ ...blocked, workloads: ['cart'] })] });
    const update = (before: Record<string, string>, after: Record<string, string>) =>
      judge(
        templated('Deployment', { labels: after }),
        context,
        { operation: 'UPDATE', oldObject: templated('Deployment', { labels: before }) },
        'deployments',
      );
    expect((await update({ app: 'cart' }, { app: 'free' })).allowed).toBe(false);
    expect((await update({ app: 'free' }, { app: 'cart' })).allowed).toBe(false);
    expect((await update({ app: 'free' }, {})).allowed).toBe(true);
  });
  it.each(Object.keys(kinds) as (keyof typeof kinds)[])('the pod template of a %s', async (kind) => {
    const context = contextWith({ deploys: [rule({ images: { from: ['ghcr.io/other/'], digest: 'optional' } })] });
    expect(await codes(templated(kind), context, {}, kinds[kind][1])).toEqual(['MW8021 spec.template.spec.containers[0].image']);
  });
  it('the pod template of a CronJob', async () => {
    const { metadata, spec } = pod();
    const cron = {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'cart', namespace: 'shop' },
      spec: { jobTemplate: { spec: { template: { metadata, spec } } } },
    };
    const context = contextWith({ deploys: [rule({ images: { from: ['ghcr.io/other/'], digest: 'optional' } })] });
    expect(await codes(cron, context, {}, 'cronjobs')).toEqual(['MW8021 spec.jobTemplate.spec.template.spec.containers[0].image']);
  });
  it('13: init and ephemeral containers, these also by their own subresource', async () => {
    const context = contextWith({ deploys: [rule({ images: { from: ['ghcr.io/acme/'], digest: 'required' } })] });
    const spec = { initContainers: [{ name: 'i', image: 'busybox' }], ephemeralContainers: [{ name: 'e', image: 'ghcr.io/acme/debug' }] };
    const wanted = [
      'MW8021 spec.initContainers[0].image',
      'MW8022 spec.initContainers[0].image',
      'MW8022 spec.ephemeralContainers[0].image',
    ];
    expect(await codes(pod({ spec }), context)).toEqual(wanted);
    expect(await codes(pod({ spec }), context, { operation: 'UPDATE', oldObject: pod(), subresource: 'ephemeralcontainers' })).toEqual(
      wanted,
    );
  });
  it('11, 13: deletions, connections and subresources that bring no pod are let be, whatever they hold', async () => {
    const context = contextWith({ deploys: [rule(blocked)] });
    const review = (change: Partial<Review>, plural: string) => adjudicate(reviewOf(pod(), plural, change), context);
    expect((await review({ operation: 'DELETE', object: null, oldObject: pod() }, 'pods')).allowed).toBe(true);
    for (const subresource of ['exec', 'attach', 'portforward'])
      expect((await review({ operation: 'CONNECT', subresource, object: { kind: 'PodExecOptions' } }, 'pods')).allowed).toBe(true);
    expect((await review({ operation: 'UPDATE', subresource: 'status' }, 'deployments')).allowed).toBe(true);
    expect((await review({ operation: 'UPDATE', subresource: 'scale', object: { kind: 'Scale' } }, 'deployments')).allowed).toBe(true);
  });
  it('labels and annotations that a rule reads, also by way of the status; those of others are theirs', async () => {
    const context = contextWith({ deploys: [rule(blocked)] });
    const change = async (metadata: object, subresource = ''): Promise<boolean> =>
      (await judge({ ...pod({ metadata }) }, context, { operation: 'UPDATE', oldObject: pod(), subresource })).allowed;
    for (const subresource of ['', 'status']) {
      for (const name of ['app', 'version', 'app.kubernetes.io/version', 'meshwright.dev/workload'])
        expect(await change({ labels: { app: 'cart', [name]: 'x' } }, subresource)).toBe(false);
      expect(await change({ labels: {} }, subresource)).toBe(false);
      expect(await change({ annotations: { 'meshwright.dev/app-host': '127.0.0.2' } }, subresource)).toBe(false);
      expect(await change({ labels: { app: 'cart', role: 'primary' }, annotations: { 'cni.example/ip': '10.0.0.1' } }, subresource)).toBe(
        true,
      );
    }
    const restarted = templated('Deployment', { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': 'now' } } });
    const before = templated('Deployment');
    expect((await judge(restarted, context, { operation: 'UPDATE', oldObject: before }, 'deployments')).allowed).toBe(true);
  });
  it('14: a pod whose name the server makes', async () => {
    const unnamed = { ...pod(), metadata: { generateName: 'cart-', namespace: 'shop', labels: { app: 'cart' } } };
    const verdict = await judge(unnamed, contextWith({ deploys: [rule(blocked)] }), { name: '' });
    expect(verdict.message).toContain('Pod/shop/cart-*: metadata: ');
  });
  it('15: a change of what is on its way out, and not what changes nothing', async () => {
    const context = contextWith({ deploys: [rule(blocked)] });
    const leaving = { deletionTimestamp: '2026-11-23T00:00:00Z', finalizers: ['x'] };
    const change = (after: Like) =>
      judge(pod({ ...after, metadata: leaving }), context, { operation: 'UPDATE', oldObject: pod({ metadata: leaving }) });
    expect((await change({ spec: { containers: [{ name: 'app', image: 'nginx' }] } })).allowed).toBe(false);
    expect((await change({ labels: { app: 'other' } })).allowed).toBe(false);
    expect((await change({})).allowed).toBe(true);
  });
  it('10: the same on a dry run, to the byte', async () => {
    const context = contextWith({ deploys: [rule(blocked)] });
    expect(await judge(pod(), context, { dryRun: true })).toEqual(await judge(pod(), context));
  });
});

describe('images', () => {
  const context = contextWith({ deploys: [rule({ images: { from: ['ghcr.io/acme/', 'docker.io/library/'], digest: 'optional' } })] });
  const image = (name: string): Like => ({ spec: { containers: [{ name: 'app', image: name }] } });
  it('from any of the places', async () => {
    for (const name of ['ghcr.io/acme/a', 'nginx', 'docker.io/library/nginx']) expect(await codes(pod(image(name)), context)).toEqual([]);
    for (const name of ['ghcr.io/acme2/a', 'quay.io/a/b', 'evil/nginx'])
      expect(await codes(pod(image(name)), context)).toEqual(['MW8021 spec.containers[0].image']);
  });
  it('whose name cannot be read, or that is not there, are refused', async () => {
    for (const name of ['', 'UPPER', 'a@sha256:xyz', `ghcr.io/acme/${'a/'.repeat(300)}a`])
      expect(await codes(pod(image(name)), context)).toEqual(['MW8023 spec.containers[0].image']);
  });
  it('that are mounted as volumes too', async () => {
    const mounted = (reference: unknown): Like => ({
      spec: { containers: [], volumes: [{ name: 'a' }, { name: 'b', image: { reference } }] },
    });
    const field = 'spec.volumes[1].image.reference';
    expect(await codes(pod(mounted('ghcr.io/acme/tools')), context)).toEqual([]);
    expect(await codes(pod(mounted('quay.io/a/tools')), context)).toEqual([`MW8021 ${field}`]);
    expect(await codes(pod(mounted(undefined)), context)).toEqual([`MW8023 ${field}`]);
  });
  it('more than anybody runs are not gone through one by one, and some are enough to say', async () => {
    const many = (count: number): Like => ({ spec: { containers: Array.from({ length: count }, () => ({ image: 'quay.io/a/b' })) } });
    expect(await codes(pod(many(1_000)), context)).toEqual(Array.from({ length: 20 }, (_, at) => `MW8021 spec.containers[${at}].image`));
    expect(await codes(pod(many(1_001)), context)).toEqual(['MW8033 spec']);
    expect(await codes(pod(many(1_001)), contextWith({ deploys: [rule({ namespace: 'other' })] }))).toEqual([]);
  });
  it("of the mesh's own containers are not the rule's affair, to the letter", async () => {
    const own = { ...context, meshImages: new Set(['mesh.example/agent@sha256:1']) };
    expect(await codes(pod(image('mesh.example/agent@sha256:1')), own)).toEqual([]);
    expect(await codes(pod(image('mesh.example/agent@sha256:2')), own)).toEqual(['MW8023 spec.containers[0].image']);
  });
});

describe('versions', () => {
  const label = (version: string): Like => ({ labels: { app: 'cart', 'app.kubernetes.io/version': version } });
  const of = (change: Partial<NonNullable<DeployRule['version']>> = {}, more: Partial<DeployRule> = {}): AdmitContext =>
    contextWith({ deploys: [rule({ version: { min: '1.2.0', below: '2.0.0', downgrade: 'deny', ...change }, ...more })] });
  const field = 'metadata.labels.app.kubernetes.io/version';
  it('have to be there, be versions, and lie in the range', async () => {
    expect(await codes(pod(label('1.4.0')), of())).toEqual([]);
    expect(await codes(pod(), of())).toEqual([`MW8024 ${field}`]);
    expect(await codes(pod(label('latest')), of())).toEqual([`MW8024 ${field}`]);
    expect(await codes(pod(label('1.1.9')), of())).toEqual([`MW8025 ${field}`]);
    expect(await codes(pod(label('2.0.0')), of())).toEqual([`MW8025 ${field}`]);
    expect(await codes(pod(), contextWith({ deploys: [rule()] }))).toEqual([]);
  });
  it('do not go back, or it is said', async () => {
    const update = (before: string, after: string, context: AdmitContext) =>
      judge(
        templated('Deployment', label(after)),
        context,
        { operation: 'UPDATE', oldObject: templated('Deployment', label(before)) },
        'deployments',
      );
    expect((await update('1.4.0', '1.5.0', of())).allowed).toBe(true);
    expect((await update('1.4.0', '1.3.0', of())).message).toContain('it goes back from version 1.4.0 to 1.3.0');
    expect((await update('latest', '1.3.0', of())).allowed).toBe(true);
    const said = await update('1.4.0', '1.3.0', of({ downgrade: 'warn' }));
    expect(said).toMatchObject({ allowed: true, warnings: [expect.stringContaining('MW8026')] });
    // A rule that only audits warns of nothing.
    expect(await update('1.4.0', '1.3.0', of({}, { mode: 'audit' }))).toMatchObject({
      allowed: true,
      warnings: [],
      audit: { found: expect.any(String) },
    });
  });
});

describe('declared workloads', () => {
  const spec = (change: Partial<DeclaredWorkload> = {}, rules: readonly DeployRule[] = []) =>
    contextWith({ namespaces: ['shop'], workloads: [declared({ injected: true, ...change })], deploys: rules });
  it('are the only ones in a namespace that policy owns and that has rules or injection', async () => {
    expect(await codes(pod(), spec())).toEqual([]);
    expect(await codes(pod({ labels: { app: 'other' } }), spec())).toEqual(['MW8027 metadata.labels']);
    expect(await codes(pod({ labels: {} }), spec())).toEqual(['MW8027 metadata.labels']);
    expect(await codes(pod({ labels: { app: 'constructor' } }), spec())).toEqual(['MW8027 metadata.labels']);
    expect(await codes(pod({ labels: { app: 'other' } }), spec({ injected: false }))).toEqual([]);
    expect(await codes(pod({ labels: { app: 'other' } }), spec({ injected: false }, [rule()]))).toEqual(['MW8027 metadata.labels']);
    expect(await codes(pod({ labels: { app: 'other' } }), contextWith({ workloads: [declared({ injected: true })] }))).toEqual([]);
  });
  it('run as the account they were declared with; none is `default`', async () => {
    expect(await codes(pod({ spec: { serviceAccountName: 'other' } }), spec())).toEqual(['MW8028 spec.serviceAccountName']);
    expect(await codes(pod({ spec: { serviceAccountName: undefined } }), spec())).toEqual(['MW8028 spec.serviceAccountName']);
    expect(await codes(pod({ spec: { serviceAccountName: undefined } }), spec({ serviceAccount: 'default' }))).toEqual([]);
  });
  it('have a declared version, where versions are declared', async () => {
    const versions = ['v1', 'v2'];
    expect(await codes(pod({ labels: { app: 'cart', version: 'v2' } }), spec({ versions }))).toEqual([]);
    expect(await codes(pod({ labels: { app: 'cart', version: 'v3' } }), spec({ versions }))).toEqual(['MW8029 metadata.labels.version']);
    expect(await codes(pod(), spec({ versions }))).toEqual(['MW8029 metadata.labels.version']);
    expect(await codes(pod({ labels: { app: 'cart', version: 'v3' } }), spec())).toEqual([]);
  });
});

describe('a workload behind a proxy', () => {
  const place = { host: 'mesh.local', port: 1 };
  const injection = { image: 'mesh:1', imagePullPolicy: 'Always', trustDomain: 'mesh.test', controlPlane: place, ca: place } as const;
  const behind = declared({ injected: true });
  const context: AdmitContext = { ...contextWith({ namespaces: ['shop'], workloads: [behind] }), injection };
  const without = (labels: Readonly<Record<string, string>>) => pod({ labels: { 'meshwright.dev/inject': 'false', ...labels } });
  const update = (before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>) =>
    codes(without(after), context, { operation: 'UPDATE', oldObject: without(before) });
  it('has it from the beginning, and nothing becomes one without it', async () => {
    expect(await codes(without({ app: 'cart' }), context)).toEqual(['MW8107 spec.initContainers']);
    expect(await update({ app: 'free' }, { app: 'cart' })).toEqual(['MW8107 spec.initContainers']);
    expect(await update({ app: 'cart' }, { app: 'other', 'meshwright.dev/workload': 'cart' })).toEqual([]);
  });
  describe('whose rule wants images from elsewhere', () => {
    const strict: AdmitContext = {
      ...contextWith({
        namespaces: ['shop'],
        workloads: [behind],
        deploys: [rule({ images: { from: ['ghcr.io/acme/'], digest: 'required' } })],
      }),
      injection,
    };
    const own = { name: 'app', image: pinned('cart') };
    const asking = (spec: object) => pod({ labels: { app: 'cart', 'meshwright.dev/inject': 'true' }, spec });
    const injected = (): Record<string, unknown> => {
      const made = inject(asking({}), { settings: injection, namespace: 'shop', namespaceLabels: {} });
      if (made.kind !== 'patch') throw new Error(made.kind);
      return Object(applyPatch(asking({}), made.patch));
    };
    it('has its sidecar, also of an earlier image', async () => {
      expect(await codes(injected(), strict)).toEqual([]);
      const later: AdmitContext = { ...strict, injection: { ...injection, image: 'mesh:2' } };
      const relabelled = { ...injected(), metadata: Object(pod({ labels: { app: 'cart', version: 'v2' } })['metadata']) };
      expect(await codes(relabelled, later, { operation: 'UPDATE', oldObject: Object(injected()) })).toEqual([]);
    });
    it('runs the image of the mesh nowhere else', async () => {
      const mine = { name: 'mine', image: 'mesh:1', command: ['node', '-e', '0'] };
      const wanted = ['MW8021', 'MW8022'];
      const of = async (object: Record<string, unknown>) => (await codes(object, strict)).map((one) => one.slice(0, 6));
      expect(await codes({ ...templated('Deployment', { spec: { containers: [mine] } }) }, strict, {}, 'deployments')).toHaveLength(2);
      const free = {
        ...strict,
        ...contextWith({ deploys: [rule({ images: { from: ['ghcr.io/acme/'], digest: 'required' } })] }),
        injection,
      };
      const named = pod({
        labels: { app: 'cart', 'meshwright.dev/inject': 'false' },
        spec: { containers: [own], initContainers: [{ ...mine, name: 'meshwright-proxy' }] },
      });
      expect((await codes(named, free)).map((one) => one.slice(0, 6))).toEqual(wanted);
      const beside = injected();
      Object(beside['spec']).containers.push(mine);
      expect(await of(beside)).toEqual(wanted);
    });
  });
  it('what runs since before policy said so keeps its labels', async () => {
    expect(await update({ app: 'cart' }, { app: 'cart', version: 'v2' })).toEqual([]);
  });
});

describe('modes', () => {
  const strict = rule({ by: [{ kind: 'user', name: 'nobody' }] });
  it('warn says it and lets in, audit notes it, deny refuses', async () => {
    const as = (mode: DeployRule['mode']) => judge(pod(), contextWith({ deploys: [{ ...strict, mode }] }));
    expect(await as('deny')).toMatchObject({ allowed: false, warnings: [], audit: { denied: expect.stringContaining('MW8020') } });
    expect(await as('warn')).toMatchObject({ allowed: true, warnings: [expect.stringContaining('MW8020')], audit: {} });
    expect(await as('audit')).toMatchObject({ allowed: true, warnings: [], audit: { found: expect.stringContaining('MW8020') } });
  });
  it('31: of several rules over one workload each one holds: a wide and lenient one takes nothing from a narrow one', async () => {
    const wide = rule({ id: 'shop/wide' as RuleId, mode: 'warn' });
    const narrow = { ...strict, workloads: ['cart'] };
    for (const deploys of [
      [wide, narrow],
      [narrow, wide],
    ])
      expect((await judge(pod(), contextWith({ deploys }))).allowed).toBe(false);
  });
});

describe('what is not known', () => {
  it('refuses while nothing was listed, and while the rules cannot be had', async () => {
    const unsynced = await judge(pod(), testContext({ state: testState({ synced: false }) }));
    expect(unsynced).toMatchObject({ allowed: false, undecided: true, rule: 'undecided' });
    const unknown = await judge(pod(), testContext({ state: testState({ rules: { kind: 'unknown', reason: 'they were altered' } }) }));
    expect(unknown.message).toContain('they were altered');
    expect(unknown.allowed).toBe(false);
    expect((await judge(pod(), testContext())).allowed).toBe(true);
  });
  it('a path of ours that nobody knows is closed; others were never asked for', async () => {
    const ours = { apiVersion: 'meshwright.dev/v1alpha1', kind: 'Later', metadata: { name: 'x', namespace: 'shop' } };
    expect((await adjudicate(reviewOf(ours, 'laters'), testContext())).causes[0]?.code).toBe('MW8012');
    expect((await adjudicate(reviewOf(ours, 'serviceconfigs', { subresource: 'status' }), testContext())).allowed).toBe(false);
    const theirs = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x', namespace: 'shop' } };
    expect((await adjudicate(reviewOf(theirs, 'configmaps'), testContext())).allowed).toBe(true);
  });
});
