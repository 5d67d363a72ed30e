/**
 * Least privilege, shown: each server's own code runs against the real API server as the service account of the chart. With its roles nothing is forbidden and
 * every permission is used; with any one of them taken away the API server refuses exactly that. The API server's audit log is the witness.
 */
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { objectResource, releaseResource } from '../../core/bundle/custom-resource';
import { apiVersion, type MeshObject, type SignedObject, type SignedRelease } from '../../core/bundle/objects';
import { formatTrust, type TrustRoot } from '../../core/bundle/trust';
import { identityAudience, trustConfigMap } from '../../core/mesh/pod';
import { installObjects } from '../../deploy/install/install';
import { shared, type Server } from '../../deploy/install/names';
import { permissions, rolesOf, type Permission, type Verb } from '../../deploy/install/permissions';
import { defaultValues, type InstallValues } from '../../deploy/install/values';
import { judge, readCluster } from '../../deploy/kubernetes/cluster';
import { followRollout } from '../../deploy/kubernetes/progress';
import { systemClock } from '../../platform/clock';
import { resources, type Kube } from '../../platform/kube';
import { startKubernetes, type KubernetesServer } from '../../platform/kubernetes-server';
import { silentLog } from '../../platform/log';
import { podIdentities } from '../../runtime-proxy/ca/pods';
import { serveCa } from '../../runtime-proxy/ca/main';
import type { Plane } from '../../runtime-proxy/control-plane/plane';
import { openCluster } from '../../runtime-proxy/kubernetes/cluster';
import { managedCertificates } from '../../webhook/certificates/managed';
import { serveWebhook } from '../../webhook/main';
import { patientKube } from '../kit/patient-kube';
import { present } from '../kit/present';
import { objectsOf, smallMesh } from '../kit/small-mesh';
import { newTestSigner, signTestObject, signTestRelease, testRelease } from '../kit/signing';
import { until } from '../kit/until';

const values: InstallValues = {
  ...defaultValues,
  // Nothing answers for the webhook here; what is asked about is not the question.
  webhook: { ...defaultValues.webhook, failurePolicy: 'Ignore', timeoutSeconds: 1 },
  injection: { enabled: true, failurePolicy: 'Ignore' },
  gitops: { ...defaultValues.gitops, enabled: true },
};
const environment = 'prod';
const servers: readonly Server[] = ['control-plane', 'webhook', 'ca', 'gitops'];
let dir: string;
let cluster: KubernetesServer;
let admin: Kube;
let trust: TrustRoot;
let objects: readonly SignedObject[];
let release: SignedRelease;
/** Of an environment that is not there, with objects that are not there. */
let other: { readonly objects: readonly SignedObject[]; readonly release: SignedRelease };
const leftovers: Promise<unknown>[] = [];
const kubeconfigs = new Map<Server, string>();
const file = (name: string): string => path.join(dir, name);

