/** Who gets a certificate on Kubernetes: tokens that a real API server made and reviews, each refusal, and the root in a Secret. */
import { X509Certificate } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, status } from '@grpc/grpc-js';
import { resources, type Kube, type KubeObject } from '../../platform/kube';
import { startKubernetes, type KubernetesServer } from '../../platform/kubernetes-server';
import { silentLog } from '../../platform/log';
import { freePorts } from '../../platform/ports';
import { agentConfigFrom } from '../../runtime-proxy/agent/kubernetes-config';
import { runAgent } from '../../runtime-proxy/agent/main';
import { newKeyAndCsr } from '../../runtime-proxy/ca/authority';
import { serveCa, type CaConfig, type RunningCa } from '../../runtime-proxy/ca/main';
import { caMethods, type CertificateAnswer } from '../../runtime-proxy/ca/protocol';
import { caPrincipal, identityOf } from '../../runtime-proxy/ca/spiffe';
import { channelOptions, clientCredentials, type KeyMaterial } from '../../runtime-proxy/rpc/credentials';
import { patientKube } from '../kit/patient-kube';
import { isDone, until } from '../kit/until';

type Answer = { readonly code: 'OK'; readonly material: KeyMaterial } | { readonly code: status; readonly details: string };

describe('identities of pods', () => {
  let dir: string;
  let server: KubernetesServer;
  let kube: Kube;
  let ca: RunningCa;
  let made = 0;

  const startCa = async (over: Partial<CaConfig> = {}): Promise<RunningCa> => {
    const listen = { host: '127.0.0.1', port: 0 };
    const stateDir = join(dir, `ca-${++made}`);
    const kubernetes = { kubeconfig: server.kubeconfig, secret: 'ca-root' };
    return serveCa(
      { trustDomain: 'mesh.test', stateDir, listen, admin: listen, adminTokenFile: join(dir, `admin-${made}`), kubernetes, ...over },
      silentLog,
    );
  };
  const pod = async (
    name: string,
    over: { namespace?: string; account?: string; labels?: object; metadata?: object } = {},
  ): Promise<KubeObject> => {
    const { namespace = 'shop', account = 'front', labels = { app: 'front' }, metadata = {} } = over;
    return kube.create(resources.pods, {
      metadata: { name, namespace, labels, ...metadata } as KubeObject['metadata'],
      spec: { serviceAccountName: account, containers: [{ name: 'app', image: 'registry.test/app:1' }] },
    });
  };
  const tokenOf = async (
    bound: KubeObject | null,
    over: { account?: string; namespace?: string; audience?: string; seconds?: number } = {},
  ): Promise<string> => {
    const { account = 'front', namespace = bound?.metadata.namespace ?? 'shop', audience = 'meshwright', seconds = 600 } = over;
    const answer = await kube.post(`/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        audiences: [audience],
        expirationSeconds: seconds,
        ...(bound === null
          ? {}
          : { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: bound.metadata.name, uid: bound.metadata.uid } }),
      },
    });
    return String(Object(answer).status.token);
  };
  const call = async (method: 'enrol' | 'renew', request: object, own: KeyMaterial | null, to = ca): Promise<Answer> => {
    const { key, csr } = await newKeyAndCsr();
    const trust = await fs.readFile(to.trustFile, 'utf8');
    const client = new Client(to.address, clientCredentials(trust, caPrincipal('mesh.test'), own), channelOptions);
    const { path, responseDeserialize } = caMethods[method];
    return new Promise<Answer>((resolve) => {
      client.makeUnaryRequest<object, CertificateAnswer>(
        path,
        (value) => Buffer.from(JSON.stringify(value)),
        responseDeserialize,
        { csr, ...request },
        { deadline: Date.now() + 120_000 },
        (error, answer) =>
          resolve(
            error || !answer
              ? { code: error?.code ?? status.UNKNOWN, details: error?.details ?? '' }
              : { code: 'OK', material: { key, chain: answer.chain, trust: answer.trust } },
          ),
      );
    }).finally(() => client.close());
  };
  /** A CA whose API server stands still for a while is asked again. */
  const enrol = async (token: string, to = ca): Promise<Answer> => {
    let answer = await call('enrol', { token }, null, to);
    for (let turn = 0; turn < 5 && to === ca && answer.code === status.UNAVAILABLE; turn += 1)
      answer = await call('enrol', { token }, null, to);
    return answer;
  };
  const material = (answer: Answer): KeyMaterial => {
    if (answer.code !== 'OK') throw new Error(answer.details);
    return answer.material;
  };
  const refused = (details: string, code = status.PERMISSION_DENIED): object => ({ code, details: expect.stringContaining(details) });

  beforeAll(async () => {
    dir = await fs.mkdtemp(join(tmpdir(), 'mw-identity-'));
    server = await startKubernetes({ dir, controllers: false });
    kube = await patientKube(server.kubeconfig);
    for (const namespace of ['shop', 'meshwright']) await kube.create(resources.namespaces, { metadata: { name: namespace } });
    for (const [namespace, name] of [
      ['shop', 'front'],
      ['shop', 'other'],
      ['meshwright', 'control-plane'],
      ['meshwright', 'ca'],
    ] as const)
      await kube.create(resources.serviceAccounts, { metadata: { namespace, name } });
    ca = await startCa();
  }, 1_800_000);
  afterAll(async () => {
    await ca?.close();
    await server?.stop();
    await fs.rm(dir, { recursive: true, force: true });
  });

  test('a pod gets the identity of its account, workload and name, again and again by its token, never by its certificate alone', async () => {
    const token = await tokenOf(await pod('front-1', { labels: { 'meshwright.dev/workload': 'web', app: 'front' } }));
    const own = material(await enrol(token));
    const identity = { principal: 'spiffe://mesh.test/ns/shop/sa/front', workload: 'shop/web', instance: 'front-1.shop', proof: 'pod' };
    expect(identityOf(new X509Certificate(own.chain).raw)).toMatchObject(identity);
    expect(identityOf(new X509Certificate(material(await enrol(token)).chain).raw)).toMatchObject(identity);
    expect(await call('renew', {}, own)).toEqual(refused('by its service-account token'));
  });
  test('the control plane’s account gets the control plane’s identity, and no other account of the mesh’s namespace gets any', async () => {
    const plane = await pod('control-plane-1', { namespace: 'meshwright', account: 'control-plane', labels: {} });
    const own = material(await enrol(await tokenOf(plane, { account: 'control-plane' })));
    expect(identityOf(new X509Certificate(own.chain).raw)).toMatchObject({
      principal: 'spiffe://mesh.test/ns/meshwright/sa/control-plane',
      workload: 'meshwright/control-plane',
      instance: 'control-plane-1.meshwright',
    });
    const impostor = await pod('ca-1', { namespace: 'meshwright', account: 'ca', labels: { app: 'control-plane' } });
    expect(await enrol(await tokenOf(impostor, { account: 'ca' }))).toEqual(refused('service account meshwright/ca gets no identity'));
    const elsewhere = await pod('control-plane-2', { labels: { app: 'control-plane', 'meshwright.dev/workload': 'control-plane' } });
    expect(identityOf(new X509Certificate(material(await enrol(await tokenOf(elsewhere))).chain).raw)).toMatchObject({
      principal: 'spiffe://mesh.test/ns/shop/sa/front',
    });
  });
  test('nor does a join token make anybody the control plane', async () => {
    const authorization = `Bearer ${(await fs.readFile(join(dir, 'admin-1'), 'utf8')).trim()}`;
    const mint = (principal: string): Promise<Response> =>
      fetch(`${ca.adminUrl}/v1/join-tokens`, {
        method: 'POST',
        headers: { authorization },
        body: JSON.stringify({ instance: 'vm-1', workload: 'shop/front', principal }),
      });
    expect((await mint('spiffe://mesh.test/ns/meshwright/sa/control-plane')).status).toBe(400);
    const answer = await mint('spiffe://mesh.test/ns/shop/sa/front');
    const own = material(await enrol(String(Object(await answer.json()).token)));
    expect(material(await call('renew', {}, own)).chain).not.toBe(own.chain);
  });

  test('refused: a token for another audience, and one without our audience that says otherwise', async () => {
    const bound = await pod('audience-1');
    const foreign = await tokenOf(bound, { audience: 'https://kubernetes.default.svc' });
    expect(await enrol(foreign)).toEqual(refused('not for audience `meshwright`'));
    const [head = '', claims = '', tail = ''] = foreign.split('.');
    const forged = { ...JSON.parse(Buffer.from(claims, 'base64url').toString()), aud: ['meshwright'] };
    expect(await enrol([head, Buffer.from(JSON.stringify(forged)).toString('base64url'), tail].join('.'))).toEqual(
      refused('the Kubernetes API does not accept the token'),
    );
  });
  test('refused: expired, said by the token or by the server', async () => {
    const [head = '', claims = '', tail = ''] = (await tokenOf(await pod('late-1'))).split('.');
    const late = { ...JSON.parse(Buffer.from(claims, 'base64url').toString()), exp: Math.floor(Date.now() / 1000) - 1 };
    expect(await enrol([head, Buffer.from(JSON.stringify(late)).toString('base64url'), tail].join('.'))).toEqual(refused('has expired'));
  });
  test('refused: bound to no pod', async () => {
    expect(await enrol(await tokenOf(null))).toEqual(refused('is bound to no pod'));
  });
  test('refused: its pod is gone, is another of the same name, or is leaving', async () => {
    const token = await tokenOf(await pod('gone-1'));
    expect((await enrol(token)).code).toBe('OK');
    const remove = (name: string): Promise<boolean> => kube.remove(resources.pods, { namespace: 'shop', name });
    await remove('gone-1');
    expect((await enrol(token)).code).toBe(status.PERMISSION_DENIED);
    await pod('gone-1');
    expect((await enrol(token)).code).toBe(status.PERMISSION_DENIED);
    const leaving = await pod('leaving-1', { metadata: { finalizers: ['meshwright.test/held'] } });
    const last = await tokenOf(leaving);
    await remove('leaving-1');
    expect(await enrol(last)).toEqual(refused('is being deleted'));
  });
  test('refused: a pod of no workload', async () => {
    expect(await enrol(await tokenOf(await pod('nothing-1', { labels: {} })))).toEqual(
      refused('label it `meshwright.dev/workload: <name>`'),
    );
  });
  test('refused: nonsense in the shape of a token', async () => {
    expect(await enrol('a.b.c')).toEqual(refused('not a service-account token'));
    expect(await enrol('mwj_none')).toEqual(refused('the join token is unknown'));
  });
  test('a CA without the right to review says which right it lacks', async () => {
    const nobody = await startCa({ kubernetes: { kubeconfig: await server.kubeconfigFor('nobody') } });
    const token = await tokenOf(await pod('rights-1'));
    expect(await enrol(token, nobody)).toEqual(refused('the CA lacks the right to create tokenreviews', status.UNAVAILABLE));
    await nobody.close();
  });

  test('replicas that start at once have one root, and a root of another trust domain is not taken', async () => {
    await kube.remove(resources.secrets, { namespace: 'meshwright', name: 'ca-root-2' });
    const kubernetes = { kubeconfig: server.kubeconfig, secret: 'ca-root-2' };
    const replicas = await Promise.all([1, 2, 3].map(() => startCa({ kubernetes })));
    const roots = await Promise.all(replicas.map(({ trustFile }) => fs.readFile(trustFile, 'utf8')));
    expect(new Set(roots).size).toBe(1);
    const own = material(await enrol(await tokenOf(await pod('replica-1')), replicas[2]));
    expect(new X509Certificate(own.chain).verify(new X509Certificate(roots[0] ?? '').publicKey)).toBe(true);
    await Promise.all(replicas.map((replica) => replica.close()));
    await expect(startCa({ kubernetes, trustDomain: 'other.test' })).rejects.toThrow(
      'Secret meshwright/ca-root-2 is the root of another trust domain',
    );
  });
  test('a root whose Secret is deleted is put back, so that who starts later is of the same mesh', async () => {
    const ref = { namespace: 'meshwright', name: 'ca-root-3' };
    const kubernetes = { kubeconfig: server.kubeconfig, secret: ref.name };
    const first = await startCa({ kubernetes });
    await kube.remove(resources.secrets, ref);
    await until('it is back', async () => (await kube.get(resources.secrets, ref)) !== null);
    const later = await startCa({ kubernetes });
    expect(await fs.readFile(later.trustFile, 'utf8')).toBe(await fs.readFile(first.trustFile, 'utf8'));
    await Promise.all([first.close(), later.close()]);
  });
  test('a CA whose mesh was founded anew says so, and leaves the roots that are published', async () => {
    const ref = { namespace: 'meshwright', name: 'ca-root-4' };
    const kubernetes = { kubeconfig: server.kubeconfig, secret: ref.name };
    await ca.close(); // it publishes roots of its own
    const old = await startCa({ kubernetes });
    const root = (await kube.get(resources.secrets, ref))?.['data'];
    const founder = await startCa({ kubernetes: { ...kubernetes, secret: 'ca-root-5' } });
    const anew = (await kube.get(resources.secrets, { ...ref, name: 'ca-root-5' }))?.['data'];
    expect(anew).not.toEqual(root);
    // as if it had been deleted and made anew between two looks
    await until('it is made anew', async () => {
      await kube.remove(resources.secrets, ref);
      return isDone(kube.create(resources.secrets, { metadata: ref, immutable: true, data: anew }));
    });
    const asked = async (path: string): Promise<number> => (await fetch(`${old.adminUrl}${path}`)).status;
    await until('it is told', async () => (await asked('/readyz')) === 503);
    expect([await asked('/readyz'), await asked('/healthz')]).toEqual([503, 503]);
    const published = async (): Promise<unknown> =>
      Object((await kube.get(resources.configMaps, { namespace: 'shop', name: 'meshwright-trust' }))?.['data'])['trust.pem'];
    const trust = await fs.readFile(founder.trustFile, 'utf8');
    await until('the roots are published', async () => (await published()) === trust);
    // Its turn comes with every change of a ConfigMap: the last word is the founder's.
    await kube.patch(
      resources.configMaps,
      { namespace: 'shop', name: 'meshwright-trust' },
      { data: { 'trust.pem': 'x' } },
      { type: 'merge' },
    );
    await until('the roots are published', async () => (await published()) === trust);
    expect(await published()).toBe(trust);
    await Promise.all([old.close(), founder.close()]);
    ca = await startCa();
  });
  test('the roots are in every namespace, in a later one too, and come back when somebody changes them', async () => {
    const trust = await fs.readFile(ca.trustFile, 'utf8');
    const inNamespace = async (namespace: string): Promise<unknown> =>
      Object((await kube.get(resources.configMaps, { namespace, name: 'meshwright-trust' }))?.['data'])['trust.pem'];
    const untilIn = (namespace: string): Promise<void> =>
      until(`the roots are in ${namespace}`, async () => (await inNamespace(namespace)) === trust);
    await untilIn('shop');
    await kube.create(resources.namespaces, { metadata: { name: 'later' } });
    await untilIn('later');
    await kube.patch(
      resources.configMaps,
      { namespace: 'shop', name: 'meshwright-trust' },
      { data: { 'trust.pem': 'x' } },
      { type: 'merge' },
    );
    await untilIn('shop');
    await kube.remove(resources.configMaps, { namespace: 'later', name: 'meshwright-trust' });
    await untilIn('later');
  });
  test('while the API server is away nobody gets an identity, and the same token is good when it is back', async () => {
    const away = await startCa({ kubernetes: { kubeconfig: await brokenKubeconfig() } });
    const token = await tokenOf(await pod('away-1'));
    expect(await enrol(token, away)).toEqual(refused('does not answer', status.UNAVAILABLE));
    await away.close();
    expect((await enrol(token)).code).toBe('OK');
  });
  test('the agent of a pod, by nothing but its environment: it enrols, keeps the token, and starts anew in the same folder', async () => {
    const token = await tokenOf(await pod('front-2'));
    const tokenFile = join(dir, 'token');
    await fs.writeFile(tokenFile, token);
    const runDir = join(dir, 'run');
    const environment = {
      POD_NAME: 'front-2',
      POD_NAMESPACE: 'shop',
      POD_IP: '127.0.0.1',
      MESHWRIGHT_WORKLOAD: 'shop/front',
      MESHWRIGHT_TRUST_DOMAIN: 'mesh.test',
      MESHWRIGHT_CONTROL_PLANE: '127.0.0.1:1',
      MESHWRIGHT_CA: ca.address,
      MESHWRIGHT_TRUST_FILE: ca.trustFile,
      MESHWRIGHT_TOKEN_FILE: tokenFile,
      MESHWRIGHT_RUN_DIR: runDir,
      MESHWRIGHT_HEALTH_PORT: String((await freePorts(1))[0]),
      MESHWRIGHT_DRAIN_MS: '1',
    };
    for (let start = 0; start < 2; start += 1) {
      const agent = await runAgent(agentConfigFrom(environment), { log: silentLog });
      expect(agent.instance).toBe('front-2.shop');
      expect(agent.envoyPid()).not.toBeNull();
      expect((await fetch(`${agent.adminUrl}/healthz`)).status).toBe(200);
      // Without a control plane there was never a configuration: the application is not to start yet.
      expect((await fetch(`${agent.adminUrl}/readyz`)).status).toBe(503);
      await agent.rotate();
      await agent.close();
      expect(await fs.readFile(tokenFile, 'utf8')).toBe(token);
    }
  });
  const brokenKubeconfig = async (): Promise<string> => {
    const file = join(dir, 'nowhere.kubeconfig');
    await fs.writeFile(file, (await fs.readFile(server.kubeconfig, 'utf8')).replace(/127\.0\.0\.1:\d+/, '127.0.0.1:1'));
    return file;
  };
});
