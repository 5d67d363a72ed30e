/**
 * What a change costs those who are asking: two replicas of the webhook as processes, behind what a Service does, 200 reviews a second straight to them and 50
 * writes a second through a real API server whose failure policy denies. Every answer is compared with what is right at that moment. No timing is asserted.
 */
import { X509Certificate } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { emitEnvoy } from '../../compiler/emit/envoy';
import { meshNamespace, objectResource, releaseResource } from '../../core/bundle/custom-resource';
import { apiVersion, type MeshObject, type Release } from '../../core/bundle/objects';
import { formatTrust } from '../../core/bundle/trust';
import { digestOfJson } from '../../core/lib/digest';
import { writeFileAtomic } from '../../platform/files';
import { kubeObject, resources, type Follower, type Kube } from '../../platform/kube';
import { startKubernetes, type KubernetesServer } from '../../platform/kubernetes-server';
import { freePorts } from '../../platform/ports';
import type { WebhookConfig } from '../../webhook/config';
import { agedCertificates, certificatesIn } from '../kit/aged-certificates';
import { startBalancer, type Balancer } from '../kit/balancer';
import { bookinfo } from '../kit/bookinfo-ir';
import { convergedStatus } from '../kit/converged';
import { judgedLoad, moments, type JudgedLoad, type LoadReport, type Moments, type Question } from '../kit/judged-load';
import { patientKube } from '../kit/patient-kube';
import { postReview } from '../kit/post-review';
import { present } from '../kit/present';
import { deployersOf, isAllowedInTurn, reviews, reviewUid, rulesInTurn } from '../kit/reviews';
import { newTestSigner, signTestObject, signTestRelease, testRelease, testReleaseAfter, type TestSigner } from '../kit/signing';
import { isDone, until } from '../kit/until';
import { applied, patience, prepared, unsigned, untilAsked, untilTaken, validatingConfiguration } from '../kit/webhook';
import { webhookReplica, type WebhookReplica } from '../kit/webhook-replica';

const servername = 'webhook.meshwright.svc';
const secret = { namespace: meshNamespace, name: 'webhook-certificates' };
/** Their namespaces are there, so that the API server takes pods into them. */
const inhabited = ['team-0', 'team-1', 'team-2', 'team-3', 'team-4', 'team-5'];

type Answer = 'yes' | 'no' | 'either';
/** What may be the case now: which rules are in force, and whose signatures count. */
interface Truth {
  readonly turns: readonly number[];
  readonly trusted: { readonly first: Answer; readonly second: Answer };
}

let dir: string;
let server: KubernetesServer;
let admin: Kube;
let team: Kube;
let controlPlane: Kube;
let deployer: Kube;
let first: TestSigner;
let second: TestSigner;
let replicas: readonly WebhookReplica[];
let balancer: Balancer;
let configurations: Follower;
let live: Release;
let truth: Truth = { turns: [0], trusted: { first: 'yes', second: 'no' } };
let right: Moments<Truth>;
let questions: readonly Question<Truth>[];
const set = (change: Partial<Truth>): void => right.set((truth = { ...truth, ...change }));

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
/** What every webhook of the configuration trusts at this moment, PEM. */
const trusted = (): string => {
  const webhooks = configurations.items().get('meshwright')?.['webhooks'];
  const [webhook] = Array.isArray(webhooks) ? webhooks : [];
  return Buffer.from(String(webhook?.clientConfig?.caBundle ?? ''), 'base64').toString();
};