beforeAll(async () => {
  dir = await fs.mkdtemp(path.join(os.tmpdir(), 'meshwright-rbac-'));
  const policy = {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [{ level: 'Metadata', userGroups: ['system:serviceaccounts:meshwright'] }, { level: 'None' }],
  };
  await fs.writeFile(file('audit-policy.yaml'), JSON.stringify(policy));
  const audit = [`--audit-policy-file=${file('audit-policy.yaml')}`, `--audit-log-path=${file('audit.log')}`, '--audit-log-mode=blocking'];
  cluster = await startKubernetes({ dir: file('kubernetes'), controllers: false, flags: audit });
  admin = await patientKube(cluster.kubeconfig);
  const installed = installObjects(values);
  const apply = async (items: readonly object[]): Promise<void> => {
    const { code, stderr } = await cluster.kubectl(['apply', '--server-side', '-f', '-'], {
      input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
    });
    if (code !== 0) throw new Error(stderr);
  };
  const definitions = installed.filter(({ kind }) => kind === 'CustomResourceDefinition');
  await apply(definitions);
  await cluster.kubectl(['wait', '--for=condition=Established', '--timeout=180s', 'crd', '--all']);
  await apply(installed.filter((object) => !definitions.includes(object)));
  for (const server of servers) {
    const { stdout } = await cluster.kubectl(['create', 'token', server, '--namespace=meshwright', '--duration=2h']);
    kubeconfigs.set(server, await cluster.kubeconfigWithToken(server, stdout.trim()));
  }

  const signer = await newTestSigner();
  trust = { environments: { [environment]: { keys: [signer.jwk], generationFloor: 0 } } };
  await fs.writeFile(file('trust.json'), formatTrust(trust));
  const meta = (name: string): { namespace: string; name: string } => ({ namespace: 'meshwright', name });
  const made: readonly MeshObject[] = [
    // Asks which products run, so that the webhook follows them.
    {
      apiVersion,
      kind: 'AdmissionRules',
      metadata: meta('rules'),
      spec: {
        environment,
        trustDomain: 'mesh.local',
        products: [{ id: 'platform/versions', mode: 'warn', ranges: { kubernetes: { min: '1.0.0' } } }],
      },
    } as unknown as MeshObject,
  ];
  objects = await Promise.all(made.map((object) => signTestObject(signer, object, environment)));
  const { candidate } = testRelease(made);
  // Already in force, so that its rules are.
  release = await signTestRelease(signer, testRelease(made, { stable: candidate }));
  const mesh = objectsOf(smallMesh());
  await apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } }]);
  other = {
    objects: await Promise.all(
      [...mesh, { ...present(made[0]), spec: { environment: 'stage', trustDomain: 'mesh.local' } } as MeshObject].map((object) =>
        signTestObject(signer, object, 'stage'),
      ),
    ),
    release: await signTestRelease(signer, testRelease(mesh, { environment: 'stage' })),
  };
  await apply([...objects.map((object) => objectResource(object, environment)), releaseResource(release)]);
}, 1_800_000);
afterAll(async () => {
  const limit = new Promise((resolve) => setTimeout(resolve, 20_000).unref());
  await Promise.race([Promise.allSettled(leftovers), limit]);
  await cluster?.stop();
  await fs.rm(dir, { recursive: true, force: true });
});

/** One request of a server, as the audit log has it. */
interface Request {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: { readonly resource?: string; readonly subresource?: string; readonly apiGroup?: string };
  readonly responseStatus?: { readonly code?: number; readonly message?: string };
}
let seenUntil = 0;
const forget = async (): Promise<void> => void (seenUntil = (await fs.stat(file('audit.log')).catch(() => ({ size: 0 }))).size);
async function requestsOf(server: Server): Promise<readonly Request[]> {
  const text = (await fs.readFile(file('audit.log'))).subarray(seenUntil).toString('utf8');
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Request)
    .filter(({ user }) => user.username === `system:serviceaccount:meshwright:${server}`);
}
interface Need {
  readonly row: Permission;
  readonly verb: Verb;
}
const needs: readonly Need[] = permissions.flatMap((row) => row.verbs.map((verb) => ({ row, verb })));
const needsOf = (server: Server): readonly Need[] => needs.filter(({ row }) => row.server === server);
const nameOf = ({ row, verb }: Need): string =>
  `${verb} ${row.resource}${row.apiGroup === '' ? '' : `.${row.apiGroup}`}${row.names ? ` ${row.names.join()}` : ''}`;

const isAbout = ({ row }: Need, { objectRef }: Request): boolean =>
  `${objectRef?.resource ?? ''}${objectRef?.subresource === undefined ? '' : `/${objectRef.subresource}`}` === row.resource &&
  (objectRef?.apiGroup ?? '') === row.apiGroup;
/** That it was used: a server-side apply is a patch, and creates what was not there. */
const used = (need: Need, request: Request): boolean =>
  isAbout(need, request) &&
  (request.verb === need.verb || (need.verb === 'create' && request.verb === 'patch' && request.responseStatus?.code === 201)) &&
  request.responseStatus?.code !== 403;
const refused = (need: Need, request: Request): boolean =>
  isAbout(need, request) &&
  request.responseStatus?.code === 403 &&
  (request.responseStatus.message ?? '').includes(`cannot ${need.verb} resource "${need.row.resource}"`);

