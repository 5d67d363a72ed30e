/** The webhook's certificates with a real API server: two replicas, rotation under handshakes that trust what the configurations say, and losses. */
import { X509Certificate } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { systemClock } from '../../platform/clock';
import { resources, type Kube, type KubeObject } from '../../platform/kube';
import { startKubernetes, type KubernetesServer } from '../../platform/kubernetes-server';
import { silentLog } from '../../platform/log';
import { issueCa, issueLeaf } from '../../webhook/certificates/issue';
import { managedCertificates, type CertificateManager, type ManagedOptions } from '../../webhook/certificates/managed';
import { serveWebhook } from '../../webhook/main';
import { certificateFromFiles, type CertificateSource } from '../../webhook/server/certificate';
import { listen, type Listener } from '../../webhook/server/listener';
import { agedCertificates, certificatesIn } from '../kit/aged-certificates';
import { constantArrival } from '../kit/constant-arrival';
import { patientKube } from '../kit/patient-kube';
import { newTestSigner } from '../kit/signing';
import { isDone, until } from '../kit/until';
import { prepared, untilReady, untilTaken, webhookFiles } from '../kit/webhook';

const servername = 'webhook.meshwright.svc';
const minute = 60_000;
const hour = 60 * minute;
/** Everything else is admitted. */
const refused = 'refused';
const configurations = [
  { resource: resources.validatingWebhooks, name: 'mesh' },
  { resource: resources.mutatingWebhooks, name: 'mesh' },
];