beforeAll(async () => {
  dir = await fs.mkdtemp(join(tmpdir(), 'mw-change-'));
  server = await startKubernetes({ dir, controllers: false });
  [first, second] = await Promise.all([newTestSigner(), newTestSigner()]);
  const masters = 'system:masters';
  const as = async (user: string, groups: readonly string[]): Promise<Kube> =>
    patientKube(await server.kubeconfigFor(user, [...groups, masters]));
  admin = await patientKube(server.kubeconfig);
  team = await as('ann', ['release-team']);
  controlPlane = await as('system:serviceaccount:meshwright:control-plane', []);
  deployer = await as('deploy-bot', inhabited.map(deployersOf));
  await prepared(server, inhabited);
  await trust([first]);
  const ports = await freePorts(4);
  const config = (listen: number, adminPort: number): WebhookConfig => ({
    environment: 'prod',
    listen: { host: '127.0.0.1', port: present(ports[listen]) },
    admin: { host: '127.0.0.1', port: present(ports[adminPort]) },
    managedCertificate: { secret: secret.name, dnsNames: [servername, 'localhost'] },
    trustFile: join(dir, 'trust.json'),
    deployers: [{ kind: 'group', name: 'release-team' }],
    kubeconfig: server.kubeconfig,
    // The balancer, which is told by looking, may stand still for a while.
    drainMs: 20_000,
    limits: patience,
  });
  replicas = [await webhookReplica(dir, 'one', config(0, 1)), await webhookReplica(dir, 'two', config(2, 3))];
  await Promise.all(replicas.map((replica) => replica.start()));
  balancer = await startBalancer(replicas);
  await applied(server, validatingConfiguration(`https://localhost:${balancer.port}`, ''));
  configurations = admin.follow(resources.validatingWebhooks, {}, () => undefined);
  await until('a bundle', () => trusted() !== '');
  await everyoneReady();
  await untilAsked(server);

  right = moments(truth);
  questions = await questionsFor();
  live = testRelease([rulesObject(0)]);
  await write(live, rulesObject(0), first);
  await converge(live);
  await reported(1);
}, 1_800_000);
afterAll(async () => {
  configurations?.close();
  await balancer?.close();
  for (const replica of replicas ?? []) await replica.kill();
  await server?.stop();
  await fs.rm(dir, { recursive: true, force: true });
});

const rulesObject = (turn: number): MeshObject => ({
  apiVersion,
  kind: 'AdmissionRules',
  metadata: { namespace: meshNamespace, name: 'rules' },
  spec: JSON.parse(JSON.stringify(rulesInTurn(turn))),
});
const trust = (keys: readonly TestSigner[]): Promise<void> =>
  writeFileAtomic(
    join(dir, 'trust.json'),
    formatTrust({ environments: { prod: { keys: keys.map(({ jwk }) => jwk), generationFloor: 0 } } }),
  );
/** Each says so now, and is asked: what the balancer saw last may be of before. */
const everyoneReady = (): Promise<void> =>
  until('everyone is ready', async () => {
    const all = await Promise.all(replicas.map((replica) => replica.isReady()));
    return all.every((isReady) => isReady) && replicas.every(({ name }) => balancer.isReady(name));
  });

/** As whoever deploys: the object, then the release that names it. */
async function write(release: Release, object: MeshObject, by: TestSigner): Promise<void> {
  const options = { fieldManager: 'deploy', force: true };
  await team.apply(resources.admissionRules, kubeObject(objectResource(await signTestObject(by, object, 'prod'), 'prod')), options);
  await team.apply(resources.releases, kubeObject(releaseResource(await signTestRelease(by, release))), options);
}
/** As the control plane says it. */
async function converge(release: Release): Promise<void> {
  const status = convergedStatus(digestOfJson(release));
  await controlPlane.patch(
    resources.releases,
    { namespace: meshNamespace, name: 'prod' },
    { status },
    { type: 'merge', subresource: 'status' },
  );
}
/** Every replica says that the rules of this generation are in force. */
const reported = (generation: number): Promise<void> =>
  until(`rules of generation ${generation}`, async () => {
    const all = await Promise.all(replicas.map((replica) => replica.metric('meshwright_webhook_rules_generation')));
    return all.every((one) => one === generation);
  });

const pods = reviews(400);
const isRightFor =
  (pod: (typeof pods)[number]) =>
  (allowed: boolean, { turns }: Truth): boolean =>
    turns.some((turn) => isAllowedInTurn(pod, turn) === allowed);
const signedBy =
  (key: keyof Truth['trusted']) =>
  (allowed: boolean, now: Truth): boolean =>
    now.trusted[key] === 'either' || (now.trusted[key] === 'yes') === allowed;