/** Something of a server that runs until it is closed. */
type Running = () => Promise<void> | void;
const forgotten = (error: unknown): void => void error;
const anyPort = { host: '127.0.0.1', port: 0 };
const configOf = (server: Server): string => kubeconfigs.get(server) ?? '';

const starts: { readonly [server in Server]: () => Promise<Running> } = {
  /** Follows everything, takes the lease and writes the status, while somebody else changes the Release too. */
  'control-plane': async () => {
    await admin.remove(resources.leases, { namespace: 'meshwright', name: `control-plane-${environment}` });
    const running = await openCluster(
      { kubeconfig: configOf('control-plane'), identity: 'one', address: '127.0.0.1:1', leaseMs: 1_000 },
      { environment, trustDomain: 'mesh.local', trust: async () => trust, listen: anyPort, say: () => undefined, log: silentLog },
    );
    const plane = {
      touch: () => undefined,
      local: () => [],
      store: { live: () => null, seen: () => new Map(), setSeen: async () => undefined },
    };
    const driven = running.drive(
      plane as unknown as Plane,
      () => undefined,
      () => undefined,
    );
    let on = true;
    const deployer = (async () => {
      for (let turn = 0; on; turn += 1) {
        const patch = { metadata: { annotations: { 'acme.example/turn': String(turn) } } };
        await admin.patch(resources.releases, { namespace: 'meshwright', name: environment }, patch, { type: 'merge' });
      }
    })();
    return async () => {
      on = false;
      await deployer;
      await running.close();
      // What could not follow goes on trying: it ends once it may.
      leftovers.push(driven.then(() => running.close()));
    };
  },
  /** Serves with certificates that it makes and keeps, and follows what is in force. */
  webhook: async () => {
    await admin.remove(resources.secrets, { namespace: 'meshwright', name: shared.webhookCertificates });
    const kube = await patientKube(configOf('webhook'));
    const lifetimes = { caMs: 6_000, leafMs: 2_000, graceMs: 100 };
    const certificate = await managedCertificates({
      kube,
      namespace: 'meshwright',
      secret: shared.webhookCertificates,
      dnsNames: ['webhook.meshwright.svc'],
      validating: ['meshwright'],
      mutating: ['meshwright'],
      clock: systemClock,
      log: silentLog,
      everyMs: 100,
      lifetimes,
    });
    const webhook = await serveWebhook(
      { environment, listen: anyPort, admin: anyPort, trustFile: file('trust.json'), deployers: values.deployers, drainMs: 0 },
      { kube, certificate, log: silentLog, lookEveryMs: 50 },
    );
    return () => webhook.close();
  },
  /** Keeps its root, publishes it, and identifies a pod by its token. */
  ca: async () => {
    await admin.remove(resources.secrets, { namespace: 'meshwright', name: shared.caRoot });
    await admin.remove(resources.configMaps, { namespace: 'meshwright', name: trustConfigMap.name });
    const folder = await fs.mkdtemp(file('ca-'));
    const kube = await patientKube(configOf('ca'));
    const token = await podToken();
    await podIdentities(kube, { trustDomain: 'mesh.local', audience: identityAudience }, Date.now).identify(token).catch(forgotten);
    const ca = await serveCa(
      {
        trustDomain: 'mesh.local',
        stateDir: folder,
        listen: anyPort,
        admin: anyPort,
        adminTokenFile: path.join(folder, 'token'),
        kubernetes: { kubeconfig: configOf('ca'), secret: shared.caRoot },
      },
      silentLog,
    );
    return () => ca.close();
  },
  /** Deploys: what is read and tried before Pulumi, what follows the roll-out, and what Pulumi's provider does with every object. */
  gitops: async () => {
    const kube = await patientKube(configOf('gitops'));
    await readCluster(kube, { release });
    await judge(kube, other);
    const followed = followRollout(kube, release, { say: () => undefined, show: () => undefined }, () => undefined);
    const close: Running[] = [() => followed.close()];
    for (const resource of [resources.serviceConfigs, resources.proxyConfigs, resources.admissionRules]) {
      const ref = { namespace: 'meshwright', name: 'none.000000000000' };
      const follower = kube.follow(resource, { namespace: 'meshwright' }, () => undefined);
      close.push(() => follower.close());
      await kube.get(resource, ref).catch(forgotten);
      await kube.remove(resource, ref, { dryRun: true }).catch(forgotten);
    }
    return () => close.forEach((one) => void one());
  },
};