describe('certificates on a real API server', () => {
  let dir: string;
  let server: KubernetesServer;
  let kube: Kube;
  const closers: (() => unknown)[] = [];
  beforeAll(async () => {
    dir = await fs.mkdtemp(join(tmpdir(), 'mw-certificates-'));
    server = await startKubernetes({ dir, controllers: false });
    kube = await patientKube(server.kubeconfig);
    await kube.create(resources.namespaces, { metadata: { name: 'meshwright' } });
    await kube.create(resources.namespaces, { metadata: { name: 'reviewed', labels: { reviewed: 'yes' } } });
  }, 1_800_000);
  afterEach(async () => {
    for (const close of closers.splice(0).toReversed()) await close();
    for (const resource of [resources.validatingWebhooks, resources.mutatingWebhooks])
      for (const { metadata } of (await kube.list(resource)).items) await kube.remove(resource, { name: metadata.name });
    for (const { metadata } of (await kube.list(resources.secrets, { namespace: 'meshwright' })).items)
      await kube.remove(resources.secrets, { namespace: 'meshwright', name: metadata.name });
  });
  afterAll(async () => {
    await server?.stop();
    await fs.rm(dir, { recursive: true, force: true });
  });

  const secret = { namespace: 'meshwright', name: 'webhook-certificates' };
  const manage = async (over: Partial<ManagedOptions> = {}): Promise<CertificateManager> => {
    const manager = await managedCertificates({
      kube,
      namespace: secret.namespace,
      secret: secret.name,
      dnsNames: [servername, 'localhost'],
      validating: ['mesh'],
      mutating: ['mesh'],
      clock: systemClock,
      log: silentLog,
      everyMs: 50,
      ...over,
    });
    closers.push(() => manager.close());
    return manager;
  };
  const serve = async (certificate: CertificateSource): Promise<Listener & { readonly port: number }> => {
    const listener = await listen(
      (request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => void chunks.push(chunk));
        request.on('end', () => {
          const { apiVersion, kind, request: review } = JSON.parse(Buffer.concat(chunks).toString());
          response.setHeader('content-type', 'application/json').setHeader('connection', 'close');
          response.end(JSON.stringify({ apiVersion, kind, response: { uid: review.uid, allowed: review.name !== refused } }));
        });
      },
      { host: '127.0.0.1', port: 0, certificate, clientCa: null, connections: 1_000, requestMs: 180_000 },
    );
    closers.push(() => listener.close());
    return { ...listener, port: Number(new URL(listener.url).port) };
  };
  const configure = async (port: number): Promise<void> => {
    const webhook = (name: string): object => ({
      name: `${name}.meshwright.dev`,
      clientConfig: { url: `https://localhost:${port}/validate` },
      rules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations: ['CREATE'] }],
      namespaceSelector: { matchLabels: { reviewed: 'yes' } },
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      failurePolicy: 'Fail',
      timeoutSeconds: 30,
    });
    for (const resource of [resources.validatingWebhooks, resources.mutatingWebhooks])
      await kube.create(resource, { metadata: { name: 'mesh' }, webhooks: [webhook('one'), webhook('two')] });
  };
  const bundlesIn = (object: KubeObject | null | undefined): readonly string[] =>
    (Array.isArray(object?.['webhooks']) ? object['webhooks'] : []).map((webhook) =>
      Buffer.from(String(webhook.clientConfig.caBundle ?? ''), 'base64').toString(),
    );
  /** What its own listener says; not that it could not be heard, on a machine that stood still. */
  const heard = async (manager: CertificateManager): Promise<string | null> => {
    let said: string | null = null;
    await until('the own listener is heard', async () => !/was not asked yet|does not answer/.test((said = await manager.trouble()) ?? ''));
    return said;
  };
  /** A fresh handshake; why it failed, or the serial number of what was shown. */
  const shake = (port: number, ca: string): Promise<{ readonly failed: string } | { readonly serial: string }> =>
    new Promise((resolve) => {
      const socket = tls.connect({ host: '127.0.0.1', port, servername, ca, session: undefined });
      socket.once('secureConnect', () => {
        const { serialNumber } = socket.getPeerCertificate();
        socket.destroy();
        resolve({ serial: serialNumber });
      });
      socket.once('error', (error) => resolve({ failed: error.message }));
    });

  test('two that start at once serve the same certificate, and every webhook of both configurations trusts it', async () => {
    await configure(1);
    const [one, two] = await Promise.all([manage(), manage()]);
    expect(one.current()).toEqual(two.current());
    for (const resource of [resources.validatingWebhooks, resources.mutatingWebhooks])
      expect(bundlesIn(await kube.get(resource, { name: 'mesh' }))).toEqual([one.current().caBundle, one.current().caBundle]);
    const { port } = await serve(two);
    two.listensAt({ host: '127.0.0.1', port });
    expect(await heard(two)).toBeNull();
    expect(await shake(port, one.current().caBundle)).toHaveProperty('serial');
  });

  test('whoever gives a configuration its bundle is ready by that bundle, not by the one that it has replaced', async () => {
    (await manage()).close();
    await configure(1);
    const manager = await manage({ everyMs: hour });
    expect(bundlesIn(await kube.get(resources.validatingWebhooks, { name: 'mesh' }))[0]).toBe(manager.current().caBundle);
    const { port } = await serve(manager);
    manager.listensAt({ host: '127.0.0.1', port });
    expect(await heard(manager)).toBeNull();
  });

  test('what configurations and Secret lose comes back, the same', async () => {
    await configure(1);
    const manager = await manage();
    const before = manager.current();
    await kube.patch(resources.validatingWebhooks, { name: 'mesh' }, [{ op: 'remove', path: '/webhooks/1/clientConfig/caBundle' }], {
      type: 'json',
    });
    await until(
      'the bundle is back',
      async () => bundlesIn(await kube.get(resources.validatingWebhooks, { name: 'mesh' }))[1] === before.caBundle,
    );
    await kube.remove(resources.secrets, secret);
    await until('the Secret is back', async () => (await kube.get(resources.secrets, secret)) !== null);
    expect((await manage()).current()).toEqual(before);
  });

  test('leaf and authority rotate under handshakes that trust what the configuration says at that moment: none fails', async () => {
    const managers = [await manage(), await manage()];
    const ports: number[] = [];
    for (const manager of managers) ports.push((await serve(manager)).port);
    await configure(ports[0] ?? 0);
    for (const [index, manager] of managers.entries()) manager.listensAt({ host: '127.0.0.1', port: ports[index] ?? 0 });
    const follower = kube.follow(resources.validatingWebhooks, {}, () => undefined);
    closers.push(() => follower.close());
    const trusted = (): string => bundlesIn(follower.items().get('mesh'))[0] ?? '';
    const reviewed = (name: string): Promise<unknown> =>
      kube.create(resources.configMaps, { metadata: { name, namespace: 'reviewed' } }, { dryRun: true });
    // Configurations that are new have no bundle at first; from here on they always have one.
    await until('the API server trusts it', () => trusted() !== '' && isDone(reviewed('first')));

    const failures: string[] = [];
    const serials = new Map<number, string>();
    const all = new Set<string>();
    const authorities = new Set<string>();
    const handshakes = constantArrival(
      200,
      async (index) => {
        const bundle = trusted();
        authorities.add(bundle.slice(0, bundle.indexOf('-----END')));
        const port = ports[index % ports.length] ?? 0;
        const result = await shake(port, bundle);
        if ('failed' in result) return void failures.push(result.failed);
        serials.set(port, result.serial);
        all.add(result.serial);
      },
      { mostUnderWay: 32 },
    );
    // The API server's own client, all the while.
    const reviews = constantArrival(
      5,
      (index) =>
        reviewed(`c-${index}`).then(
          () => undefined,
          (error: Error) => void failures.push(error.message),
        ),
      { mostUnderWay: 4 },
    );
    closers.push(
      () => handshakes.stop(),
      () => reviews.stop(),
    );
    const settled = async (): Promise<void> => void (await Promise.all([handshakes.settled(), reviews.settled()]));
    const aged = agedCertificates(kube, secret);
    const everyoneServes = (what: string, another: readonly string[]): Promise<void> =>
      until(what, () => ports.every((port) => !another.includes(serials.get(port) ?? another[0] ?? '')));
    const shown = (): readonly string[] => [...all];
    await until('both are asked', () => serials.size === 2);
    for (let turn = 0; turn < 2; turn += 1) {
      const first = shown();
      await aged.leaf();
      await everyoneServes('a new leaf', first);
      await aged.authority();
      await until('both authorities in the bundle', () => certificatesIn(trusted()) === 2);
      await until('carried', async () => (await aged.kept()).next?.carried !== null);
      // The time that is skipped is there for those who read the bundle before, and for the API server to hear of it.
      await untilTaken(kube, configurations, refused, () => isDone(reviewed(refused)));
      await settled();
      const second = shown();
      await aged.carried();
      await everyoneServes('a leaf of the new authority', second);
      await settled();
      await aged.retired();
      await until('the new authority alone in the bundle', () => certificatesIn(trusted()) === 1);
    }
    await handshakes.stop();
    expect(await reviews.stop()).toBeGreaterThan(0);
    expect([...new Set(failures)]).toEqual([]);
    expect([all.size, authorities.size]).toEqual([5, 3]);
    for (const manager of managers) expect(await heard(manager)).toBeNull();
  });

  test('a Secret that somebody else wrote is neither served nor overwritten, and takes nobody out whom the API server trusts', async () => {
    await configure(1);
    const manager = await manage();
    const { port } = await serve(manager);
    manager.listensAt({ host: '127.0.0.1', port });
    await until('it is ready', () => manager.problem() === null);
    const before = manager.current();
    const now = Date.now();
    const foreign = await issueLeaf(await issueCa(now, minute), [servername], now, minute);
    const encoded = (text: string): string => Buffer.from(text).toString('base64');
    await kube.patch(
      resources.secrets,
      secret,
      { data: { 'tls.crt': encoded(foreign.certificate), 'tls.key': encoded(foreign.key) } },
      { type: 'merge' },
    );
    await until('it is told', () => manager.aside() !== null);
    expect(manager.aside()).toContain(
      'Secret meshwright/webhook-certificates is not what this webhook wrote: its certificate is not of the authority',
    );
    expect(manager.current()).toEqual(before);
    expect(await heard(manager)).toBeNull();
    expect(await shake(port, before.caBundle)).toHaveProperty('serial');
    await expect(manage()).rejects.toThrow('is not what this webhook wrote');
    await kube.remove(resources.secrets, secret);
    await until('it is told no more', () => manager.aside() === null);
    expect(manager.current()).toEqual(before);
  });
  test('not ready while what is served does not verify by what a configuration says', async () => {
    await configure(1);
    const manager = await manage();
    const { port } = await serve({
      current: () => ({ cert: foreign.certificate, key: foreign.key }),
      onChange: () => undefined,
      problem: () => null,
      close: () => undefined,
    });
    manager.listensAt({ host: '127.0.0.1', port });
    expect(await heard(manager)).toContain('the API server would not take the certificate that is served');
  });
  let foreign: { readonly certificate: string; readonly key: string };
  beforeAll(async () => {
    const now = Date.now();
    foreign = await issueLeaf(await issueCa(now, hour), [servername], now, hour);
  });

  test('28: a certificate that is renewed on disk is served to whoever comes next, and no handshake fails meanwhile', async () => {
    const now = Date.now();
    const authorities = [await issueCa(now, hour), await issueCa(now, hour)];
    const bundle = authorities.map(({ certificate }) => certificate).join('\n');
    const files = { certFile: join(dir, 'tls.crt'), keyFile: join(dir, 'tls.key') };
    const put = async (authority: number): Promise<string> => {
      const leaf = await issueLeaf(authorities[authority] ?? (await issueCa(now, hour)), [servername], now, hour);
      await fs.writeFile(files.keyFile, leaf.key);
      await fs.writeFile(files.certFile, leaf.certificate);
      return new X509Certificate(leaf.certificate).serialNumber;
    };
    const expected = [await put(0)];
    const source = await certificateFromFiles(files, silentLog, 50);
    closers.push(() => source.close());
    const { port } = await serve(source);
    const failures: string[] = [];
    const serials = new Set<string>();
    const handshakes = constantArrival(
      500,
      async () => {
        const result = await shake(port, bundle);
        if ('failed' in result) failures.push(result.failed);
        else serials.add(result.serial);
      },
      { mostUnderWay: 32 },
    );
    closers.push(() => handshakes.stop());
    const isShown = (): boolean => serials.size === expected.length;
    await until('the first is served', isShown);
    for (const authority of [0, 1]) {
      expected.push(await put(authority)); // the last time by the other authority of the bundle
      await until('the next is served', isShown);
    }
    await handshakes.stop();
    expect([...new Set(failures)]).toEqual([]);
    expect([...serials]).toEqual(expected);
  });

  test('the webhook as a whole: its own certificate is trusted where it was not said, pods get their sidecar, and readiness is the handshake', async () => {
    await prepared(server, []);
    const signer = await newTestSigner();
    const files = await webhookFiles(dir, { environments: { prod: { keys: [signer.jwk], generationFloor: 0 } } }, server.kubeconfig);
    const { certificate: _files, ...config } = files.config;
    const webhook = await serveWebhook(
      {
        ...config,
        managedCertificate: { secret: secret.name, dnsNames: [servername, 'localhost'] },
        injection: {
          image: 'registry.test/meshwright:1',
          imagePullPolicy: 'IfNotPresent',
          trustDomain: 'mesh.test',
          controlPlane: { host: 'control-plane.meshwright.svc', port: 15010 },
          ca: { host: 'ca.meshwright.svc', port: 15011 },
        },
      },
      { log: silentLog, lookEveryMs: 50 },
    );
    closers.push(() => webhook.close());
    await untilReady(webhook);
    const { port } = new URL(webhook.url);
    await kube.create(resources.mutatingWebhooks, {
      metadata: { name: 'meshwright' },
      webhooks: [
        {
          name: 'inject.meshwright.dev',
          clientConfig: { url: `https://localhost:${port}/inject` },
          rules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] }],
          namespaceSelector: { matchLabels: { reviewed: 'yes' } },
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
          reinvocationPolicy: 'IfNeeded',
          failurePolicy: 'Fail',
          timeoutSeconds: 30,
        },
      ],
    });
    const pod = (spec: object): Promise<KubeObject> =>
      kube.create(
        resources.pods,
        {
          metadata: { name: 'front', namespace: 'reviewed', labels: { app: 'front', 'meshwright.dev/inject': 'true' } },
          spec: { serviceAccountName: 'front', containers: [{ name: 'app', image: 'registry.test/front:1' }], ...spec },
        },
        { dryRun: true },
      );
    await until('pods get in', () => isDone(pod({})));
    expect(Object((await pod({}))['spec']).initContainers[0]).toMatchObject({ name: 'meshwright-proxy', restartPolicy: 'Always' });
    await expect(pod({ hostNetwork: true })).rejects.toMatchObject({ status: 422, message: expect.stringContaining('MW8103') });
    await kube.patch(
      resources.secrets,
      secret,
      { data: { 'tls.crt': Buffer.from(foreign.certificate).toString('base64') } },
      { type: 'merge' },
    );
    const asked = async (): Promise<string> => {
      const answer = await fetch(`${webhook.adminUrl}/readyz`);
      return `${answer.status} ${await answer.text()}`;
    };
    await until('it is told', async () =>
      (await asked()).includes('[-] certificate in its Secret: Secret meshwright/webhook-certificates is not what'),
    );
    await until('it is ready', async () => /^200 [^]*\[\+\] certificate: good/.test(await asked()));
    // Another bundle is another matter: by that one nobody can be reached.
    await kube.patch(
      resources.mutatingWebhooks,
      { name: 'meshwright' },
      [{ op: 'replace', path: '/webhooks/0/clientConfig/caBundle', value: Buffer.from(foreign.certificate).toString('base64') }],
      { type: 'json' },
    );
    await until('it is not ready', async () => /^503 [^]*\[-\] certificate: the API server would not take/.test(await asked()));
    await kube.remove(resources.secrets, secret);
    await until('it is ready again', async () => (await asked()).startsWith('200 '));
    await until('pods get in again', () => isDone(pod({})));
    expect(Object((await pod({}))['spec']).initContainers).toHaveLength(1);
  });
});