/** The review of an object that is created, signed by somebody. */
async function objectReview(by: TestSigner): Promise<Buffer> {
  const service = present(emitEnvoy(bookinfo()).value?.services[0]);
  const object = objectResource(await signTestObject(by, service, 'prod'), 'prod');
  const kind = { group: 'meshwright.dev', version: 'v1alpha1', kind: 'ServiceConfig' };
  const resource = { group: 'meshwright.dev', version: 'v1alpha1', resource: 'serviceconfigs' };
  const request = {
    uid: reviewUid(0),
    kind,
    resource,
    requestKind: kind,
    requestResource: resource,
    ...object.metadata,
    operation: 'CREATE',
    userInfo: { username: 'ann', groups: ['release-team'] },
    object,
    oldObject: null,
    dryRun: false,
    options: null,
  };
  return Buffer.from(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request }));
}
/** Whether every replica, asked itself, gives this verdict on what somebody signed. */
async function everyoneSays(allowed: boolean, by: TestSigner): Promise<boolean> {
  const body = await objectReview(by);
  const ask = ({ port }: WebhookReplica): ReturnType<typeof postReview> =>
    postReview(new URL(`https://127.0.0.1:${port}/validate`), body, { agent: false, ca: trusted(), servername });
  const answers = await Promise.all(replicas.map(ask));
  return answers.every((answer) => answer.kind === 'answered' && answer.allowed === allowed);
}

/** Nine pods, then a signed object: by the first key, by the second, and by a key that nobody trusts. */
async function questionsFor(): Promise<readonly Question<Truth>[]> {
  const objects: readonly Question<Truth>[] = [
    { what: 'signed by the first key', body: await objectReview(first), isRight: signedBy('first') },
    { what: 'signed by the second key', body: await objectReview(second), isRight: signedBy('second') },
    { what: 'signed by nobody', body: await objectReview(await newTestSigner()), isRight: (allowed) => !allowed },
  ];
  return pods.flatMap((pod, index) => {
    const one = { what: `pod ${index} in ${pod.namespace}`, body: Buffer.from(pod.body), isRight: isRightFor(pod) };
    const object = objects[Math.floor(index / 9) % objects.length];
    return index % 9 === 8 && object !== undefined ? [one, object] : [one];
  });
}

/** The load, from a moment before the change to a moment after it. */
async function under(change: (load: JudgedLoad) => Promise<void>): Promise<LoadReport & { readonly since: number }> {
  const load = judgedLoad({
    url: new URL(`https://127.0.0.1:${balancer.port}/validate`),
    servername,
    trusted,
    moments: right,
    questions,
    perSecond: 200,
    writes: pods
      .filter(({ namespace }) => inhabited.includes(namespace))
      .map((pod, index) => ({
        what: `pod ${index} in ${pod.namespace}`,
        write: () => deployer.create(resources.pods, pod.pod, { dryRun: true }),
        isRight: isRightFor(pod),
      })),
    writesPerSecond: 50,
  });
  const seen = balancer.history().length;
  let changed: unknown = null;
  await pause(500);
  await change(load).catch((error: unknown) => (changed = error));
  await pause(500);
  const report = await load.stop();
  const [why] = [changed, ...(report.wrong.length > 0 ? [report.wrong.slice(0, 10).join('\n')] : [])].filter((one) => one !== null);
  if (why !== undefined) throw new Error([String(why), ...story(seen)].join('\n'), { cause: changed });
  expect(Math.min(...Object.values(report.answered))).toBeGreaterThan(0);
  return { ...report, since: seen };
}

/** Why it went as it did: what the balancer saw since then, and what each replica wrote last. */
const story = (since: number): readonly string[] => [
  'balancer:',
  ...balancer.history().slice(since).slice(0, 60),
  ...replicas.flatMap((replica) => [
    `${replica.name}:`,
    ...replica
      .log()
      .split('\n')
      .filter((line) => !line.includes('"codes":'))
      .slice(-30),
  ]),
];
function expectNobodyFailed({ failed, since }: LoadReport & { readonly since: number }): void {
  if (failed.length === 0) return;
  const lines = failed.map(({ by, why, sentAt, failedAt }) => `${sentAt.toFixed(0)}..${failedAt.toFixed(0)} ${by}: ${why}`);
  throw new Error([`${failed.length} failed`, ...lines.slice(0, 10), ...lines.slice(10).slice(-5), ...story(since)].join('\n'));
}

test('a rolling restart: nobody fails, and every verdict is right', async () => {
  const report = await under(async () => {
    for (const replica of replicas) {
      expect(await replica.stop()).toBe(0);
      await replica.start();
      await everyoneReady();
    }
  });
  expectNobodyFailed(report);
});