/** The token of a pod's own account, bound to the pod. */
async function podToken(): Promise<string> {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'cart', namespace: 'default', labels: { app: 'cart' } },
    spec: { serviceAccountName: 'cart', containers: [{ name: 'c', image: 'c' }] },
  };
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'cart', namespace: 'default' } };
  for (const object of [account, pod]) await cluster.kubectl(['create', '-f', '-'], { input: JSON.stringify(object) });
  const { stdout, stderr } = await cluster.kubectl([
    'create',
    'token',
    'cart',
    '--namespace=default',
    `--audience=${identityAudience}`,
    '--bound-object-kind=Pod',
    '--bound-object-name=cart',
  ]);
  if (stdout === '') throw new Error(stderr);
  return stdout.trim();
}

/** Runs the server until the log holds what is waited for, or for a while. What it throws at its start is its own answer to a refusal. */
async function runUntil(server: Server, holds: (requests: readonly Request[]) => boolean): Promise<readonly Request[]> {
  await forget();
  for (const end = performance.now() + 180_000; performance.now() < end;) {
    const running = await starts[server]().catch((error: Error) => error);
    const started = performance.now();
    let requests = await requestsOf(server);
    while (!holds(requests) && !(running instanceof Error) && performance.now() < started + 6_000) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      requests = await requestsOf(server);
    }
    if (!(running instanceof Error)) await running();
    if (holds(requests)) return requests;
  }
  return requestsOf(server);
}

/** Writes the roles of a server anew, and waits until the API server goes by them. */
async function setRoles(server: Server, rows: readonly Permission[], probe: Need, allowed: boolean): Promise<void> {
  const kinds = { ClusterRole: resources.clusterRoles, Role: resources.roles } as const;
  for (const [kind, resource] of Object.entries(kinds)) {
    const wanted = rolesOf(server, rows).find((object) => object.kind === kind);
    const original = rolesOf(server).find((object) => object.kind === kind);
    if (original === undefined) continue;
    const { name, namespace } = original.metadata;
    await admin.patch(
      resource,
      namespace === undefined ? { name } : { name, namespace },
      { rules: wanted?.['rules'] ?? [] },
      { type: 'merge' },
    );
  }
  const kube = await patientKube(configOf(server));
  const [plural = '', subresource = ''] = probe.row.resource.split('/');
  const spec = {
    resourceAttributes: {
      verb: probe.verb,
      group: probe.row.apiGroup,
      resource: plural,
      subresource,
      namespace: 'meshwright',
      name: probe.row.names?.[0] ?? '',
    },
  };
  await until(`${nameOf(probe)} is ${allowed ? 'allowed' : 'forbidden'}`, async () => {
    const review = await kube.post('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec,
    });
    return (review as { readonly status: { readonly allowed: boolean } }).status.allowed === allowed;
  });
}

describe.each(servers)('%s', (server) => {
  test('uses every permission that it has, and misses none', async () => {
    const all = needsOf(server);
    const requests = await runUntil(server, (seen) => all.every((need) => seen.some((request) => used(need, request))));
    expect(all.filter((need) => !requests.some((request) => used(need, request))).map(nameOf)).toEqual([]);
    expect(
      requests.filter(({ responseStatus }) => responseStatus?.code === 403).map(({ responseStatus }) => responseStatus?.message),
    ).toEqual([]);
  });
  test.each(needsOf(server).map((need) => [nameOf(need), need] as const))('misses `%s` when it is taken away', async (_name, need) => {
    const without = permissions
      .map((row) => (row === need.row ? { ...row, verbs: row.verbs.filter((verb) => verb !== need.verb) } : row))
      .filter(({ verbs }) => verbs.length > 0);
    await setRoles(server, without, need, false);
    try {
      const requests = await runUntil(server, (seen) => seen.some((request) => refused(need, request)));
      expect(requests.filter((request) => refused(need, request)).length).toBeGreaterThan(0);
    } finally {
      await setRoles(server, permissions, need, true);
    }
  });
});
