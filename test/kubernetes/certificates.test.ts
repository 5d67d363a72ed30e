/** The webhook's certificates with a real API server: two replicas, rotation under handshakes that trust what the configurations say, and losses. */
import { X509Certificate } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { systemClock } from '../../platform/clock';
import { kubeFromFile, resources, type Kube, type KubeObject } from '../../platform/kube';
import { startKubernetes, type KubernetesServer } from '../../platform/kubernetes-server';
import { silentLog } from '../../platform/log';
import { issueCa, issueLeaf } from '../../webhook/certificates/issue';
import { managedCertificates, type CertificateManager, type ManagedOptions } from '../../webhook/certificates/managed';
import { serveWebhook } from '../../webhook/main';
import { certificateFromFiles, type CertificateSource } from '../../webhook/server/certificate';
import { listen, type Listener } from '../../webhook/server/listener';
import { newTestSigner } from '../kit/signing';
import { prepared, untilReady, webhookFiles } from '../kit/webhook';

const servername = 'webhook.meshwright.svc';
const minute = 60_000;

const pause = async (ms: number): Promise<void> => {
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
};

describe('certificates on a real API server', () => {
  let dir: string;
  let server: KubernetesServer;
  let kube: Kube;
  const closers: (() => unknown)[] = [];
  beforeAll(async () => {
    dir = await fs.mkdtemp(join(tmpdir(), 'mw-certificates-'));
    server = await startKubernetes({ dir, controllers: false });
    kube = await kubeFromFile(server.kubeconfig);
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
  /** Admits everything. */
  const serve = async (certificate: CertificateSource): Promise<Listener & { readonly port: number }> => {
    const listener = await listen(
      (request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => void chunks.push(chunk));
        request.on('end', () => {
          const { apiVersion, kind, request: review } = JSON.parse(Buffer.concat(chunks).toString());
          response.setHeader('content-type', 'application/json').setHeader('connection', 'close');
          response.end(JSON.stringify({ apiVersion, kind, response: { uid: review.uid, allowed: true } }));
        });
      },
      { host: '127.0.0.1', port: 0, certificate, clientCa: null, connections: 1_000, requestMs: 10_000 },
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
      timeoutSeconds: 10,
    });
    for (const resource of [resources.validatingWebhooks, resources.mutatingWebhooks])
      await kube.create(resource, { metadata: { name: 'mesh' }, webhooks: [webhook('one'), webhook('two')] });
  };
  const bundlesIn = (object: KubeObject | null | undefined): readonly string[] =>
    (Array.isArray(object?.['webhooks']) ? object['webhooks'] : []).map((webhook) =>
      Buffer.from(String(webhook.clientConfig.caBundle ?? ''), 'base64').toString(),
    );
  const until = async (holds: () => boolean | Promise<boolean>, ms = 20_000): Promise<void> => {
    const end = Date.now() + ms;
    while (Date.now() < end && !(await holds())) await new Promise((resolve) => setTimeout(resolve, 30));
    expect(await holds()).toBe(true);
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
    expect(await two.trouble()).toBeNull();
    expect(await shake(port, one.current().caBundle)).toHaveProperty('serial');
  });

  test('whoever gives a configuration its bundle is ready by that bundle, not by the one that it has replaced', async () => {
    (await manage()).close();
    await configure(1);
    const manager = await manage({ everyMs: minute });
    expect(bundlesIn(await kube.get(resources.validatingWebhooks, { name: 'mesh' }))[0]).toBe(manager.current().caBundle);
    const { port } = await serve(manager);
    manager.listensAt({ host: '127.0.0.1', port });
    expect(await manager.trouble()).toBeNull();
  });

  test('what configurations and Secret lose comes back, the same', async () => {
    await configure(1);
    const manager = await manage();
    const before = manager.current();
    await kube.patch(resources.validatingWebhooks, { name: 'mesh' }, [{ op: 'remove', path: '/webhooks/1/clientConfig/caBundle' }], {
      type: 'json',
    });
    await until(async () => bundlesIn(await kube.get(resources.validatingWebhooks, { name: 'mesh' }))[1] === before.caBundle);
    await kube.remove(resources.secrets, secret);
    await until(async () => (await kube.get(resources.secrets, secret)) !== null);
    expect((await manage()).current()).toEqual(before);
  });

  test(
    'leaf and authority rotate under handshakes that trust what the configuration says at that moment: none fails',
    async () => {
      const lifetimes = { caMs: 42_000, leafMs: 21_000, graceMs: 9_000 };
      const managers = [await manage({ lifetimes }), await manage({ lifetimes })];
      const ports: number[] = [];
      for (const manager of managers) ports.push((await serve(manager)).port);
      await configure(ports[0] ?? 0);
      for (const [index, manager] of managers.entries()) manager.listensAt({ host: '127.0.0.1', port: ports[index] ?? 0 });
      const follower = kube.follow(resources.validatingWebhooks, {}, () => undefined);
      closers.push(() => follower.close());
      const trusted = (): string => bundlesIn(follower.items().get('mesh'))[0] ?? '';
      await until(() => trusted() !== '');
      // Configurations that are new have no bundle at first; from here on they always have one.
      const reviewed = (name: string): Promise<unknown> =>
        kube.create(resources.configMaps, { metadata: { name, namespace: 'reviewed' } }, { dryRun: true });
      await until(() =>
        reviewed('first').then(
          () => true,
          () => false,
        ),
      );

      const failures: string[] = [];
      const serials = new Set<string>();
      const bundles = new Set<string>();
      const authorities = new Set<string>();
      let shaken = 0;
      const underWay = new Set<Promise<unknown>>();
      const everyMs = 5; // 200 a second, by the clock: what is late is made up for
      const began = Date.now();
      const rotated = (): boolean => authorities.size >= 3 && serials.size >= 4;
      for (let due = began; Date.now() - began < 3 * minute && !rotated(); due += everyMs) {
        await pause(due - Date.now());
        const bundle = trusted();
        bundles.add(bundle);
        authorities.add(bundle.slice(0, bundle.indexOf('-----END')));
        shaken += 1;
        const one = shake(ports[shaken % ports.length] ?? 0, bundle).then((result) => {
          if ('failed' in result) failures.push(result.failed);
          else serials.add(result.serial);
        });
        underWay.add(one);
        void one.finally(() => underWay.delete(one));
        if (underWay.size > 100) await Promise.race(underWay);
        // The API server's own client, all the while.
        if (shaken % 40 === 0) {
          const review = kube
            .create(resources.configMaps, { metadata: { name: `c-${shaken}`, namespace: 'reviewed' } }, { dryRun: true })
            .catch((error: Error) => failures.push(error.message));
          underWay.add(review);
          void review.finally(() => underWay.delete(review));
        }
      }
      await Promise.all(underWay);
      expect([...new Set(failures)]).toEqual([]);
      expect(rotated()).toBe(true);
      expect([...bundles].some((bundle) => bundle.split('BEGIN CERTIFICATE').length > 2)).toBe(true);
      expect(shaken).toBeGreaterThan(1_000);
      for (const manager of managers) expect(await manager.trouble()).toBeNull();
    },
    4 * minute,
  );

  test('a Secret that somebody else wrote is neither served nor overwritten, and takes nobody out whom the API server trusts', async () => {
    await configure(1);
    const manager = await manage();
    const { port } = await serve(manager);
    manager.listensAt({ host: '127.0.0.1', port });
    await until(() => manager.problem() === null);
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
    await until(() => manager.aside() !== null);
    expect(manager.aside()).toContain(
      'Secret meshwright/webhook-certificates is not what this webhook wrote: its certificate is not of the authority',
    );
    expect(manager.current()).toEqual(before);
    expect(await manager.trouble()).toBeNull();
    expect(await shake(port, before.caBundle)).toHaveProperty('serial');
    await expect(manage()).rejects.toThrow('is not what this webhook wrote');
    await kube.remove(resources.secrets, secret);
    await until(() => manager.aside() === null);
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
    expect(await manager.trouble()).toContain('the API server would not take the certificate that is served');
  });
  let foreign: { readonly certificate: string; readonly key: string };
  beforeAll(async () => {
    const now = Date.now();
    foreign = await issueLeaf(await issueCa(now, 10 * minute), [servername], now, 10 * minute);
  });

  test(
    '28: a certificate that is renewed on disk is served to whoever comes next, and no handshake fails meanwhile',
    async () => {
      const now = Date.now();
      const authorities = [await issueCa(now, 10 * minute), await issueCa(now, 10 * minute)];
      const bundle = authorities.map(({ certificate }) => certificate).join('\n');
      const files = { certFile: join(dir, 'tls.crt'), keyFile: join(dir, 'tls.key') };
      const put = async (authority: number): Promise<string> => {
        const leaf = await issueLeaf(authorities[authority] ?? (await issueCa(now, minute)), [servername], now, 10 * minute);
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
      const underWay = new Set<Promise<unknown>>();
      const everyMs = 2; // 500 a second
      const began = Date.now();
      let shaken = 0;
      for (let due = began; serials.size < 3 && Date.now() - began < minute; due += everyMs) {
        await pause(due - Date.now());
        shaken += 1;
        if (shaken === 200) expected.push(await put(0));
        if (shaken === 1_000) expected.push(await put(1)); // by the other authority of the bundle
        const one = shake(port, bundle).then((result) => ('failed' in result ? failures.push(result.failed) : serials.add(result.serial)));
        underWay.add(one);
        void one.finally(() => underWay.delete(one));
        if (underWay.size > 100) await Promise.race(underWay);
      }
      await Promise.all(underWay);
      expect([...new Set(failures)]).toEqual([]);
      expect([...serials]).toEqual(expected);
    },
    2 * minute,
  );

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
    await until(() =>
      pod({}).then(
        () => true,
        () => false,
      ),
    );
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
    await until(async () => (await asked()).includes('[-] certificate in its Secret: Secret meshwright/webhook-certificates is not what'));
    await until(async () => /^200 [^]*\[\+\] certificate: good/.test(await asked()));
    // Another bundle is another matter: by that one nobody can be reached.
    await kube.patch(
      resources.mutatingWebhooks,
      { name: 'meshwright' },
      [{ op: 'replace', path: '/webhooks/0/clientConfig/caBundle', value: Buffer.from(foreign.certificate).toString('base64') }],
      { type: 'json' },
    );
    await until(async () => /^503 [^]*\[-\] certificate: the API server would not take/.test(await asked()));
    await kube.remove(resources.secrets, secret);
    await until(async () => (await asked()).startsWith('200 '));
    expect(Object((await pod({}))['spec']).initContainers).toHaveLength(1);
  });
});