test('a replica that is killed loses what it was answering and what was sent to it before that was seen, and nothing else', async () => {
  const killed = present(replicas[0]);
  let killedAt = 0;
  let seenAt = 0;
  const { failed } = await under(async (load) => {
    killedAt = performance.now();
    await killed.kill();
    await until('it is seen', () => !balancer.isReady(killed.name));
    await load.settled();
    seenAt = performance.now();
    await pause(1_000);
    await killed.start();
    await everyoneReady();
  });
  const direct = failed.filter(({ by }) => by !== 'api');
  expect(direct.filter(({ clientPort }) => clientPort === null || balancer.replicaOf(clientPort) !== killed.name)).toEqual([]);
  expect(failed.filter(({ sentAt, failedAt }) => sentAt > seenAt || failedAt < killedAt)).toEqual([]);
});

test('certificates: a new leaf, a new authority and the end of the old one, trusted by what the configuration says at each moment', async () => {
  const bundles = new Set<string>();
  const aged = agedCertificates(admin, secret);
  const report = await under(async (load) => {
    const before = await served();
    await aged.leaf();
    await until('a new leaf', async () => (await served()).every((serial, index) => serial !== before[index]));
    const [leaf] = await served();
    bundles.add(trusted());
    await aged.authority();
    await until('both authorities in the bundle', () => certificatesIn(trusted()) === 2);
    bundles.add(trusted());
    await until('carried', async () => (await aged.kept()).next?.carried !== null);
    // The time that is skipped is there for those who read the bundle before, and for the API server to hear of it.
    await untilTaken(admin, [{ resource: resources.validatingWebhooks, name: 'meshwright' }], unsigned.metadata.name, () =>
      isDone(admin.create(resources.admissionRules, unsigned, { dryRun: true })),
    );
    await load.settled();
    await aged.carried();
    await until('a leaf of the new one', async () => (await served()).every((serial) => serial !== leaf));
    await load.settled();
    await aged.retired();
    await until('the new one alone in the bundle', () => certificatesIn(trusted()) === 1);
    bundles.add(trusted());
    await pause(1_000);
  });
  expectNobodyFailed(report);
  expect(bundles.size).toBe(3);
  await everyoneReady();
});

/** Serial numbers of what each replica shows; the handshake fails unless it verifies by what the configuration says. */
const served = (): Promise<readonly string[]> =>
  Promise.all(
    replicas.map(
      ({ port }) =>
        new Promise<string>((resolve, reject) => {
          const socket = tls.connect({ host: '127.0.0.1', port, servername, ca: trusted() }, () => {
            resolve(new X509Certificate(socket.getPeerCertificate().raw).serialNumber);
            socket.destroy();
          });
          socket.once('error', reject);
        }),
    ),
  );
test('ten releases, each with other rules: the old verdict until the control plane says so, the new one from when both replicas do', async () => {
  const report = await under(async () => {
    for (let turn = 1; turn <= 10; turn += 1) {
      const next = testReleaseAfter(live, [rulesObject(turn)]);
      await write(next, rulesObject(turn), first);
      set({ turns: [turn - 1, turn] });
      await converge(next);
      live = next;
      await reported(next.generation);
      set({ turns: [turn] });
      await pause(100);
    }
  });
  expectNobodyFailed(report);
});

test('the trust root: a key more, everything signed anew, the old key gone', async () => {
  const turn = present(truth.turns[0]);
  const report = await under(async () => {
    set({ trusted: { first: 'yes', second: 'either' } });
    await trust([first, second]);
    await until('both take the second key', () => everyoneSays(true, second));
    set({ trusted: { first: 'yes', second: 'yes' } });
    await pause(300);
    // The rules in force under the new key's signature, and the next release with it.
    const next = testReleaseAfter(live, [rulesObject(turn)]);
    await write(next, rulesObject(turn), second);
    await converge(next);
    live = next;
    await reported(next.generation);
    set({ trusted: { first: 'either', second: 'yes' } });
    await trust([second]);
    await until('neither takes the first key', () => everyoneSays(false, first));
    set({ trusted: { first: 'no', second: 'yes' } });
    await pause(1_500);
  });
  expectNobodyFailed(report);
});
